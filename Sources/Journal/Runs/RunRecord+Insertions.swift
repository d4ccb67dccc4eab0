package import BSON
internal import MongoDriver

extension RunRecord {
    /// The `_id`s of documents that runs of a command have inserted and that weren't undone.
    ///
    /// - Parameters:
    ///   - command: The command, as runs are called by it.
    ///   - collection: The documents' collection.
    ///   - database: The database.
    /// - Returns: The `_id`s of each entry of the journal.
    /// - Throws: ``StateError``, `MongoError`.
    package static func insertions(
        by command: String, into collection: String, _ database: Database
    ) async throws -> [[BSONValue]] {
        var found: [[BSONValue]] = []
        for entry in try await entries(
            by: command, kind: "insert", collection, ["missed": 1, "documents._id": 1], database)
        {
            let missed = Set(entry["missed"]?.array?.values ?? [])
            let ids = (entry["documents"]?.array?.values ?? []).compactMap { $0.document?["_id"] }
            found.append(ids.filter { !missed.contains($0) })
        }
        return found
    }

    /// Entries of the journal that runs of a command have written, and that have an effect still.
    static func entries(
        by command: String, kind: String, _ collection: String?, _ projection: BSONDocument, _ database: Database
    ) async throws -> [BSONDocument] {
        let present = try await database.collections()
        guard present[StateCollection.runs] != nil, present[StateCollection.journal] != nil else { return [] }
        let runs = try await database.findAll(
            StateCollection.runs, filter: ["command": .string(command), "undoes": ["$exists": false]],
            options: ["projection": ["_id": 1], "sort": ["_id": 1]])
        var entries: [BSONDocument] = []
        for id in runs.compactMap({ $0["_id"]?.objectID }) {
            var filter: BSONDocument = [
                "_id": JournalKey.all(of: id), "kind": .string(kind), "undone": ["$exists": false],
                "state": ["$ne": .string(JournalEntry.State.abandoned.rawValue)],
            ]
            if let collection { filter.append("collection", .string(collection)) }
            entries += try await database.findAll(
                StateCollection.journal, filter: filter,
                options: ["projection": .document(projection), "sort": ["_id": 1]])
        }
        return entries
    }
}
