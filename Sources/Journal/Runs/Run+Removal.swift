package import BSON
internal import MongoDriver

extension Run {
    /// Deletes documents while they are as they were read, journalled with all that is in them.
    ///
    /// - Parameters:
    ///   - documents: The documents, as they were read; any number.
    ///   - collection: Their collection.
    ///   - code: What is done, for the counts.
    /// - Returns: The `_id`s of those that had changed meanwhile, and stay.
    /// - Throws: ``EngineError``, `MongoError`.
    package func remove(
        _ documents: [BSONDocument], from collection: String, code: String
    ) async throws -> [BSONValue] {
        var stayed: [BSONValue] = []
        let changes = documents.map { DocumentChange(id: $0["_id"] ?? .null, before: $0, after: .absent) }
        for batch in Self.batches(changes) {
            let entry = makeEntries([(collection, code, .documents(batch), nil)])[0]
            try await append([entry])
            let result = try await writer.bulkWrite(
                database.namespace(collection), ExactMatch.deleting(batch.compactMap(\.before)),
                concern: followed, collation: ExactMatch.collation)
            var missed: [BSONValue] = []
            if result.removed < batch.count {
                // What is gone, too, where others have deleted it at the same moment.
                let standing = try await self.documents(batch.map(\.id), in: collection)
                missed = batch.map(\.id).filter { standing[$0] != nil }
            }
            try await close(entry, missed: missed, unknown: [], changed: result.removed)
            stayed += missed
        }
        return stayed
    }
}
