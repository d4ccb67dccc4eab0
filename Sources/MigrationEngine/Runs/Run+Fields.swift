public import BSON
internal import MongoDriver
internal import Synchronization

extension Run {
    /// The largest number of documents changed between two checkpoints.
    public static let batchSize = 1000

    /// Changes fields of documents by compare-and-set, journalled, in batches.
    ///
    /// A document that no longer is as it was observed is left alone.
    ///
    /// - Parameters:
    ///   - changes: What to change; any number.
    ///   - collection: The documents' collection.
    ///   - code: The finding that is mended, for the counts.
    ///   - also: Other findings that the same changes mend.
    /// - Returns: The `_id`s of documents that weren't changed, because they had changed or the server refused.
    /// - Throws: ``EngineError`` at a batch boundary, ``MongoError``.
    @discardableResult
    public func apply(
        _ changes: [FieldChange], in collection: String, code: String, also: [String] = []
    ) async throws -> [BSONValue] {
        try await apply(changes, in: collection, code: code, also: also, bypassesValidation: false)
    }

    /// The same; an undo may write what a validator refuses, for it restores what was there.
    func apply(
        _ changes: [FieldChange], in collection: String, code: String, also: [String] = [], bypassesValidation: Bool
    ) async throws -> [BSONValue] {
        var missed: [BSONValue] = []
        for start in stride(from: 0, to: changes.count, by: Self.batchSize) {
            let batch = Array(changes[start..<min(start + Self.batchSize, changes.count)])
            var entries = makeEntries([(collection, code, .fields(batch), nil)])
            for index in entries.indices { entries[index].also = also }
            try await append(entries)
            missed += try await execute(entries, bypassesValidation: bypassesValidation)
        }
        return missed
    }

    /// Makes the changes of entries that are in the journal already; doing it twice does no harm.
    ///
    /// - Returns: The `_id`s of documents that weren't changed.
    func execute(_ entries: [JournalEntry], bypassesValidation: Bool = false) async throws -> [BSONValue] {
        var missed: [BSONValue] = []
        for (collection, group) in Dictionary(grouping: entries, by: \.collection) {
            let changes = group.flatMap(\.fieldChanges)
            let changed = try await changeTogether(changes, in: collection, bypassesValidation: bypassesValidation)
            var unchanged: [BSONValue] = []
            if changed != changes.count {
                // What wasn't changed together, because it has changed or because of its form, is tried one by one.
                let rest = Set(changed == nil ? changes.map(\.id) : try await unapplied(changes, in: collection))
                unchanged = try await changeSingly(
                    changes.filter { rest.contains($0.id) }, in: collection, code: group[0].code,
                    bypassesValidation: bypassesValidation)
            }
            for entry in group { try await close(entry, unchanged) }
            missed += unchanged
        }
        return missed
    }

    /// Makes changes by compare-and-set, with an update for each document.
    ///
    /// - Returns: The `_id`s of documents that weren't changed.
    private func changeSingly(
        _ changes: [FieldChange], in collection: String, code: String, bypassesValidation: Bool
    ) async throws -> [BSONValue] {
        let result = try await writer.bulkWriteCollectingErrors(
            database.namespace(collection), changes.map { .updateOne(filter: $0.filter, update: $0.update) },
            bypassValidation: bypassesValidation, collation: ExactMatch.collation)
        if !bypassesValidation {
            for error in result.writeErrors {
                tally.left(code, collection, 1, reason: "the server refused the change: \(error.message)")
            }
            shared.state.withLock { $0.refused.formUnion(result.writeErrors.map { changes[$0.index].id }) }
        }
        return result.matched == changes.count ? [] : try await unapplied(changes, in: collection)
    }

    /// Of documents that weren't changed, those that had changed meanwhile: the others, which the server refused to
    /// change, are among the run's leftovers already.
    public func excludingRefused(_ ids: [BSONValue]) -> [BSONValue] {
        let refused = shared.state.withLock { $0.refused }
        return ids.filter { !refused.contains($0) }
    }

    /// Counts an entry's changes and closes it, naming the documents that it missed.
    private func close(_ entry: JournalEntry, _ unchanged: [BSONValue]) async throws {
        let ids = Set(entry.fieldChanges.map(\.id))
        let missed = unchanged.filter(ids.contains)
        if !missed.isEmpty {
            try await amend(entry.key, ["$set": ["missed": .array(BSONArray(missed))]])
        }
        count(entry, ids.count - missed.count)
        try await setState(.done, of: [entry.key], concern: .acknowledged)
    }

    /// Looks which documents aren't as the changes wanted them.
    func unapplied(_ changes: [FieldChange], in collection: String) async throws -> [BSONValue] {
        let names = Set(changes.flatMap(\.names))
        let projection = BSONDocument(names.sorted().map { ($0, BSONValue.int32(1)) })
        let found = try await database.findAll(
            collection, filter: ["_id": ["$in": .array(BSONArray(changes.map(\.id)))]],
            options: ["projection": .document(projection)])
        let byID = Dictionary(found.map { ($0["_id"] ?? .null, $0) }, uniquingKeysWith: { first, _ in first })
        return changes.filter { change in byID[change.id].map { !change.isAfter($0) } ?? true }.map(\.id)
    }
}

extension JournalEntry {
    /// The changes of an entry that changes fields.
    var fieldChanges: [FieldChange] {
        if case .fields(let changes) = content { return changes }
        return []
    }
}
