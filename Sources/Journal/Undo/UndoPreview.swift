package import BSON
internal import MongoDriver

/// Works out what undoing runs would change and leave, as the data stand, and writes nothing.
///
/// It goes through the same entries in the same order as ``Undo``, and decides about each as that does, on the data as
/// they would stand after the entries before. Where nobody else writes, and the server refuses nothing, the undo then
/// changes and leaves exactly this.
package final class UndoPreview {
    /// One run to undo, or the changes of one of its steps.
    package struct Selection: Sendable, Hashable {
        let run: ObjectID
        let step: Int64?

        /// - Parameter step: Only the changes of this step of a migration; nil for all.
        package init(run: ObjectID, step: Int64? = nil) {
            self.run = run
            self.step = step
        }
    }

    /// What would be changed, and what left, of each run, in the order given.
    package private(set) var results: [Totals] = []
    /// The steps, of runs, of which something would be left.
    private var unfinished: Set<Selection> = []
    /// The same of the run that is gone through.
    private var totals = Totals()

    let database: Database
    let source: any ReferenceSource
    private let interruption: Interruption
    private let progress: ProgressReport
    private var data: PreviewedData
    private let present: [String: CollectionDescription]
    /// The collections as they would be, of those that were looked at.
    private var shapes: [String: Shape] = [:]

    /// What a collection is, apart from its documents.
    private struct Shape {
        var exists: Bool
        let isView: Bool
        var validator: BSONDocument
        let collation: BSONDocument?
        var indexes: [BSONDocument]
    }

    /// Goes through what would be undone.
    ///
    /// - Parameters:
    ///   - database: The database.
    ///   - selections: What would be undone, in that order.
    ///   - source: Knows whether two documents are one and the same.
    ///   - interruption: The request to stop.
    ///   - progress: Where progress is shown.
    /// - Throws: ``EngineError/refused(_:)`` for a run that can't be undone; ``EngineError``, ``StateError``,
    ///   `MongoError`.
    package init(
        _ database: Database, undoing selections: [Selection], source: any ReferenceSource,
        interruption: Interruption = Interruption(), progress: @escaping ProgressReport = { _ in }
    ) async throws {
        self.database = database
        self.source = source
        self.interruption = interruption
        self.progress = progress
        present = try await database.client.listCollections(database.name)
        data = try await PreviewedData(
            database, undoing: selections.map { Undo.filter($0.run, $0.step) })
        for selection in selections {
            try await Undo.checkUndoable(database, run: selection.run)
            totals = Totals()
            results.append(totals)
            try await preview(selection)
        }
    }

    /// What would be changed, and what left, in all.
    package var all: Totals {
        results.reduce(into: Totals()) { $0.add($1) }
    }

    /// Whether something of a run's step would be left.
    package func leavesSomething(of run: ObjectID, step: Int64) -> Bool {
        unfinished.contains(Selection(run: run, step: step))
    }

    private func preview(_ selection: Selection) async throws {
        let filter = Undo.filter(selection.run, selection.step)
        let total = try await database.countEntries(filter)
        var done = 0
        let cursor = try await Undo.entries(database, filter)
        try await database.client.forEachBatch(
            of: cursor, maximum: Undo.mostTogether, maximumBytes: Undo.mostBytes
        ) { documents in
            try interruption.check()
            for group in Undo.groups(try documents.map(JournalEntry.init(reading:))) {
                if case .rekey? = group.first?.content {
                    try await previewMoves(group)
                } else {
                    for entry in group { try await self.entry(entry) }
                }
            }
            done += documents.count
            progress(ProgressUpdate("looking at journal entries", done: done, total: max(done, total)))
        }
    }

    private func entry(_ entry: JournalEntry) async throws {
        let left = totals.timesLeft
        switch entry.content {
        case .rekey: return
        case .fields: try await previewFields(entry)
        case .insert(let documents): try await previewInsert(entry, documents)
        case .range(let range): try await previewRange(entry, range)
        case .validator(let before, let after): try await previewValidator(entry, before, after)
        case .indexes(let indexes): try await previewIndexes(entry, indexes)
        case .collection: try await previewCollection(entry)
        case .documents(let changes): try await previewDocuments(entry, changes)
        case .dropped(let options, let indexes): try await previewDrop(entry, options, indexes)
        }
        note(entry, left)
    }

    private func note(_ entry: JournalEntry, _ timesLeft: Int) {
        guard totals.timesLeft != timesLeft, let step = entry.step else { return }
        unfinished.insert(Selection(run: entry.key.run, step: step))
    }

    private func previewFields(_ entry: JournalEntry) async throws {
        if entry.filter != nil { Undo.leaveUnclear(entry, totals) }
        let changes = Undo.changes(reverting: entry)
        let current = try await data.fields(of: changes, in: entry.collection)
        var changed = 0
        var left: [BSONValue] = []
        var repeating: [BSONValue] = []
        for change in changes {
            let document = current[change.id]
            if let document, change.isAfter(document) { continue }
            guard let document, change.isBefore(document) else {
                left.append(change.id)
                continue
            }
            // The compare never holds where a field stands more than once.
            guard change.names.allSatisfy({ name in document.keys.count { $0 == name } <= 1 }) else {
                repeating.append(change.id)
                left.append(change.id)
                continue
            }
            changed += 1
            data.apply(change, in: entry.collection)
        }
        for code in [entry.code] + entry.also {
            totals.changed(code, entry.collection, changed)
            totals.left(
                code, entry.collection, repeating.count, field: changes.first?.field, reason: Run.repeatingReason,
                samples: repeating)
        }
        totals.left(
            entry.code, entry.collection, left.count, field: changes.first?.field, reason: Undo.changedSince,
            samples: left)
    }

    private func previewInsert(_ entry: JournalEntry, _ documents: [BSONDocument]) async throws {
        let wanted = Undo.documents(reverting: entry, documents)
        let found = Undo.standing(wanted, try await data.documents(Undo.ids(wanted), in: entry.collection))
        let inserted = Set(wanted)
        let untouched = found.filter(inserted.contains)
        let left = found.filter { !inserted.contains($0) }.compactMap { $0["_id"] }
        for document in untouched {
            data.replace(document["_id"] ?? .null, document, by: nil, in: entry.collection)
        }
        totals.changed(entry.code, entry.collection, untouched.count)
        totals.left(entry.code, entry.collection, left.count, reason: Undo.changedSince, samples: left)
    }

    private func previewRange(_ entry: JournalEntry, _ range: InsertedRange) async throws {
        let cursor = try await database.client.find(
            database.namespace(entry.collection), filter: range.filter,
            options: ["sort": ["_id": 1], "hint": ["_id": 1]])
        try await database.client.forEachBatch(of: cursor, maximum: Undo.mostTogether, maximumBytes: Undo.mostBytes) {
            found in
            var left: [BSONValue] = []
            for document in data.patched(found, in: entry.collection) {
                let id = document["_id"] ?? .null
                guard range.isUntouched(document) else {
                    left.append(id)
                    continue
                }
                data.replace(id, document, by: nil, in: entry.collection)
                totals.changed(entry.code, entry.collection, 1)
            }
            totals.left(entry.code, entry.collection, left.count, reason: Undo.changedSince, samples: left)
        }
    }

    private func previewDocuments(_ entry: JournalEntry, _ changes: [DocumentChange]) async throws {
        Undo.leaveUnclear(entry, totals)
        let wanted = Undo.changes(reverting: entry, changes)
        let current = try await data.documents(wanted.map(\.id), in: entry.collection)
        var left: [BSONValue] = []
        var changed = 0
        for change in wanted where current[change.id] != change.before {
            guard try Undo.isAsLeft(current[change.id], change.after) else {
                left.append(change.id)
                continue
            }
            changed += 1
            data.replace(change.id, current[change.id], by: change.before, in: entry.collection)
        }
        totals.changed(entry.code, entry.collection, changed)
        totals.left(entry.code, entry.collection, left.count, reason: Undo.changedSince, samples: left)
    }

    private func shape(of collection: String) async throws -> Shape {
        if let shape = shapes[collection] { return shape }
        let found = present[collection]
        return Shape(
            exists: found != nil, isView: found?.type == "view",
            validator: ValidatorOptions.extract(found?.options ?? [:]), collation: found?.collation,
            indexes: found?.isOrdinary == true
                ? try await database.client.listIndexes(database.namespace(collection)) : [])
    }

    private func previewValidator(_ entry: JournalEntry, _ before: BSONDocument, _ after: BSONDocument) async throws {
        var shape = try await shape(of: entry.collection)
        if ValidatorOptions.completed(shape.validator) == ValidatorOptions.completed(before) { return }
        guard shape.validator == after else {
            return totals.left(entry.code, entry.collection, 1, reason: Undo.changedSince)
        }
        shape.validator = ValidatorOptions.completed(before)
        shapes[entry.collection] = shape
        totals.changed(entry.code, entry.collection, 1)
    }

    private func previewIndexes(_ entry: JournalEntry, _ indexes: [BSONDocument]) async throws {
        var shape = try await shape(of: entry.collection)
        for index in indexes {
            guard let name = index["name"]?.string,
                let position = shape.indexes.firstIndex(where: { $0["name"]?.string == name })
            else { continue }
            guard Undo.isMade(shape.indexes[position], of: index, collation: shape.collation) else {
                totals.left(entry.code, entry.collection, 1, reason: Undo.changedSince)
                continue
            }
            shape.indexes.remove(at: position)
            totals.changed(entry.code, entry.collection, 1)
        }
        shapes[entry.collection] = shape
    }

    private func previewCollection(_ entry: JournalEntry) async throws {
        var shape = try await shape(of: entry.collection)
        guard shape.exists else { return }
        let holdsDocuments = shape.isView ? false : try await data.holdsDocuments(entry.collection)
        guard !holdsDocuments else {
            return totals.left(entry.code, entry.collection, 1, reason: Undo.holdsDocuments)
        }
        (shape.exists, shape.indexes, shape.validator) = (false, [], [:])
        shapes[entry.collection] = shape
        totals.changed(entry.code, entry.collection, 1)
    }

    private func previewDrop(_ entry: JournalEntry, _ options: BSONDocument, _ indexes: [BSONDocument]) async throws {
        var shape = try await shape(of: entry.collection)
        if !shape.exists, indexes.isEmpty {
            shape.validator = ValidatorOptions.extract(options)
            totals.changed(entry.code, entry.collection, 1)
        }
        shape.exists = true
        let names = Set(shape.indexes.compactMap { $0["name"]?.string })
        shape.indexes += indexes.filter { !names.contains($0["name"]?.string ?? "") }
        shapes[entry.collection] = shape
    }

    private func previewMoves(_ entries: [JournalEntry]) async throws {
        let looks = try await UndoLooks(database: database, source: source, data: data).look(entries, present)
        var ready: [JournalKey] = []
        // Of several documents that had the same _id the first takes it.
        var taken: Set<BSONValue> = []
        for look in looks {
            let left = totals.timesLeft
            let (entry, move) = (look.entry, look.move)
            switch look.verdict {
            case .alreadyUndone: continue
            case .blocked(let reason):
                totals.left(entry.code, entry.collection, 1, field: "_id", reason: reason, samples: [move.newID])
            case .ready where !taken.insert(move.oldID).inserted:
                totals.left(
                    entry.code, entry.collection, 1, field: "_id", reason: UndoLooks.isTaken, samples: [move.newID])
            case .ready:
                ready.append(entry.key)
                totals.changed(entry.code, entry.collection, 1)
                data.replace(move.newID, move.copy, by: nil, in: entry.collection)
                data.replace(move.oldID, nil, by: move.image, in: entry.collection)
            }
            note(entry, left)
        }
        for start in stride(from: 0, to: ready.count, by: Run.parentsTogether) {
            let part = Array(ready[start..<min(start + Run.parentsTogether, ready.count)])
            try await database.forEachChildren(of: part) { children in
                for group in children {
                    let changes = group.changes.map(\.reversed)
                    let current = try await data.fields(of: changes, in: group.collection)
                    let pending = changes.filter { !(current[$0.id].map($0.isAfter) ?? false) }
                    for change in pending { data.apply(change, in: group.collection) }
                    totals.changed("references", group.collection, pending.count)
                }
            }
        }
    }
}

extension Database {
    /// Counts entries of the journal.
    fileprivate func countEntries(_ filter: BSONDocument) async throws -> Int {
        let counted = try await aggregateAll(
            StateCollection.journal, [["$match": .document(filter)], ["$count": "n"]])
        return Int(counted.first?["n"]?.integer ?? 0)
    }
}
