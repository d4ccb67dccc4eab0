public import BSON
internal import MongoDriver
internal import Synchronization

extension Run {
    /// The largest number of documents changed between two checkpoints.
    public static let batchSize = 1000

    /// Changes fields of documents by compare-and-set, journalled, in batches.
    ///
    /// A document that no longer is as it was observed is left alone. A change whose outcome isn't known, because it was
    /// sent together with one that was refused, or the connection broke, is sent again.
    ///
    /// - Parameters:
    ///   - changes: What to change; any number.
    ///   - collection: The documents' collection.
    ///   - code: The finding that is mended, for the counts.
    ///   - also: Other findings that the same changes mend.
    /// - Returns: The `_id`s of documents that weren't changed, because they had changed or the server refused.
    /// - Throws: ``EngineError`` at a batch boundary, `MongoError`.
    @discardableResult
    public func apply(
        _ changes: [FieldChange], in collection: String, code: String, also: [String] = []
    ) async throws -> [BSONValue] {
        try await tryToApply(changes, in: collection, code: code, also: also).all
    }

    /// The same, and tells documents that had changed from those that the server refused to change.
    ///
    /// - Returns: The documents that weren't changed.
    /// - Throws: ``EngineError`` at a batch boundary, ``MongoError``.
    package func tryToApply(
        _ changes: [FieldChange], in collection: String, code: String, also: [String] = []
    ) async throws -> Unchanged {
        try await apply(changes, in: collection, code: code, also: also, bypassesValidation: false)
    }

    /// Changes fields that others add to, such as counters: no change is ever sent twice.
    ///
    /// Whoever adds to a field may bring it back to what was observed after the change was made; made once more, the
    /// change would undo what they did. So what wasn't changed, or may not have been, is returned: look at it anew.
    ///
    /// - Parameters:
    ///   - changes: What to change; any number.
    ///   - collection: The documents' collection.
    ///   - code: The finding that is mended, for the counts.
    ///   - also: Other findings that the same changes mend.
    ///   - singly: Whether to send an update for each document: slower, but one that can't be changed, because of its form
    ///     or because the server refuses, doesn't keep others from being changed.
    ///   - offline: Whether nobody else writes: a run that resumes this one may then send the changes again.
    /// - Returns: The documents that aren't as the changes wanted them.
    /// - Throws: ``EngineError`` at a batch boundary, ``MongoError``.
    package func applyOnce(
        _ changes: [FieldChange], in collection: String, code: String, also: [String] = [], singly: Bool = false,
        offline: Bool = false
    ) async throws -> Unchanged {
        try await applyOnce(
            changes, in: collection, code: code, also: also, singly: singly, offline: offline, undoing: nil)
    }

    /// The same, for an undo too, which may write what a validator refuses.
    ///
    /// - Parameter undone: The number of the entry that is undone.
    func applyOnce(
        _ changes: [FieldChange], in collection: String, code: String, also: [String] = [], singly: Bool = false,
        offline: Bool = false, undoing undone: Int64?
    ) async throws -> Unchanged {
        var unchanged = Unchanged()
        for start in stride(from: 0, to: changes.count, by: Self.batchSize) {
            let batch = Array(changes[start..<min(start + Self.batchSize, changes.count)])
            var entry = makeEntries([(collection, code, .fields(batch), nil)])[0]
            entry.also = also
            entry.isOnce = true
            entry.isOffline = offline
            entry.undoes = undone
            try await append([entry])
            let together =
                singly
                ? .notSent
                : try await changeTogether(batch, in: collection, .majorityJournaled, bypassesValidation: undone != nil)
            switch together {
            case .made(batch.count): try await close(entry, [])
            case .made, .refused: unchanged.moved += try await closeOnce(entry)
            case .notSent: unchanged += try await executeSingly(entry)
            }
        }
        return unchanged
    }

    private func executeSingly(_ entry: JournalEntry) async throws -> Unchanged {
        let unchanged = try await changeSingly(
            entry.fieldChanges, in: entry.collection, codes: [entry.code] + entry.also, .majorityJournaled,
            bypassesValidation: entry.undoes != nil)
        try await close(entry, unchanged.all)
        return unchanged
    }

    /// Closes an entry by what its documents look like, without sending anything.
    ///
    /// - Returns: The `_id`s of documents that aren't as the changes wanted them.
    func closeOnce(_ entry: JournalEntry) async throws -> [BSONValue] {
        let unchanged = try await unapplied(entry.fieldChanges, in: entry.collection)
        try await close(entry, unchanged)
        return unchanged
    }

    /// The same; an undo may write what a validator refuses, for it restores what was there.
    func apply(
        _ changes: [FieldChange], in collection: String, code: String, also: [String] = [], bypassesValidation: Bool
    ) async throws -> Unchanged {
        var missed = Unchanged()
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
    /// - Returns: The documents that weren't changed.
    @discardableResult
    func execute(
        _ entries: [JournalEntry], bypassesValidation: Bool = false, concern: WriteConcern = .majorityJournaled
    ) async throws -> Unchanged {
        var missed = Unchanged()
        for (collection, group) in Dictionary(grouping: entries, by: \.collection) {
            let changes = group.flatMap(\.fieldChanges)
            let rest: [FieldChange]
            let together = try await changeTogether(
                changes, in: collection, concern, bypassesValidation: bypassesValidation)
            switch together {
            case .made(changes.count): rest = []
            case .notSent, .refused: rest = changes
            case .made:
                let unapplied = Set(try await unapplied(changes, in: collection))
                rest = changes.filter { unapplied.contains($0.id) }
            }
            // What wasn't changed together, because it has changed or because of its form, is tried one by one.
            let unchanged = try await changeSingly(
                rest, in: collection, codes: [group[0].code] + group[0].also, concern,
                bypassesValidation: bypassesValidation)
            for entry in group { try await close(entry, unchanged.all) }
            missed += unchanged
        }
        return missed
    }

    /// Makes changes by compare-and-set, with an update for each document.
    ///
    /// - Returns: The documents that weren't changed.
    private func changeSingly(
        _ changes: [FieldChange], in collection: String, codes: [String], _ concern: WriteConcern,
        bypassesValidation: Bool
    ) async throws -> Unchanged {
        guard !changes.isEmpty else { return Unchanged() }
        let result = try await writer.bulkWriteCollectingErrors(
            database.namespace(collection), changes.map { .updateOne(filter: $0.filter, update: $0.update) },
            concern: concern, bypassValidation: bypassesValidation, collation: ExactMatch.collation)
        if !bypassesValidation {
            for error in result.writeErrors {
                for code in codes {
                    totals.left(
                        code, collection, 1, field: changes[error.index].field,
                        reason: "the server refused the change: \(error.message)", samples: [changes[error.index].id])
                }
            }
        }
        guard result.matched != changes.count || !result.writeErrors.isEmpty else { return Unchanged() }
        var refused = Set(result.writeErrors.map { changes[$0.index].id })
        let repeating = try await repeating(changes, in: collection)
        if !repeating.isEmpty {
            for code in codes {
                totals.left(
                    code, collection, repeating.count, field: changes.first?.field, reason: Self.repeatingReason,
                    samples: repeating)
            }
            refused.formUnion(repeating)
        }
        let unapplied = try await unapplied(changes, in: collection)
        return Unchanged(
            moved: unapplied.filter { !refused.contains($0) }, refused: unapplied.filter(refused.contains))
    }

    /// Counts an entry's changes and closes it, naming the documents that it missed.
    private func close(_ entry: JournalEntry, _ unchanged: [BSONValue]) async throws {
        let ids = Set(entry.fieldChanges.map(\.id))
        let missed = unchanged.filter(ids.contains)
        if !missed.isEmpty {
            try await amend(open: entry, ["$set": ["missed": .array(BSONArray(missed))]])
        }
        counts.count(entry, ids.count - missed.count)
        try await setState(.done, of: [entry], concern: followed)
    }

    static let repeatingReason: Sentence =
        "a field stands in it more than once, and programs differ in which they read; decide by hand"

    /// The documents in which a field that is to be changed stands more than once: the compare never holds for them.
    private func repeating(_ changes: [FieldChange], in collection: String) async throws -> [BSONValue] {
        let names = Set(changes.flatMap(\.names)).sorted()
        return try await database.aggregateAll(
            collection,
            [
                ["$match": ["_id": ["$in": .array(BSONArray(changes.map(\.id)))]]],
                ["$match": ["$expr": ["$not": [ExactMatch.once(names)]]]], ["$project": ["_id": 1]],
            ]
        ).compactMap { $0["_id"] }
    }

    /// Looks which documents aren't as the changes wanted them.
    func unapplied(_ changes: [FieldChange], in collection: String) async throws -> [BSONValue] {
        zip(changes, try await areApplied(changes, in: collection)).filter { !$0.1 }.map(\.0.id)
    }

    /// Looks, for each change, whether its document is as the change wants it.
    func areApplied(_ changes: [FieldChange], in collection: String) async throws -> [Bool] {
        var applied: [Bool] = []
        for start in stride(from: 0, to: changes.count, by: Self.lookedAtTogether) {
            let some = Array(changes[start..<min(start + Self.lookedAtTogether, changes.count)])
            let current = try await database.fields(of: some, in: collection)
            applied += some.map { change in current[change.id].map(change.isAfter) ?? false }
        }
        return applied
    }

    private static let lookedAtTogether = 5_000
}

extension Database {
    /// The fields of the documents that changes are about, as they are now.
    func fields(of changes: [FieldChange], in collection: String) async throws -> [BSONValue: BSONDocument] {
        let names = Set(changes.flatMap(\.names)).sorted()
        let found = try await findAll(
            collection, filter: ["_id": ["$in": .array(BSONArray(changes.map(\.id)))]],
            options: ["projection": .document(BSONDocument(names.map { ($0, BSONValue.int32(1)) }))])
        return Dictionary(found.map { ($0["_id"] ?? .null, $0) }, uniquingKeysWith: { first, _ in first })
    }
}

/// Documents that aren't as changes by compare-and-set wanted them.
package struct Unchanged: Sendable {
    /// The `_id`s of those that no longer were as they had been observed.
    package internal(set) var moved: [BSONValue] = []
    /// The `_id`s of those that the server refused to change; they are among the run's leftovers.
    package internal(set) var refused: [BSONValue] = []

    /// None.
    package init() {}

    init(moved: [BSONValue], refused: [BSONValue]) {
        self.moved = moved
        self.refused = refused
    }

    /// Both.
    package var all: [BSONValue] { moved + refused }

    /// Adds those of other changes.
    package static func += (sum: inout Unchanged, more: Unchanged) {
        sum.moved += more.moved
        sum.refused += more.refused
    }
}

extension JournalEntry {
    /// The changes of an entry that changes fields.
    var fieldChanges: [FieldChange] {
        if case .fields(let changes) = content { return changes }
        return []
    }
}
