internal import BSON
internal import MongoDriver

/// Gives moved documents their old `_id`s back, each with the references that followed it, or not at all.
struct UndoMoves {
    let run: Run

    func revert(_ entries: [JournalEntry]) async throws {
        let present = try await run.database.client.listCollections(run.database.name)
        let foreign = try await references(entries, present)
        var standing: [JournalKey: Standing] = [:]
        var moved: [(entry: JournalEntry, move: RekeyMove)] = []
        for (entry, move, stands) in try await self.standing(entries) {
            switch look(entry, move, stands, foreign) {
            case .ready:
                moved.append((entry, move))
                standing[entry.key] = stands
            case .alreadyUndone: try await run.markUndone([entry.key])
            case .blocked(let reason): run.totals.left(entry.code, entry.collection, 1, reason: reason)
            }
        }
        let staying = try await staying(moved.filter { $0.move.earlierReferences > 0 }, standing, present)
        var ready: [(entry: JournalEntry, move: RekeyMove)] = []
        for (entry, move) in moved {
            let staying = staying[entry.key] ?? [:]
            if let reason = Self.objection(to: staying, move) {
                run.totals.left(entry.code, entry.collection, 1, reason: reason)
                continue
            }
            var back = RekeyMove(
                oldID: move.newID, newID: move.oldID, image: move.copy, referrers: move.referrers,
                earlierReferences: foreign[move.oldID] ?? 0, undoes: entry.key)
            back.staying = staying
            ready.append((entry, back))
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
        /// It can go back, unless what referred to it before it had this `_id` stands in the way.
        case ready
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
        _ entry: JournalEntry, _ move: RekeyMove, _ standing: Standing, _ references: [BSONValue: Int]
    ) -> Look {
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
        let known = standing.followed.count + move.earlierReferences
        return references[move.newID, default: 0] <= known ? .ready : .blocked(Self.isReferredTo)
    }

    private static let isReferredTo: Sentence = "documents have come to refer to it since; left as it is"

    /// Why a document can't go back beside the references to it that hadn't followed it.
    private static func objection(to staying: [Referrer: Set<BSONValue>], _ move: RekeyMove) -> Sentence? {
        let count = staying.values.reduce(0) { $0 + $1.count }
        guard count <= move.earlierReferences else { return isReferredTo }
        // Late references have to be told from them, by a list that fits a journal entry.
        guard count <= mostStaying else {
            return "more than \(mostStaying) documents referred to it before it had its _id; left as it is"
        }
        return nil
    }

    /// With the `_id`s of so many an entry of the journal stays far below 16 MiB.
    private static let mostStaying = 50_000
    /// So many documents' references are looked for in one pass over what refers.
    private static let lookedForTogether = 1000

    /// The references to some documents that hadn't followed them, by the document's entry; of more than ``mostStaying`` so
    /// many and one. However many documents there are, each thousand takes one pass: there may be no index to find them by.
    private func staying(
        _ moves: [(entry: JournalEntry, move: RekeyMove)], _ standing: [JournalKey: Standing],
        _ present: [String: CollectionDescription]
    ) async throws -> [JournalKey: [Referrer: Set<BSONValue>]] {
        var staying: [JournalKey: [Referrer: Set<BSONValue>]] = [:]
        for start in stride(from: 0, to: moves.count, by: Self.lookedForTogether) {
            let part = moves[start..<min(start + Self.lookedForTogether, moves.count)]
            for referrer in Set(part.flatMap(\.move.referrers)) where present[referrer.collection]?.isOrdinary ?? false
            {
                let asked = part.filter { $0.move.referrers.contains(referrer) }
                let keys = Dictionary(
                    asked.map { ($0.move.newID, $0.entry.key) }, uniquingKeysWith: { first, _ in first })
                try await forEachReference(to: Array(keys.keys), from: referrer) { id, target in
                    guard let key = keys[target], standing[key]?.followed.ids[referrer]?.contains(id) != true,
                        staying[key]?[referrer]?.count ?? 0 <= Self.mostStaying
                    else { return }
                    staying[key, default: [:]][referrer, default: []].insert(id)
                }
            }
        }
        return staying
    }

    /// Reads the references to some documents, in no particular order.
    ///
    /// - Parameter body: Called with the `_id` of each referring document, and with the one that it refers to.
    private func forEachReference(
        to ids: [BSONValue], from referrer: Referrer, _ body: (_ id: BSONValue, _ target: BSONValue) -> Void
    ) async throws {
        let filter = BSONDocument([(referrer.field, .document(["$in": .array(BSONArray(ids))]))])
        var projection: BSONDocument = ["_id": 1]
        projection.append(referrer.field, 1)
        let cursor = try await run.database.client.find(
            run.database.namespace(referrer.collection), filter: filter, options: ["projection": .document(projection)])
        try await run.database.client.forEachBatch(of: cursor, maximum: Run.batchSize) { documents in
            for document in documents {
                guard let id = document["_id"], let value = document[referrer.field] else { continue }
                for target in value.array?.values ?? [value] { body(id, target) }
            }
        }
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
