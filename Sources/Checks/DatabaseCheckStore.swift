internal import BSON
package import Journal
internal import MongoDriver

/// Keeps recorded checks in `chat_admin.checks`, beside the data.
package struct DatabaseCheckStore: CheckStore {
    private let database: Database

    /// Keeps them in a database.
    package init(_ database: Database) { self.database = database }

    package func records(limit: Int) async throws -> [CheckRecord] {
        try await find(CheckRecord.kind, ["limit": .int64(Int64(limit))]).map(CheckRecord.init(reading:))
    }

    package func summaries(since: Int64) async throws -> [CheckRecord] {
        let isSince: BSONDocument = ["at": ["$gte": .date(since)]]
        return try await find(CheckRecord.kind, and: isSince, ["projection": ["findings.identities": 0]])
            .map(CheckRecord.init(reading:))
    }

    package func acceptances() async throws -> [Acceptance] {
        try await find(Acceptance.kind).map(Acceptance.init(reading:)).sorted { $0.number < $1.number }
    }

    package func prune(keepingDays: Int) async throws {
        // By the server's own time: the machine's may be wrong.
        let oldest: BSONValue = ["$subtract": ["$$NOW", .int64(Int64(keepingDays) * Self.dayMS)]]
        _ = try await database.client.bulkWrite(
            database.namespace(StateCollection.checks),
            [.deleteMany(filter: ["kind": .string(CheckRecord.kind), "$expr": ["$lt": ["$at", oldest]]])])
    }

    package func append(_ record: CheckRecord) async throws -> CheckRecord {
        var record = record
        record.number = try await nextNumber(CheckRecord.kind)
        let kept = try await insert(record.document, time: "at")
        record.at = kept["at"]?.date ?? record.at
        return record
    }

    package func accept(_ acceptance: Acceptance) async throws -> Acceptance {
        var acceptance = acceptance
        acceptance.number = try await nextNumber(Acceptance.kind)
        _ = try await insert(acceptance.document, time: "at")
        return acceptance
    }

    package func unaccept(_ number: Int64) async throws -> Bool {
        let result = try await database.client.bulkWrite(
            database.namespace(StateCollection.checks),
            [.deleteOne(filter: ["kind": .string(Acceptance.kind), "number": .int64(number)])])
        return result.removed > 0
    }

    /// The documents of a kind, the newest first.
    private func find(
        _ kind: String, and filter: BSONDocument = [:], _ options: BSONDocument = [:]
    ) async throws -> [BSONDocument] {
        guard try await database.collections()[StateCollection.checks] != nil else { return [] }
        var filter = filter
        filter.append("kind", .string(kind))
        var options = options
        options.append("sort", ["number": -1, "_id": -1])
        return try await database.findAll(StateCollection.checks, filter: filter, options: options)
    }

    private func nextNumber(_ kind: String) async throws -> Int64 {
        let newest = try await find(kind, ["limit": 1]).first
        return try newest.map { try StateFields(StateCollection.checks, $0).require("number", .number) + 1 } ?? 1
    }

    /// Inserts a document, with the server's time in a field: at once, or not at all.
    private func insert(_ document: BSONDocument, time: String) async throws -> BSONDocument {
        let stamped: BSONValue = ["$mergeObjects": [["$literal": .document(document)], .document([time: "$$NOW"])]]
        return try await database.client.findAndModify(
            database.namespace(StateCollection.checks), query: ["_id": document["_id"] ?? .null],
            ["update": [["$replaceWith": stamped]], "upsert": true, "new": true]) ?? document
    }
}
