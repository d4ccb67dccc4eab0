internal import BSON
internal import MongoDriver

extension Undo {
    /// Deletes the documents of a range that are as they were inserted.
    func revertRange(_ entry: JournalEntry, _ range: InsertedRange) async throws {
        let namespace = run.database.namespace(entry.collection)
        let cursor = try await run.database.client.find(
            namespace, filter: range.filter, options: ["sort": ["_id": 1], "hint": ["_id": 1]])
        try await run.database.client.forEachBatch(of: cursor, maximum: Self.mostTogether, maximumBytes: Self.mostBytes)
        {
            found in
            try run.checkpoint()
            let untouched = found.filter(range.isUntouched)
            let result = try await run.writer.bulkWrite(
                namespace, ExactMatch.deleting(untouched), collation: ExactMatch.collation)
            run.totals.changed(entry.code, entry.collection, result.removed)
            run.totals.left(
                entry.code, entry.collection, found.count - result.removed, reason: Undo.changedSince,
                samples: found.filter { !range.isUntouched($0) }.compactMap { $0["_id"] })
        }
    }
}
