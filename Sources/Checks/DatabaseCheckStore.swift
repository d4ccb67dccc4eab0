internal import BSON
package import Journal
internal import MongoDriver

/// Keeps recorded checks in `chat_admin.checks`, beside the data.
package struct DatabaseCheckStore: CheckStore {
    private let database: Database

    /// Keeps them in a database.
    package init(_ database: Database) { self.database = database }

    package func records(limit: Int) async throws -> [CheckRecord] {
        try await find(CheckRecord.kind, limit: limit).map(CheckRecord.init(reading:))
    }

    package func summaries(since: Int64) async throws -> [CheckRecord] {
        guard try await database.collections()[StateCollection.checks] != nil else { return [] }
        var records: [CheckRecord] = []
        try await StateCollection.naming(StateCollection.checks) {
            // Sorted here: the server would sort them with the identities, which may be a gigabyte.
            let cursor = try await database.client.find(
                database.namespace(StateCollection.checks),
                // What has no date is read, too, and refused: nobody's record is left out in silence.
                filter: [
                    "kind": .string(CheckRecord.kind),
                    "$or": [["at": ["$gte": .date(since)]], ["at": ["$not": ["$type": "date"]]]],
                ],
                options: ["projection": ["findings.identities": 0]])
            try await database.client.forEachBatch(of: cursor) { batch in
                for document in batch { records.append(try CheckRecord(reading: document)) }
            }
        }
        return records.sorted { $0.number > $1.number }
    }

    package func acceptances() async throws -> [Acceptance] {
        try await find(Acceptance.kind).map(Acceptance.init(reading:)).sorted { $0.number < $1.number }
    }

    package func prune(keepingDays: Int) async throws {
        try await checkMayInsert()
        // By the server's own time: the machine's may be wrong. What isn't this tool's stays, whatever it says: that has such an
        // `_id` and a date, and what has none would be older than any.
        let oldest: BSONValue = ["$subtract": ["$$NOW", .int64(Int64(keepingDays) * Self.dayMS)]]
        _ = try await database.client.bulkWrite(
            database.namespace(StateCollection.checks),
            [
                .deleteMany(filter: [
                    "_id": ["$gte": .string(CheckRecord.kind + "/"), "$lt": .string(CheckRecord.kind + "0")],
                    "kind": .string(CheckRecord.kind), "at": ["$type": "date"], "$expr": ["$lt": ["$at", oldest]],
                ])
            ])
    }

    package func append(_ record: CheckRecord) async throws -> CheckRecord {
        var record = record
        let kept = try await insert(CheckRecord.kind) { number in
            record.number = number
            return record.document
        }
        record.keep(at: kept["at"]?.date ?? record.at)
        return record
    }

    package func replace(_ record: CheckRecord) async throws {
        let document = record.document
        _ = try await database.client.findAndModify(
            database.namespace(StateCollection.checks), query: ["_id": document["_id"] ?? .null],
            ["update": .document(document), "upsert": true])
    }

    package func accept(_ acceptance: Acceptance) async throws -> Acceptance {
        var acceptance = acceptance
        _ = try await insert(Acceptance.kind) { number in
            acceptance.number = number
            return acceptance.document
        }
        return acceptance
    }

    package func unaccept(_ number: Int64) async throws -> Bool {
        let result = try await database.client.bulkWrite(
            database.namespace(StateCollection.checks),
            [.deleteOne(filter: ["kind": .string(Acceptance.kind), "number": .int64(number)])])
        return result.removed > 0
    }

    /// The documents of a kind, the newest first.
    private func find(_ kind: String, limit: Int? = nil) async throws -> [BSONDocument] {
        guard try await database.collections()[StateCollection.checks] != nil else { return [] }
        var options: BSONDocument = ["sort": ["number": -1]]
        if let limit { options.append("limit", .int64(Int64(limit))) }
        return try await database.findAll(StateCollection.checks, filter: ["kind": .string(kind)], options: options)
    }

    private func nextNumber(_ kind: String) async throws -> Int64 {
        let newest = try await find(kind, limit: 1).first
        return try newest.map { try StateFields(StateCollection.checks, $0).require("number", .count) + 1 } ?? 1
    }

    /// Asks whether a record may be inserted, without inserting one: to explain a command takes the right to run it. Whoever
    /// may remove old records needn't be allowed to write new ones.
    ///
    /// - Throws: `MongoError` where it may not.
    private func checkMayInsert() async throws {
        _ = try await database.access(
            explaining: [
                "findAndModify": .string(StateCollection.checks), "query": ["_id": .null],
                "update": ["$set": ["kind": .string(CheckRecord.kind)]], "upsert": true,
            ])
    }

    /// Inserts a document under the next number, with the server's time: at once, or not at all. Of two that are inserted at the
    /// same time each has a number of its own, which is in its `_id`.
    ///
    /// - Throws: `StateError` where something else stands under that `_id`.
    private func insert(_ kind: String, _ document: (Int64) -> BSONDocument) async throws -> BSONDocument {
        while true {
            let document = document(try await nextNumber(kind))
            let id = document["_id"] ?? .null
            do {
                // Whatever is there already isn't replaced, for nothing matches, and makes the key a duplicate.
                return try await database.client.findAndModify(
                    database.namespace(StateCollection.checks), query: ["_id": id, "kind": ["$in": []]],
                    ["update": Self.stamping(document), "upsert": true, "new": true]) ?? document
            } catch let error as MongoError where error.kind == .duplicateKey {
                try await checkIsOwn(id, kind)
            }
        }
    }

    /// An update that puts a document in another's place, with the server's time.
    private static func stamping(_ document: BSONDocument) -> BSONValue {
        [["$replaceWith": ["$mergeObjects": [["$literal": .document(document)], ["at": "$$NOW"]]]]]
    }

    /// Looks whether what stands under an `_id` is one of those by which the next number is told: any other would be in the way
    /// for ever.
    private func checkIsOwn(_ id: BSONValue, _ kind: String) async throws {
        let found = try await database.findAll(StateCollection.checks, filter: ["_id": id])
        guard let found = found.first else { return }
        let fields = StateFields(StateCollection.checks, found)
        guard try fields.require("kind", .text) == kind else {
            throw fields.fault("kind", "`\(kind)`, as its _id says")
        }
        guard id == .string("\(kind)/\(try fields.require("number", .count))") else {
            throw fields.fault("number", "the one in its _id")
        }
    }
}
