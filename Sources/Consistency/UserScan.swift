internal import BSON
internal import Journal
internal import MongoDriver

/// Finds documents that share what must be unique, and documents without a password hash.
struct UserScan: Sendable {
    let database: Database
    let collection: CollectionSchema

    /// Compares letters of every script without their case; it takes more for equal than that (kana, width,
    /// superscripts), so what it finds is looked at closer.
    private static let looseCollation: BSONDocument = ["locale": "en", "strength": 2]

    /// So many loosely equal names are looked up together.
    private static let lookedUpTogether = 1000

    /// Longer texts are compared exactly alone: a few of them would fill a reply or a query (16 MB).
    private static let longestName = 1000

    /// Matches documents whose field is text of ordinary length.
    private static func isName(_ field: String) -> BSONDocument {
        let length: BSONValue = ["$strLenBytes": .string("$" + field)]
        let isText: BSONValue = ["$eq": [["$type": .string("$" + field)], "string"]]
        // Not a conjunction: the length of anything but text is an error.
        return ["$expr": ["$cond": [isText, ["$lte": [length, .int32(Int32(longestName))]], false]]]
    }

    /// Finds documents that share a text exactly.
    func scanDuplicates(_ field: String, into findings: inout FindingCollector) async throws {
        let path: BSONValue = .string("$" + field)
        let groups = try await stream([
            ["$match": .document([field: ["$type": "string", "$not": ["$type": "array"]]])],
            ["$group": ["_id": path, "n": ["$sum": 1], "first": ["$min": "$_id"]]],
            ["$match": ["n": ["$gt": 1]]],
            ["$sort": ["_id": 1]],
        ])
        var collected = findings
        try await database.client.forEachBatch(of: groups) { batch in
            for group in batch {
                collected.add(
                    .duplicateUser, collection.name, field, count: Int(group["n"]?.integer ?? 0),
                    sample: ["_id": group["first"] ?? .null, field: group["_id"] ?? .null])
            }
        }
        findings = collected
    }

    /// Finds documents whose texts differ in case alone.
    func scanLookalikes(_ field: String, into findings: inout FindingCollector) async throws {
        var collected = findings
        try await forEachASCIILookalike(field) { group in
            collected.add(
                .lookalikeUser, collection.name, field, count: Int(group["n"]?.integer ?? 0),
                sample: ["_id": group["first"] ?? .null, field: group["name"] ?? .null])
        }
        var names: [BSONValue] = []
        let loose = try await stream(
            [
                ["$match": .document(Self.beyondASCII(field))], ["$match": .document(Self.isName(field))],
                ["$group": ["_id": .string("$" + field), "n": ["$sum": 1]]],
                ["$match": ["n": ["$gt": 1]]],
            ], collation: Self.looseCollation)
        try await database.client.forEachBatch(of: loose, maximum: Self.lookedUpTogether) { batch in
            names += batch.compactMap { $0["_id"] }
        }
        for start in stride(from: 0, to: names.count, by: Self.lookedUpTogether) {
            let some = Array(names[start..<min(start + Self.lookedUpTogether, names.count)])
            for group in try await lookalikes(field, among: some) {
                collected.add(
                    .lookalikeUser, collection.name, field, count: group.count,
                    sample: ["_id": group.first, field: .string(group.name)])
            }
        }
        findings = collected
    }

    /// The server folds the case of ASCII letters, and of no others.
    private func forEachASCIILookalike(_ field: String, _ body: (BSONDocument) -> Void) async throws {
        let path: BSONValue = .string("$" + field)
        let groups = try await stream([
            ["$match": .document(Self.isName(field))],
            ["$group": ["_id": path, "n": ["$sum": 1], "first": ["$min": "$_id"]]],
            [
                "$group": [
                    "_id": ["$toLower": "$_id"], "spellings": ["$sum": 1], "n": ["$sum": "$n"],
                    "first": ["$min": "$first"], "name": ["$min": "$_id"],
                ]
            ],
            ["$match": ["spellings": ["$gt": 1]]],
            ["$sort": ["_id": 1]],
        ])
        try await database.client.forEachBatch(of: groups) { for group in $0 { body(group) } }
    }

    private static func beyondASCII(_ field: String) -> BSONDocument {
        let pattern = BSONRegularExpression(pattern: "[^\\x00-\\x7F]", options: "")
        return [field: ["$type": "string", "$not": ["$type": "array"], "$regex": .regularExpression(pattern)]]
    }

    private struct Lookalikes {
        var spellings: Set<[UInt8]> = []
        var count = 0
        var first = BSONValue.null
        var name = ""
    }

    /// Those of some loosely equal names that differ in case alone, beyond ASCII.
    private func lookalikes(_ field: String, among names: [BSONValue]) async throws -> [Lookalikes] {
        var filter = Self.beyondASCII(field)
        filter.append("$and", [.document([field: ["$in": .array(BSONArray(names))]])])
        let cursor = try await database.client.find(
            database.namespace(collection.name), filter: filter,
            options: ["projection": .document(["_id": 1, field: 1]), "collation": .document(Self.looseCollation)],
            readPreference: database.readPreference)
        var groups: [[UInt8]: Lookalikes] = [:]
        try await database.client.forEachBatch(of: cursor) { documents in
            for document in documents {
                guard let name = document[field]?.string else { continue }
                var group = groups[SimpleCaseFolding.fold(name)] ?? Lookalikes()
                if group.count == 0 { (group.first, group.name) = (document["_id"] ?? .null, name) }
                group.count += 1
                group.spellings.insert(SimpleCaseFolding.asciiFold(name))
                groups[SimpleCaseFolding.fold(name)] = group
            }
        }
        // Those that differ in their ASCII letters alone have been found by the server.
        return groups.values.filter { $0.spellings.count > 1 }.sorted { $0.name < $1.name }
    }

    private func stream(_ pipeline: [BSONDocument], collation: BSONDocument? = nil) async throws -> MongoCursor {
        // A collection may have a collation of its own, which isn't asked for here.
        let options: BSONDocument = [
            "allowDiskUse": true, "collation": .document(collation ?? ExactMatch.collation),
        ]
        return try await database.client.aggregate(
            database.namespace(collection.name), pipeline: pipeline, options: options,
            readPreference: database.readPreference)
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
