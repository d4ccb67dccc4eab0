package import BSON
internal import MongoDriver

/// A run as its record in `chat_admin.runs` tells it.
package struct RunRecord: Sendable {
    /// The run's id.
    package let id: ObjectID
    /// The command.
    package let command: String
    /// `running`, `done`, `failed` or `interrupted`; `killed` where it ended without writing that down, which shows as soon
    /// as it hasn't renewed its lease in time.
    package let state: String
    /// When it began, in milliseconds since 1970.
    package let startedAt: Int64?
    /// When it ended, in milliseconds since 1970; nil for a run that is at work, or was killed.
    package let finishedAt: Int64?
    /// The operating system's user who ran it.
    package let user: String?
    /// The machine it was run from.
    package let host: String?
    /// The command line, without what is secret.
    package let arguments: [String]
    /// Why it failed.
    package let error: String?
    /// What it changed.
    package let changes: [Change]
    /// What it left as it was, and why.
    package let leftovers: [Leftover]
    /// What it did, one by one; empty for a run that was killed, whose journal tells.
    package let operations: [OperationRecord]
    /// Whether it undid another run.
    package let isUndo: Bool
    /// Whether every change of it was undone.
    package let isUndone: Bool

    /// Lists the newest runs first.
    ///
    /// - Parameters:
    ///   - database: The database.
    ///   - limit: The largest number of runs to read.
    /// - Throws: ``StateError`` where one of them isn't as this tool writes them, `MongoError`.
    package static func list(_ database: Database, limit: Int) async throws -> [RunRecord] {
        let documents = try await database.findAll(
            StateCollection.runs, filter: [:],
            options: ["sort": ["startedAt": -1, "_id": -1], "limit": .int64(Int64(limit))])
        return try await read(documents, database)
    }

    private static func read(_ documents: [BSONDocument], _ database: Database) async throws -> [RunRecord] {
        let isAnyRunning = documents.contains { $0["state"]?.string == "running" }
        let token = isAnyRunning ? try await Lease.renewedToken(database) : nil
        var records: [RunRecord] = []
        for document in documents {
            records.append(try await RunRecord(reading: document, database, renewed: token))
        }
        return records
    }

    /// Reads one run.
    ///
    /// - Parameters:
    ///   - database: The database.
    ///   - name: The run's id, the beginning of it where no other run's begins so, or `latest` for the newest run.
    /// - Throws: ``EngineError/notFound(_:)``, also where several are meant; ``StateError``, `MongoError`.
    package static func find(_ database: Database, named name: String) async throws -> RunRecord {
        if name == "latest" {
            guard let newest = try await list(database, limit: 1).first else {
                throw EngineError.notFound("There is no run in this database.")
            }
            return newest
        }
        let documents = try await database.findAll(
            StateCollection.runs, filter: ids(beginningWith: name), options: ["sort": ["_id": 1], "limit": 3])
        guard !documents.isEmpty else {
            throw EngineError.notFound("There is no run `\(name)` in this database. \(EngineAdvice.listRuns).")
        }
        guard documents.count == 1 else {
            let ids = documents.compactMap { $0["_id"]?.objectID?.hex }
            let more = documents.count > 2 ? ", …" : ""
            throw EngineError.notFound(
                "Several runs begin with `\(name)`: \(ids.prefix(2).joined(separator: ", "))\(more). Say more of it.")
        }
        return try await read(documents, database)[0]
    }

    /// Matches the runs whose id, as text, begins so; none where that isn't the beginning of an id.
    private static func ids(beginningWith text: String) -> BSONDocument {
        func filled(_ digit: Character) -> ObjectID? {
            text.isEmpty ? nil : ObjectID(hex: text + String(repeating: digit, count: max(0, 24 - text.count)))
        }
        guard let first = filled("0"), let last = filled("f") else { return ["_id": ["$in": []]] }
        return ["_id": ["$gte": .objectID(first), "$lte": .objectID(last)]]
    }

    /// The names that runs have noted under a key.
    ///
    /// - Throws: ``StateError``, `MongoError`.
    package static func notes(_ key: String, _ database: Database) async throws -> [String] {
        try await database.findAll(
            StateCollection.runs, filter: BSONDocument([(key, .document(["$exists": true]))]),
            options: ["sort": ["_id": 1], "projection": .document([key: 1])]
        ).flatMap { try StateFields(StateCollection.runs, $0).read(key, .texts) ?? [] }
    }

    /// Asks a run to pause at its next batch boundary, or to go on.
    ///
    /// - Throws: ``EngineError/refused(_:)`` when the run isn't at work, `MongoError`.
    package static func setPause(_ pause: Bool, _ database: Database, id: ObjectID) async throws {
        let change: BSONValue = pause ? ["$set": ["pause": true]] : ["$unset": ["pause": ""]]
        let found = try await database.client.findAndModify(
            database.namespace(StateCollection.runs), query: ["_id": .objectID(id), "state": "running"],
            ["update": change])
        guard found == nil else { return }
        throw EngineError.refused("Run \(id.hex) isn't at work, so there is nothing to \(pause ? "pause" : "resume").")
    }

    /// Counts the journal's entries of a run by kind, collection and code.
    ///
    /// - Throws: `MongoError`.
    package func journal(_ database: Database) async throws -> [JournalSummary] {
        // Two operands each: more are taken from MongoDB 5.0 on.
        let items: BSONValue = ["$ifNull": ["$items", ["$ifNull": ["$documents", ["$ifNull": ["$indexes", [0]]]]]]]
        let groups = try await database.aggregateAll(
            StateCollection.journal,
            [
                ["$match": ["_id.r": .objectID(id)]],
                [
                    "$group": [
                        "_id": [
                            "kind": "$kind", "collection": "$collection", "code": "$code", "state": "$state",
                        ],
                        "entries": ["$sum": 1],
                        "documents": ["$sum": ["$cond": [["$eq": ["$kind", "range"]], "$count", ["$size": items]]]],
                        "undone": ["$sum": ["$cond": [["$gt": ["$undone", .null]], 1, 0]]],
                    ]
                ],
                ["$sort": ["_id": 1]],
            ])
        return try groups.map { group in
            let name = try StateFields(StateCollection.journal, id: .objectID(id), group).inner("_id")
            guard let name else { throw StateError(StateCollection.journal, .server("an entry without a kind")) }
            return try JournalSummary(name, group)
        }
    }

    /// - Parameter renewed: The token of the run that is at work, if there is one.
    private init(reading document: BSONDocument, _ database: Database, renewed: Int64?) async throws {
        let fields = StateFields(StateCollection.runs, document)
        id = try fields.require("_id", .objectID)
        command = try fields.require("command", .text)
        let recorded = try fields.require("state", .text)
        let token = try fields.read("token", .token)
        state = recorded == "running" && token != renewed ? "killed" : recorded
        startedAt = try fields.read("startedAt", .date)
        finishedAt = try fields.read("finishedAt", .date)
        user = try fields.read("user", .text)
        host = try fields.read("host", .text)
        arguments = try fields.read("arguments", .texts) ?? []
        error = try fields.read("error", .text)
        operations = try fields.list("operations").map(OperationRecord.init(reading:))
        leftovers = try Leftover.list(fields, "left")
        isUndo = try fields.read("undoes", .objectID) != nil
        isUndone = try await Undo.isComplete(database, run: id)
        // A run that was killed never wrote down what it changed; its journal knows.
        if document["changes"] != nil {
            changes = try Change.list(fields, "changes")
        } else {
            changes = isUndo ? [] : try await Undo.recorded(database, run: id)
        }
    }
}

/// What the journal holds of one run, of one kind.
package struct JournalSummary: Sendable, Codable {
    /// `fields`, `rekey`, `insert`, `range`, `validator`, `indexes`, `collection`, `documents` or `dropped`.
    package let kind: String
    /// The collection changed.
    package let collection: String
    /// The finding mended, or the thing made.
    package let code: String
    /// Where the entries stand.
    package let state: String
    /// The number of entries.
    package let entries: Int
    /// The number of documents that they speak of, or of indexes.
    package let documents: Int
    /// The number of entries undone.
    package let undone: Int

    /// - Parameter name: What the entries have in common.
    fileprivate init(_ name: StateFields, _ group: BSONDocument) throws(StateError) {
        kind = try name.require("kind", .text)
        collection = try name.require("collection", .text)
        code = try name.require("code", .text)
        state = try name.require("state", .text)
        entries = Int(group["entries"]?.integer ?? 0)
        documents = Int(group["documents"]?.integer ?? 0)
        undone = Int(group["undone"]?.integer ?? 0)
    }
}
