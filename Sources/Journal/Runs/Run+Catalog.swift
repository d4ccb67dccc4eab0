public import BSON
internal import MongoDriver

/// One change of the catalogue that a run makes: what the journal says of it, and the command that makes it.
package struct CatalogChange: Sendable {
    package let collection: String
    let code: String
    let content: JournalEntry.Content
    let command: BSONDocument

    /// Makes an empty collection.
    package static func create(_ collection: String) -> CatalogChange {
        CatalogChange(
            collection: collection, code: "create collection", content: .collection,
            command: CatalogCommand.create(collection))
    }

    /// Sets a collection's validator.
    ///
    /// - Parameters:
    ///   - options: `validator`, `validationLevel` and `validationAction`.
    ///   - collection: The collection.
    ///   - before: Its options as they are.
    /// - Returns: nil where they are so already.
    package static func setValidator(
        _ options: BSONDocument, on collection: String, before: BSONDocument
    ) -> CatalogChange? {
        // What isn't named becomes the server's default, which the journal has to know to recognise it later.
        let (before, options) = (ValidatorOptions.extract(before), ValidatorOptions.completed(options))
        guard before != options else { return nil }
        return CatalogChange(
            collection: collection, code: "validator", content: .validator(before: before, after: options),
            command: CatalogCommand.collMod(collection, options))
    }

    /// Creates an index.
    package static func createIndex(_ index: BSONDocument, on collection: String) -> CatalogChange {
        CatalogChange(
            collection: collection, code: "create index", content: .indexes([index]),
            command: CatalogCommand.createIndexes(collection, [index]))
    }
}

extension Run {
    /// How long an answer that the lease is this run's stands for the next commands, which change no document: a sixth of
    /// the time that a lease lives without being renewed.
    private static let confirmation = Lease.lifetime / 6

    /// Makes changes of the catalogue, journalled together, one after the other.
    ///
    /// - Returns: Whether all were made; else somebody has made one of the collections meanwhile, and what follows it isn't
    ///   made.
    /// - Throws: `MongoError` where the server refuses one: those before it are made, those after it aren't. ``EngineError``.
    @discardableResult
    package func make(_ changes: [CatalogChange]) async throws -> Bool {
        guard !changes.isEmpty else { return true }
        let entries = makeEntries(changes.map { ($0.collection, $0.code, $0.content, nil) })
        try await append(entries)
        for (index, change) in changes.enumerated() {
            let rest = Array(entries[index...])
            do {
                if index > 0 { try checkpoint() }
                try await gate.confirmAgain(database.client, after: Self.confirmation)
            } catch EngineError.interrupted(let reason) {
                try await end(entries[..<index], abandoning: rest)
                throw EngineError.interrupted(reason)
            }
            do {
                try await changeCatalog(change.command)
            } catch let error as MongoError where error.isRefusal {
                try await end(entries[..<index], abandoning: rest)
                guard case .collection = change.content, error.code == MongoError.ServerCode.namespaceExists else {
                    throw error
                }
                // Somebody was faster: it isn't ours to drop.
                return false
            } catch EngineError.interrupted(let reason) {
                // The one that was on its way may come to its end; the next run looks.
                try await end(entries[..<index], abandoning: Array(rest.dropFirst()))
                throw EngineError.interrupted(reason)
            }
            counts.count(entries[index], 1)
        }
        try await setState(.done, of: entries)
        return true
    }

    private func end(_ made: ArraySlice<JournalEntry>, abandoning rest: [JournalEntry]) async throws {
        try await setState(.done, of: Array(made))
        try await setState(.abandoned, of: rest)
    }

    /// Creates an empty collection, journalled. One that is there already stays as it is.
    ///
    /// - Throws: `MongoError`, ``EngineError``.
    public func createCollection(_ collection: String) async throws {
        try await make([.create(collection)])
    }

    /// Sets a collection's validator, journalled with the one that was there.
    ///
    /// - Parameters:
    ///   - options: `validator`, `validationLevel` and `validationAction`.
    ///   - collection: The collection, which must exist.
    /// - Throws: `MongoError`, ``EngineError``.
    public func setValidator(_ options: BSONDocument, on collection: String) async throws {
        let before = try await validatorOptions(of: collection)
        try await make([.setValidator(options, on: collection, before: before)].compactMap { $0 })
    }

    /// Creates those of the indexes that aren't there, journalled.
    ///
    /// - Parameters:
    ///   - indexes: As `createIndexes` takes them, each with `key` and `name`.
    ///   - collection: The collection.
    /// - Throws: `MongoError`, ``EngineError``.
    public func createIndexes(_ indexes: [BSONDocument], on collection: String) async throws {
        let present = try await database.client.listIndexes(database.namespace(collection))
        let collation = try await database.client.listCollections(database.name)[collection]?.collation
        let missing = indexes.filter { wanted in
            !present.contains { IndexMatch.serves($0, wanted, collation: collation) }
        }
        try await make(missing.map { .createIndex($0, on: collection) })
    }

    /// The validator of a collection as the server stores it; empty when there is none.
    func validatorOptions(of collection: String) async throws -> BSONDocument {
        let options = try await database.client.listCollections(database.name)[collection]?.options ?? [:]
        return ValidatorOptions.extract(options)
    }
}
