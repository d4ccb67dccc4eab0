package import BSON

extension MongoClient {
    /// Opens a cursor over the documents that match. Nothing is sent until the first batch is read, so an error of the
    /// filter or the options is thrown there.
    ///
    /// The filter is sent byte by byte as it is: keys may be empty at any depth, as in a literal document. The server is
    /// the judge of it.
    ///
    /// - Parameters:
    ///   - namespace: The collection.
    ///   - filter: The query.
    ///   - options: The rest of the `find` command: `projection`, `sort`, `limit`, `hint`, `min`, `max`,
    ///     `collation`, `batchSize` (of the first reply: 101 unless told; the others by what is taken at once), `maxTimeMS`,
    ///     `readConcern`.
    ///   - readPreference: Which members may answer; nil means the primary.
    ///   - session: The session or transaction it belongs to.
    package func find(
        _ namespace: Namespace, filter: BSONDocument, options: BSONDocument = [:],
        readPreference: ReadPreference? = nil, session: ClientSession? = nil
    ) throws -> MongoCursor {
        try Self.check(namespace)
        let command: BSONDocument = ["find": .string(namespace.collection), "filter": .document(filter)]
        return try register(
            CursorRequest(
                command, on: namespace.database, options, readPreference: readPreference, session: session))
    }

    /// Opens a cursor over an aggregation's results. Nothing is sent until the first batch is read: a pipeline that ends
    /// in `$out` or `$merge` has written when its cursor is at its end.
    ///
    /// The stages are sent byte by byte as they are, empty keys included.
    ///
    /// - Parameters:
    ///   - namespace: The collection.
    ///   - pipeline: The stages, in order.
    ///   - options: The rest of the `aggregate` command: `allowDiskUse`, `hint`, `collation`, `batchSize`,
    ///     `maxTimeMS`, `readConcern`, `let`.
    ///   - readPreference: Which members may answer; nil means the primary.
    ///   - session: The session or transaction it belongs to.
    package func aggregate(
        _ namespace: Namespace, pipeline: [BSONDocument], options: BSONDocument = [:],
        readPreference: ReadPreference? = nil, session: ClientSession? = nil
    ) throws -> MongoCursor {
        try Self.check(namespace)
        let command: BSONDocument = [
            "aggregate": .string(namespace.collection), "pipeline": .array(BSONArray(pipeline.map { .document($0) })),
        ]
        let isWriting = ["$out", "$merge"].contains(pipeline.last?.keys.first)
        return try register(
            CursorRequest(
                command, on: namespace.database, options, isAggregate: true, isWriting: isWriting,
                readPreference: readPreference, session: session))
    }

    /// Hands every batch of a cursor to a closure, then closes the cursor, whatever happens.
    ///
    /// - Throws: ``MongoError``, or what the closure throws.
    package nonisolated func forEachBatch(
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
    package nonisolated func all(_ cursor: MongoCursor) async throws -> [BSONDocument] {
        var documents: [BSONDocument] = []
        try await forEachBatch(of: cursor) { documents += $0 }
        return documents
    }

    /// Keeps a cursor under a number.
    func register(_ request: CursorRequest) throws(MongoError) -> MongoCursor {
        _ = try client()
        let identifier = makeIdentifier()
        cursors[identifier] = OpenCursor(request)
        return MongoCursor(client: self, identifier: identifier)
    }

    func nextBatch(_ identifier: Int, maximum: Int, maximumBytes: Int) throws(MongoError) -> [BSONDocument] {
        guard var cursor = cursors.removeValue(forKey: identifier) else {
            throw MongoError(.internal, "A cursor was read after it had been closed.")
        }
        defer { cursors[identifier] = cursor }
        var documents: [BSONDocument] = []
        var bytes = 0
        do {
            while documents.count < maximum, bytes < maximumBytes {
                if let document = try cursor.take() {
                    bytes += document.byteCount
                    documents.append(document)
                } else if try !advance(&cursor, asking: cursor.size(maximum, maximumBytes)) {
                    break
                }
            }
        } catch {
            cursor.batch = nil
            cursor.position = .failed(error)
            cursor.endSession()
            throw error
        }
        return documents
    }

    func closeCursor(_ identifier: Int) {
        guard var cursor = cursors.removeValue(forKey: identifier) else { return }
        kill(cursor)
        cursor.endSession()
    }
}
