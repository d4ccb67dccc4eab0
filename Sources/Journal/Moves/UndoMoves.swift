internal import BSON
internal import MongoDriver

/// Gives moved documents their old `_id`s back, each with the references that followed it, or not at all.
struct UndoMoves {
    let run: Run

    func revert(_ entries: [JournalEntry]) async throws {
        let present = try await run.database.client.listCollections(run.database.name)
        let foreign = try await references(entries, present)
        var ready: [(entry: JournalEntry, move: RekeyMove)] = []
        for (entry, move, standing) in try await standing(entries) {
            switch try await look(entry, move, standing, foreign, present) {
            case .ready(let staying):
                var back = RekeyMove(
                    oldID: move.newID, newID: move.oldID, image: move.copy, referrers: move.referrers,
                    earlierReferences: foreign[move.oldID] ?? 0, undoes: entry.key)
                back.staying = staying
                ready.append((entry, back))
            case .alreadyUndone: try await run.markUndone([entry.key])
            case .blocked(let reason): run.totals.left(entry.code, entry.collection, 1, reason: reason)
            }
        }
        guard let collection = ready.first?.entry.collection else { return }
        let rekeyer = Rekeyer(run: run, source: UndoReferenceSource(run: run), isUndo: true)
        let outcomes = try await rekeyer.move(ready.map { ($0.move, $0.entry.code) }, in: collection)
        for (item, outcome) in zip(ready, outcomes) where outcome != .moved {
            run.totals.left(item.entry.code, collection, 1, reason: Self.reason(outcome))
        }
        try await run.markUndone(zip(ready, outcomes).filter { $0.1 == .moved }.map(\.0.entry.key))
    }

    private enum Look {
        /// It can go back, and these references to it were there before it had this `_id`.
        case ready(staying: [Referrer: Set<BSONValue>])
        case alreadyUndone
        case blocked(Sentence)
    }

    /// What stands of a document that had moved, and of what followed it.
    private struct Standing {
        /// The document under the `_id` that it had got, and what is under the one that it had before.
        var copy: BSONDocument?
        var original: BSONDocument?
        var followed = Followed()
    }

    /// What followed a document.
    private struct Followed {
        var count = 0
        /// Whether all of it is as it was when it had followed.
        var isUnchanged = true
        /// The documents that refer, where they have to be told from others.
        var ids: [Referrer: Set<BSONValue>] = [:]
    }

    /// Looks what stands, for some documents together.
    private func standing(_ entries: [JournalEntry]) async throws -> [(JournalEntry, RekeyMove, Standing)] {
        var all: [(JournalEntry, RekeyMove, Standing)] = []
        for start in stride(from: 0, to: entries.count, by: Run.parentsTogether) {
            let part = entries[start..<min(start + Run.parentsTogether, entries.count)].compactMap { entry in
                if case .rekey(let move) = entry.content { (entry, move) } else { nil }
            }
            let followed = try await followed(part)
            var found: [String: [BSONValue: BSONDocument]] = [:]
            for (collection, group) in Dictionary(grouping: part, by: \.0.collection) {
                let ids = BSONArray(group.flatMap { [$0.1.newID, $0.1.oldID] })
                for document in try await run.database.findAll(collection, filter: ["_id": ["$in": .array(ids)]]) {
                    found[collection, default: [:]][document["_id"] ?? .null] = document
                }
            }
            all += part.map { entry, move in
                (
                    entry, move,
                    Standing(
                        copy: found[entry.collection]?[move.newID], original: found[entry.collection]?[move.oldID],
                        followed: followed[entry.key] ?? Followed())
                )
            }
        }
        return all
    }

    /// Looks what followed some documents, a part of it at a time.
    private func followed(_ moves: [(JournalEntry, RekeyMove)]) async throws -> [JournalKey: Followed] {
        let hadReferences = Set(moves.filter { $0.1.earlierReferences > 0 }.map(\.0.key))
        var followed: [JournalKey: Followed] = [:]
        try await run.forEachChildren(of: moves.map(\.0.key)) { children in
            for (collection, groups) in Dictionary(grouping: children, by: \.collection) {
                let changes = groups.flatMap { group in group.changes.map { (group.parent, $0) } }
                let areApplied = try await run.areApplied(changes.map(\.1), in: collection)
                for ((parent, change), isApplied) in zip(changes, areApplied) {
                    followed[parent, default: Followed()].count += 1
                    if !isApplied { followed[parent]?.isUnchanged = false }
                    guard hadReferences.contains(parent) else { continue }
                    for name in change.names {
                        let referrer = Referrer(collection: collection, field: name)
                        followed[parent]?.ids[referrer, default: []].insert(change.id)
                    }
                }
            }
        }
        return followed
    }

    private func look(
        _ entry: JournalEntry, _ move: RekeyMove, _ standing: Standing, _ references: [BSONValue: Int],
        _ present: [String: CollectionDescription]
    ) async throws -> Look {
        guard let copy = standing.copy else {
            // Changes that the application made meanwhile were carried over.
            let isBack = standing.original.map { run.source.isSameDocument($0, move.image) } ?? false
            return isBack ? .alreadyUndone : .blocked("gone since; left as it is")
        }
        guard copy == move.copy else { return .blocked(Undo.changedSince) }
        guard standing.original == nil else { return .blocked("another document has taken its old _id; left as it is") }
        guard standing.followed.isUnchanged else {
            return .blocked("a reference that followed it has changed since; left as it is")
        }
        let isReferredTo = Self.Look.blocked("documents have come to refer to it since; left as it is")
        let known = standing.followed.count + move.earlierReferences
        guard references[move.newID, default: 0] <= known else { return isReferredTo }
        guard move.earlierReferences > 0 else { return .ready(staying: [:]) }
        let staying = try await staying(move, standing.followed.ids, present)
        let count = staying.values.reduce(0) { $0 + $1.count }
        guard count <= move.earlierReferences else { return isReferredTo }
        // Late references have to be told from them, by a list that fits a journal entry.
        guard count <= Self.mostStaying else {
            return .blocked("\(count) documents referred to it before it had its _id; left as it is")
        }
        return .ready(staying: staying)
    }

    /// With the `_id`s of so many an entry of the journal stays far below 16 MiB.
    private static let mostStaying = 50_000

    /// The references to a document that hadn't followed it.
    private func staying(
        _ move: RekeyMove, _ followed: [Referrer: Set<BSONValue>], _ present: [String: CollectionDescription]
    ) async throws -> [Referrer: Set<BSONValue>] {
        var staying: [Referrer: Set<BSONValue>] = [:]
        for referrer in move.referrers where present[referrer.collection]?.isOrdinary ?? false {
            let found = try await run.database.findAll(
                referrer.collection, filter: BSONDocument([(referrer.field, .document(["$eq": move.newID]))]),
                options: ["projection": ["_id": 1], "limit": .int32(Int32(Self.mostStaying) * 2)])
            let ids = Set(found.compactMap { $0["_id"] }).subtracting(followed[referrer] ?? [])
            if !ids.isEmpty { staying[referrer] = ids }
        }
        return staying
    }

    /// Counts the references to the documents' new and old `_id`s, in one pass for all of them.
    private func references(
        _ entries: [JournalEntry], _ present: [String: CollectionDescription]
    ) async throws -> [BSONValue: Int] {
        let moves = entries.compactMap { entry -> RekeyMove? in
            guard case .rekey(let move) = entry.content else { return nil }
            return move
        }
        return try await run.database.countReferences(
            to: moves.flatMap { [$0.newID, $0.oldID] }, from: Set(moves.flatMap(\.referrers)),
            in: present)
    }

    private static func reason(_ outcome: Rekeyer.Outcome) -> Sentence {
        switch outcome {
        case .moved, .changed: Undo.changedSince
        case .idTaken: "another document has taken its old _id; left as it is"
        case .refused(let reason): Sentence(reason)
        case .conflict: "changed in two places; both documents were kept"
        }
    }
}
