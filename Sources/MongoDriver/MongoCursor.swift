package import BSON

/// An open cursor of a ``MongoClient``; it lives on that client's executor.
package struct MongoCursor: Sendable {
    let client: MongoClient
    let identifier: Int

    /// Reads on until a batch is full.
    ///
    /// - Parameters:
    ///   - maximum: The largest number of documents to return.
    ///   - maximumBytes: Stop when the documents together exceed this size, which bounds memory.
    /// - Returns: The next documents; empty at the end.
    /// - Throws: ``MongoError``: a cursor that broke never looks like one that ended, however often it is asked.
    package func nextBatch(maximum: Int = 1000, maximumBytes: Int = 4 << 20) async throws -> [BSONDocument] {
        try await client.nextBatch(identifier, maximum: maximum, maximumBytes: maximumBytes)
    }

    /// Closes the cursor, on the server too.
    package func close() async { await client.closeCursor(identifier) }
}
