package import BSON
internal import MongoDriver

/// What runs of a command have inserted and that stands still, by the journal.
package struct Insertions: Sendable {
    /// `_id`s of documents that were inserted one by one, by collection.
    package private(set) var ids: [String: Set<BSONValue>] = [:]
    /// Match the others, by ranges of their `_id`s; a mark of each document would be too much to remember.
    package private(set) var ranges: [(collection: String, filter: BSONDocument)] = []
    /// The runs, newest first.
    package private(set) var runs: [ObjectID] = []

    /// Reads the journal of the runs of a command.
    ///
    /// - Parameters:
    ///   - command: The command, as runs are called by it.
    ///   - database: The database.
    /// - Throws: ``StateError``, `MongoError`.
    package init(by command: String, _ database: Database) async throws {
        let present = try await database.collections()
        guard present[StateCollection.runs] != nil, present[StateCollection.journal] != nil else { return }
        let records = try await database.findAll(
            StateCollection.runs, filter: ["command": .string(command), "undoes": ["$exists": false]],
            options: ["projection": ["_id": 1], "sort": ["startedAt": -1, "_id": -1]])
        for id in records.compactMap({ $0["_id"]?.objectID }) {
            let entries = try await database.findAll(
                StateCollection.journal,
                filter: [
                    "_id": JournalKey.all(of: id), "undone": ["$exists": false],
                    "state": ["$ne": .string(JournalEntry.State.abandoned.rawValue)],
                ],
                options: [
                    "projection": [
                        "kind": 1, "collection": 1, "missed": 1, "documents._id": 1, "first": 1, "last": 1,
                    ],
                    "sort": ["_id": 1],
                ])
            if !entries.isEmpty { runs.append(id) }
            for entry in entries { try take(entry) }
        }
    }

    private mutating func take(_ entry: BSONDocument) throws {
        let fields = StateFields(StateCollection.journal, entry)
        let collection = try fields.require("collection", .text)
        switch try fields.require("kind", .text) {
        case "insert":
            let missed = Set(try fields.read("missed", .array) ?? [])
            let inserted = (entry["documents"]?.array?.values ?? []).compactMap { $0.document?["_id"] }
            ids[collection, default: []].formUnion(inserted.filter { !missed.contains($0) })
        case "range":
            let (first, last) = (try fields.require("first", .objectID), try fields.require("last", .objectID))
            ranges.append((collection, ["_id": ["$gte": .objectID(first), "$lte": .objectID(last)]]))
        default: break
        }
    }
}

extension Run {
    /// Marks everything that runs have done as undone by this one, which did it by other means.
    package func closeAll(of runs: [ObjectID]) async throws {
        try await writer.bulkWrite(
            journal,
            runs.map { id in
                .updateMany(
                    filter: Undo.filter(id, nil), update: ["$set": ["undone": .objectID(self.id)]])
            })
    }
}
