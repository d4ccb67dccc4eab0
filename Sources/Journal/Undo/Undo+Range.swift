internal import BSON
internal import MongoDriver

extension Undo {
    /// So many documents are deleted by one statement: it compares each with all of them.
    private static let comparedTogether = 100

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
            let writes = stride(from: 0, to: untouched.count, by: Self.comparedTogether).map { start in
                WriteModel.deleteMany(
                    filter: Self.exactly(untouched[start..<min(start + Self.comparedTogether, untouched.count)]))
            }
            let result = try await run.writer.bulkWrite(namespace, writes, collation: ExactMatch.collation)
            run.totals.changed(entry.code, entry.collection, result.removed)
            run.totals.left(
                entry.code, entry.collection, found.count - result.removed, reason: Undo.changedSince,
                samples: found.filter { !range.isUntouched($0) }.compactMap { $0["_id"] })
        }
    }

    /// Matches documents while the whole of each is as given.
    ///
    /// As ``ExactMatch/document(_:)``, `$eq` ignores the types of numbers, and the size of a document tells most of them apart.
    private static func exactly(_ documents: ArraySlice<BSONDocument>) -> BSONDocument {
        let ids = BSONArray(documents.map { $0["_id"] ?? .null })
        let images = BSONArray(documents.map { [.document($0), .int32(Int32($0.byteCount))] })
        return [
            "_id": ["$in": .array(ids)],
            "$expr": ["$in": [["$$ROOT", ["$bsonSize": "$$ROOT"]], ["$literal": .array(images)]]],
        ]
    }
}
