internal import BSON
internal import MigrationEngine
internal import MongoDriver

/// Finds documents that share what must be unique, and documents without a password hash.
struct UserScan: Sendable {
    let database: Database
    let collection: CollectionSchema

    /// Compares letters of every script without their case, but with their accents.
    static let ignoringCase: BSONDocument = ["locale": "en", "strength": 2]

    func scanDuplicates(_ field: String, into findings: inout FindingCollector) async throws {
        let path: BSONValue = .string("$" + field)
        let groups = try await database.aggregateAll(
            collection.name,
            [
                ["$match": .document([field: ["$type": "string"]])],
                [
                    "$group": [
                        "_id": path, "n": ["$sum": 1], "first": ["$first": "$_id"],
                        "name": ["$first": path],
                    ]
                ],
                ["$match": ["n": ["$gt": 1]]],
                ["$sort": ["_id": 1]],
            ], options: ["allowDiskUse": true, "collation": .document(Self.ignoringCase)])
        for group in groups {
            findings.add(
                .duplicateUser, collection.name, field, count: Int(group["n"]?.integer ?? 0),
                sample: ["_id": group["first"] ?? .null, field: group["name"] ?? .null])
        }
    }

    func scanPasswords(_ password: PasswordField, into findings: inout FindingCollector) async throws {
        // A regular expression within `$not` would also exempt arrays that hold a match.
        let pattern = BSONRegularExpression(pattern: password.pattern, options: "")
        let filter: BSONDocument = [
            "$nor": [
                .document([
                    "$and": [
                        .document([password.field: ["$type": "string"]]),
                        .document([password.field: ["$not": ["$type": "array"]]]),
                        .document([password.field: .regularExpression(pattern)]),
                    ]
                ])
            ]
        ]
        var projection: BSONDocument = ["_id": 1]
        for field in collection.sampleFields { projection.append(field, 1) }
        let cursor = try await database.client.find(
            database.namespace(collection.name), filter: filter, options: ["projection": .document(projection)],
            readPreference: database.readPreference)
        var collected = findings
        try await database.client.forEachBatch(of: cursor) { documents in
            for document in documents {
                collected.add(.missingPassword, collection.name, password.field, sample: document)
            }
        }
        findings = collected
    }
}
