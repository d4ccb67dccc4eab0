internal import BSON
internal import MongoDriver

extension Undo {
    /// Deletes inserted documents that are as they were inserted.
    func revertInsert(_ entry: JournalEntry, _ documents: [BSONDocument]) async throws {
        let documents = Self.documents(reverting: entry, documents)
        let found = Self.standing(documents, try await run.documents(Self.ids(documents), in: entry.collection))
        let present = Set(found)
        let untouched = documents.filter(present.contains)
        let result = try await run.writer.bulkWrite(
            run.database.namespace(entry.collection),
            untouched.map { .deleteOne(filter: ExactMatch.document($0)) }, collation: ExactMatch.collation)
        run.totals.changed(entry.code, entry.collection, result.removed)
        run.totals.left(
            entry.code, entry.collection, found.count - result.removed, reason: Undo.changedSince,
            samples: found.filter { !untouched.contains($0) }.compactMap { $0["_id"] })
        if result.removed == untouched.count, untouched.count < found.count {
            let left = Set(found.map { $0["_id"] ?? .null }).subtracting(untouched.map { $0["_id"] ?? .null })
            try await release(entry, documents.map { $0["_id"] ?? .null }.filter { !left.contains($0) })
        }
    }

    /// The `_id`s of some documents, each once: of two with the same the second was never inserted.
    static func ids(_ documents: [BSONDocument]) -> [BSONValue] {
        var seen: Set<BSONValue> = []
        return documents.map { $0["_id"] ?? .null }.filter { seen.insert($0).inserted }
    }

    /// What stands under their `_id`s, in order.
    static func standing(_ documents: [BSONDocument], _ current: [BSONValue: BSONDocument]) -> [BSONDocument] {
        ids(documents).compactMap { current[$0] }
    }

    /// The inserted documents that an undo removes.
    static func documents(reverting entry: JournalEntry, _ documents: [BSONDocument]) -> [BSONDocument] {
        let missed = Set(entry.missed)
        return documents.filter { !missed.contains($0["_id"] ?? .null) }
    }

    func revertValidator(_ entry: JournalEntry, _ before: BSONDocument, _ after: BSONDocument) async throws {
        let current = try await run.validatorOptions(of: entry.collection)
        if ValidatorOptions.completed(current) == ValidatorOptions.completed(before) { return }
        guard current == after else {
            return run.totals.left(entry.code, entry.collection, 1, reason: Undo.changedSince)
        }
        try await run.changeCatalog(CatalogCommand.collMod(entry.collection, ValidatorOptions.completed(before)))
        run.totals.changed(entry.code, entry.collection, 1)
    }

    func revertIndexes(_ entry: JournalEntry, _ indexes: [BSONDocument]) async throws {
        let namespace = run.database.namespace(entry.collection)
        let present = try await run.database.client.listIndexes(namespace)
        let collation = try await run.database.client.listCollections(run.database.name)[entry.collection]?.collation
        for index in indexes {
            guard let name = index["name"]?.string,
                let found = present.first(where: { $0["name"]?.string == name })
            else { continue }
            guard Self.isMade(found, of: index, collation: collation) else {
                run.totals.left(entry.code, entry.collection, 1, reason: Undo.changedSince)
                continue
            }
            try await run.changeCatalog(CatalogCommand.dropIndex(entry.collection, name: name))
            run.totals.changed(entry.code, entry.collection, 1)
        }
    }

    /// Whether an index is the one that a run made.
    static func isMade(_ found: BSONDocument, of index: BSONDocument, collation: BSONDocument?) -> Bool {
        found == index || IndexMatch.stands(found, for: index, collation: collation)
            || IndexMatch.isMade(found, of: index)
    }

    static let holdsDocuments: Sentence = "holds documents now; left as it is"

    func revertCollection(_ entry: JournalEntry) async throws {
        guard let found = try await run.database.client.listCollections(run.database.name)[entry.collection] else {
            return
        }
        let documents =
            found.type == "view"
            ? [] : try await run.database.findAll(entry.collection, filter: [:], options: ["limit": 1])
        guard documents.isEmpty else {
            return run.totals.left(entry.code, entry.collection, 1, reason: Self.holdsDocuments)
        }
        try await run.changeCatalog(CatalogCommand.drop(entry.collection))
        run.totals.changed(entry.code, entry.collection, 1)
    }
}
