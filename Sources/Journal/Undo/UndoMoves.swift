internal import BSON
internal import MongoDriver

/// Gives moved documents their old `_id`s back, each with the references that followed it, or not at all.
struct UndoMoves {
    let run: Run

    func revert(_ entries: [JournalEntry]) async throws {
        let present = try await run.database.client.listCollections(run.database.name)
        let data = PreviewedData(run.database, remembering: [], targets: [], referrers: [])
        let looks = try await UndoLooks(database: run.database, source: run.source, data: data).look(entries, present)
        let staying = try await staying(
            looks.filter { $0.verdict == .ready && $0.move.earlierReferences > 0 }, present)
        var ready: [(entry: JournalEntry, move: RekeyMove)] = []
        var left: [JournalKey] = []
        for look in looks {
            let (entry, move) = (look.entry, look.move)
            let staying = staying[entry.key] ?? [:]
            // Another number than before, where somebody has written meanwhile.
            let objection = UndoLooks.objection(staying: staying.values.reduce(0) { $0 + $1.count }, move)
            switch (look.verdict, objection) {
            case (.alreadyUndone, _): try await run.markUndone([entry.key])
            case (.blocked(let reason), _), (.ready, let reason?):
                run.totals.left(entry.code, entry.collection, 1, field: "_id", reason: reason, samples: [move.newID])
                left.append(entry.key)
            case (.ready, nil):
                var back = RekeyMove(
                    oldID: move.newID, newID: move.oldID, image: move.copy, referrers: move.referrers,
                    earlierReferences: look.references, undoes: entry.key)
                back.staying = staying
                ready.append((entry, back))
            }
        }
        if let collection = ready.first?.entry.collection {
            let rekeyer = Rekeyer(run: run, source: UndoReferenceSource(run: run), isUndo: true)
            let outcomes = try await rekeyer.move(ready.map { ($0.move, $0.entry.code) }, in: collection)
            for (item, outcome) in zip(ready, outcomes) where outcome != .moved {
                run.totals.left(
                    item.entry.code, collection, 1, field: "_id", reason: Self.reason(outcome),
                    samples: [item.move.oldID])
                left.append(item.entry.key)
            }
            try await run.markUndone(zip(ready, outcomes).filter { $0.1 == .moved }.map(\.0.entry.key))
        }
        try await run.markLeft(left)
    }

    /// So many documents' references are looked for in one pass over what refers.
    private static let lookedForTogether = 1000

    /// The references to some documents that hadn't followed them, by the document's entry; of more than
    /// ``UndoLooks/mostStaying`` so many and one. However many documents there are, each thousand takes one pass: there
    /// may be no index to find them by.
    private func staying(
        _ looks: [UndoLooks.Look], _ present: [String: CollectionDescription]
    ) async throws -> [JournalKey: [Referrer: Set<BSONValue>]] {
        var staying: [JournalKey: [Referrer: Set<BSONValue>]] = [:]
        for start in stride(from: 0, to: looks.count, by: Self.lookedForTogether) {
            let part = looks[start..<min(start + Self.lookedForTogether, looks.count)]
            let followed = Dictionary(part.map { ($0.entry.key, $0.followed) }, uniquingKeysWith: { first, _ in first })
            for referrer in Set(part.flatMap(\.move.referrers)) where present[referrer.collection]?.isOrdinary ?? false
            {
                let asked = part.filter { $0.move.referrers.contains(referrer) }
                let keys = Dictionary(
                    asked.map { ($0.move.newID, $0.entry.key) }, uniquingKeysWith: { first, _ in first })
                try await forEachReference(to: Array(keys.keys), from: referrer) { id, target in
                    guard let key = keys[target], followed[key]?.ids[referrer]?.contains(id) != true,
                        staying[key]?[referrer]?.count ?? 0 <= UndoLooks.mostStaying
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

    private static func reason(_ outcome: Rekeyer.Outcome) -> Sentence {
        switch outcome {
        case .moved, .changed: Undo.changedSince
        case .idTaken: UndoLooks.isTaken
        case .refused(let reason): Sentence(reason)
        case .conflict: "changed in two places; both documents were kept"
        }
    }
}
