public import BSON
internal import CMongoC

/// An open cursor of a ``MongoClient``; it lives on that client's executor.
public struct MongoCursor: Sendable {
    let client: MongoClient
    let identifier: Int

    /// Reads on until a batch is full.
    ///
    /// - Parameters:
    ///   - maximum: The largest number of documents to return.
    ///   - maximumBytes: Stop when the documents together exceed this size, which bounds memory.
    /// - Returns: The next documents; empty at the end.
    /// - Throws: ``MongoError``: a cursor that broke never looks like one that ended.
    public func nextBatch(maximum: Int = 1000, maximumBytes: Int = 4 << 20) async throws -> [BSONDocument] {
        try await client.nextBatch(identifier, maximum: maximum, maximumBytes: maximumBytes)
    }

    /// Closes the cursor, on the server too.
    public func close() async { await client.closeCursor(identifier) }
}

extension MongoClient {
    /// Opens a cursor over the documents that match. Nothing is sent until the first batch is read.
    ///
    /// libmongoc's cursors refuse a filter, or a pipeline, that has an empty key in it at any depth, such as a literal
    /// document. Commands (``run(_:on:mode:readPreference:session:)``) and bulk writes take it.
    ///
    /// - Parameters:
    ///   - namespace: The collection.
    ///   - filter: The query.
    ///   - options: The rest of the `find` command: `projection`, `sort`, `limit`, `hint`, `min`, `max`,
    ///     `collation`, `batchSize`, `maxTimeMS`, `readConcern`.
    ///   - readPreference: Which members may answer; nil means the primary.
    ///   - session: The session or transaction it belongs to.
    public func find(
        _ namespace: Namespace, filter: BSONDocument, options: BSONDocument = [:],
        readPreference: ReadPreference? = nil, session: ClientSession? = nil
    ) throws -> MongoCursor {
        let options = self.options(options, session: session)
        let cursor = try withCollection(namespace) { collection in
            withBSON(filter) { filter in
                withBSON(options) { options in
                    ReadPreference.withPointer(readPreference, connectionString) { preference in
                        mongoc_collection_find_with_opts(collection, filter, options, preference)
                    }
                }
            }
        }
        return try register(cursor)
    }

    /// Opens a cursor over an aggregation's results.
    ///
    /// - Parameters:
    ///   - namespace: The collection.
    ///   - pipeline: The stages, in order.
    ///   - options: The rest of the `aggregate` command: `allowDiskUse`, `hint`, `collation`, `batchSize`,
    ///     `maxTimeMS`, `readConcern`, `let`.
    ///   - readPreference: Which members may answer; nil means the primary.
    ///   - session: The session or transaction it belongs to.
    public func aggregate(
        _ namespace: Namespace, pipeline: [BSONDocument], options: BSONDocument = [:],
        readPreference: ReadPreference? = nil, session: ClientSession? = nil
    ) throws -> MongoCursor {
        let options = self.options(options, session: session)
        let stages: BSONDocument = ["pipeline": .array(BSONArray(pipeline.map { .document($0) }))]
        let cursor = try withCollection(namespace) { collection in
            withBSON(stages) { stages in
                withBSON(options) { options in
                    ReadPreference.withPointer(readPreference, connectionString) { preference in
                        mongoc_collection_aggregate(collection, MONGOC_QUERY_NONE, stages, options, preference)
                    }
                }
            }
        }
        return try register(cursor)
    }

    /// Hands every batch of a cursor to a closure, then closes the cursor, whatever happens.
    ///
    /// - Throws: ``MongoError``, or what the closure throws.
    public nonisolated func forEachBatch(
        of cursor: MongoCursor, maximum: Int = 1000, maximumBytes: Int = 4 << 20,
        _ body: ([BSONDocument]) async throws -> Void
    ) async throws {
        do {
            while true {
                let batch = try await cursor.nextBatch(maximum: maximum, maximumBytes: maximumBytes)
                if batch.isEmpty { break }
                try await body(batch)
            }
        } catch {
            await cursor.close()
            throw error
        }
        await cursor.close()
    }

    /// Reads a whole cursor into memory; for results known to be small.
    public nonisolated func all(_ cursor: MongoCursor) async throws -> [BSONDocument] {
        var documents: [BSONDocument] = []
        try await forEachBatch(of: cursor) { documents += $0 }
        return documents
    }

    /// Keeps a cursor under a number, closing it at once when it was born broken.
    func register(_ cursor: OpaquePointer?) throws -> MongoCursor {
        guard let cursor else { throw MongoError(.internal, "libmongoc made no cursor.") }
        do {
            try Self.check(cursor)
        } catch {
            mongoc_cursor_destroy(cursor)
            throw error
        }
        let identifier = makeIdentifier()
        cursors[identifier] = cursor
        return MongoCursor(client: self, identifier: identifier)
    }

    func nextBatch(_ identifier: Int, maximum: Int, maximumBytes: Int) throws -> [BSONDocument] {
        guard let cursor = cursors[identifier] else {
            throw MongoError(.internal, "A cursor was read after it had been closed.")
        }
        var documents: [BSONDocument] = []
        var bytes = 0
        var next: OpaquePointer?
        while documents.count < maximum, bytes < maximumBytes {
            // "Cannot advance a completed or failed cursor": a read behind the end, or behind an error, asks first.
            guard mongoc_cursor_more(cursor), mongoc_cursor_next(cursor, &next), let borrowed = next else {
                try Self.check(cursor)
                break
            }
            // "The bson_t … is valid until the next call": copied at once.
            let document = try copyDocument(borrowed)
            bytes += document.byteCount
            documents.append(document)
        }
        return documents
    }

    func closeCursor(_ identifier: Int) {
        guard let cursor = cursors.removeValue(forKey: identifier) else { return }
        mongoc_cursor_destroy(cursor)
    }

    private static func check(_ cursor: OpaquePointer) throws(MongoError) {
        var error = bson_error_t()
        var borrowed: OpaquePointer?
        guard mongoc_cursor_error_document(cursor, &error, &borrowed) else { return }
        var reply: BSONDocument?
        if let borrowed { reply = try copyDocument(borrowed) }
        throw MongoError(error, reply: reply)
    }
}
