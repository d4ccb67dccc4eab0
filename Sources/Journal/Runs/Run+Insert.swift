public import BSON
internal import MongoDriver

extension Run {
    /// Inserts documents, journalled.
    ///
    /// - Parameters:
    ///   - documents: The documents, each with its `_id` first.
    ///   - collection: Where to.
    ///   - code: What is inserted, for the counts.
    /// - Throws: `MongoError` of kind `duplicateKey` when a unique key is taken; ``EngineError``.
    public func insert(_ documents: [BSONDocument], into collection: String, code: String) async throws {
        try await insert(documents, into: collection, code: code, nil)
    }

    /// The same of documents that a validator may refuse.
    package func insert(
        unvalidated documents: [BSONDocument], into collection: String, code: String
    ) async throws {
        try await insert(documents, into: collection, code: code, nil, isUnvalidated: true)
    }

    /// The same, for a command of a step's file.
    package func insert(
        _ documents: [BSONDocument], into collection: String, code: String, _ position: JournalPosition?,
        isUnvalidated: Bool = false
    ) async throws {
        guard !documents.isEmpty else { return }
        var entries = makeEntries([(collection, code, .insert(documents), nil)])
        entries[0].note(position)
        entries[0].isUnvalidated = isUnvalidated
        try await append(entries)
        // It may make the collection.
        defer { database.catalog.forgetIndexes(of: collection) }
        try await execute(insertion: entries[0], documents)
    }

    /// Inserts what an entry names.
    ///
    /// - Parameter isResumed: An earlier attempt may have inserted them: a document whose `_id` is there already counts as
    ///   inserted, and the application may have changed it since.
    func execute(insertion entry: JournalEntry, _ documents: [BSONDocument], isResumed: Bool = false) async throws {
        let result = try await writer.bulkWriteCollectingErrors(
            database.namespace(entry.collection), documents.map { .insert($0) }, concern: followed,
            bypassValidation: entry.isUnvalidated)
        let present =
            isResumed && !result.writeErrors.isEmpty
            ? try await self.documents(documents.map { $0["_id"] ?? .null }, in: entry.collection) : [:]
        let refused = result.writeErrors.filter { present[documents[$0.index]["_id"] ?? .null] == nil }
        guard let error = refused.first else {
            counts.count(entry, documents.count)
            return try await setState(.done, of: [entry], concern: followed)
        }
        // What the server refused is no part of what this run did: an undo leaves it, and it can be tried again.
        let again = refused.map { documents[$0.index]["_id"] ?? .null }
        if refused.count < documents.count {
            // One of two documents of the same _id went in, and is this run's.
            let failed = Set(refused.map(\.index))
            let inserted = Set(documents.indices.filter { !failed.contains($0) }.map { documents[$0]["_id"] ?? .null })
            let missed = again.filter { !inserted.contains($0) }
            try await amend(
                open: entry,
                [
                    "$set": [
                        "missed": .array(BSONArray(missed)), "again": .array(BSONArray(again)),
                        "copies": .int64(Int64(again.count - missed.count)),
                    ]
                ])
            counts.count(entry, documents.count - refused.count)
        }
        try await setState(refused.count < documents.count ? .done : .abandoned, of: [entry])
        throw MongoError(MongoError.kind(ofServerCode: error.code), error.message, code: error.code)
    }
}
