internal import BSON
internal import MongoDriver

/// Takes back what earlier runs did, newest change first, by compare-and-set: what has changed since is reported and
/// left alone.
public struct Undo: Sendable {
    let run: Run

    /// Makes an undo that is itself a recorded run.
    public init(run: Run) { self.run = run }

    /// Takes a run's changes back.
    ///
    /// - Parameters:
    ///   - id: The run, as 24 hexadecimal digits.
    ///   - step: Only the changes of this step of a migration; nil for all.
    /// - Throws: ``EngineError/notFound(_:)`` when there is no such run; ``EngineError``, ``MongoError``.
    public func revert(run id: String, step: Int64? = nil) async throws {
        guard let id = ObjectID(hex: id) else { throw EngineError.notFound("`\(id)` is not the id of a run.") }
        let runs = try await run.database.findAll(StateCollection.runs, filter: ["_id": .objectID(id)])
        guard !runs.isEmpty else {
            throw EngineError.notFound("There is no run \(id.hex) in this database. `runs list` shows them.")
        }
        try await run.annotate("undoes", .objectID(id))
        let cursor = try await run.database.client.find(
            run.database.namespace(StateCollection.journal), filter: Self.filter(id, step),
            options: ["sort": ["_id": -1]])
        try await run.database.client.forEachBatch(of: cursor, maximum: 500) { documents in
            let entries = documents.compactMap(JournalEntry.init)
            guard entries.count == documents.count else {
                throw EngineError.refused("The journal of run \(id.hex) can't be read by this version.")
            }
            try await revert(entries)
        }
    }

    /// The entries to take back, references that followed a document excepted: they go back with it.
    static func filter(_ id: ObjectID, _ step: Int64?) -> BSONDocument {
        var filter: BSONDocument = [
            "_id": [
                "$gte": JournalKey(run: id, number: 0).value, "$lte": JournalKey(run: id, number: .max).value,
            ],
            "undone": ["$exists": false], "parent": ["$exists": false], "state": "done",
        ]
        if let step { filter.append("step", .int64(step)) }
        return filter
    }

    /// Takes entries back in the order given; neighbours that move documents of one collection go together.
    private func revert(_ entries: [JournalEntry]) async throws {
        var rest = entries[...]
        while let first = rest.first {
            try run.checkpoint()
            let group = rest.prefix { $0.content.kind == first.content.kind && $0.collection == first.collection }
            rest = rest.dropFirst(group.count)
            if case .rekey = first.content {
                try await UndoMoves(run: run).revert(Array(group))
            } else {
                for entry in group { try await revert(entry) }
            }
        }
    }

    private func revert(_ entry: JournalEntry) async throws {
        switch entry.content {
        case .rekey: return
        case .fields: try await revertFields(entry)
        case .insert(let documents): try await revertInsert(entry, documents)
        case .validator(let before, let after): try await revertValidator(entry, before, after)
        case .indexes(let indexes): try await revertIndexes(entry, indexes)
        case .collection: try await revertCollection(entry)
        }
        try await run.markUndone([entry.key])
    }

    private func revertFields(_ entry: JournalEntry) async throws {
        let missed = Set(entry.missed)
        let changes = entry.fieldChanges.filter { !missed.contains($0.id) }.map(\.reversed)
        let unapplied = Set(try await run.unapplied(changes, in: entry.collection))
        let left = try await run.apply(
            changes.filter { unapplied.contains($0.id) }, in: entry.collection, code: entry.code)
        run.tally.left(entry.code, entry.collection, left.count, reason: Undo.changedSince)
    }

    static let changedSince = "changed since; left as it is"
}

extension Run {
    /// Marks entries as taken back by this run.
    func markUndone(_ keys: [JournalKey]) async throws {
        guard !keys.isEmpty else { return }
        try await database.client.bulkWrite(
            journal,
            [
                .updateMany(
                    filter: ["_id": ["$in": .array(BSONArray(keys.map(\.value)))]],
                    update: ["$set": ["undone": .objectID(id)]])
            ])
    }
}
