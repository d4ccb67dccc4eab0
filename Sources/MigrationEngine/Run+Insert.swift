public import BSON
internal import MongoDriver

extension Run {
    /// Inserts documents, journalled.
    ///
    /// - Parameters:
    ///   - documents: The documents, each with its `_id` first.
    ///   - collection: Where to.
    ///   - code: What is inserted, for the counts.
    /// - Throws: ``MongoError`` of kind `duplicateKey` when a unique key is taken; ``EngineError``.
    public func insert(_ documents: [BSONDocument], into collection: String, code: String) async throws {
        try await insert(documents, into: collection, code: code, position: nil)
    }

    /// The same, for a command of a step's file.
    func insert(
        _ documents: [BSONDocument], into collection: String, code: String, position: Int64?
    ) async throws {
        guard !documents.isEmpty else { return }
        var entries = makeEntries([(collection, code, .insert(documents), nil)])
        entries[0].position = position
        try await append(entries)
        try await execute(insertion: entries[0], documents)
    }

    /// Inserts what an entry names; documents that are there already count as inserted.
    ///
    /// - Parameter isResumed: An earlier attempt may have inserted them, and the application may have changed them since:
    ///   then their `_id`s alone tell.
    func execute(insertion entry: JournalEntry, _ documents: [BSONDocument], isResumed: Bool = false) async throws {
        // Acknowledged only: the entry's end, and the step's or the run's, are durable no sooner than the documents are.
        let result = try await writer.bulkWriteCollectingErrors(
            database.namespace(entry.collection), documents.map { .insert($0) }, concern: .acknowledged)
        for error in result.writeErrors {
            let document = documents[error.index]
            if try await isPresent(document, in: entry.collection, asItIs: !isResumed) { continue }
            try await setState(.done, of: [entry.key])
            throw MongoError(
                error.code == MongoError.ServerCode.duplicateKey ? .duplicateKey : .server, error.message,
                code: error.code)
        }
        count(entry, documents.count)
        try await setState(.done, of: [entry.key], concern: .acknowledged)
    }

    private func isPresent(_ document: BSONDocument, in collection: String, asItIs: Bool) async throws -> Bool {
        let found = try await database.findAll(
            collection, filter: ["_id": ["$eq": document["_id"] ?? .null]], options: ["limit": 1])
        return asItIs ? found.first == document : !found.isEmpty
    }
}
