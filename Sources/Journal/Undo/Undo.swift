package import BSON
internal import MongoDriver

/// Undoes what earlier runs did, newest change first, by compare-and-set: what has changed since is reported and
/// left alone.
package struct Undo: Sendable {
    let run: Run

    /// Makes an undo that is itself a recorded run.
    package init(run: Run) { self.run = run }

    /// So many entries, and so many bytes of them, are worked on together: an entry may hold a thousand changes, and memory
    /// stays flat.
    static let (mostTogether, mostBytes) = (1_000, 1 << 20)

    /// Undoes a run's changes.
    ///
    /// - Parameters:
    ///   - id: The run.
    ///   - step: Only the changes of this step of a migration; nil for all.
    /// - Throws: ``EngineError/notFound(_:)`` when there is no such run; ``EngineError``, ``MongoError``.
    package func revert(run id: ObjectID, step: Int64? = nil) async throws {
        let runs = try await run.database.findAll(StateCollection.runs, filter: ["_id": .objectID(id)])
        guard !runs.isEmpty else {
            throw EngineError.notFound("There is no run \(id.hex) in this database. \(EngineAdvice.listRuns).")
        }
        if let refusal = try await Self.refusal(of: runs[0], run.database) {
            throw EngineError.refused(refusal)
        }
        try await Self.check(run.database, run: id, isFinished: true)
        // One that didn't come to its end may still be alive, and go on with an entry that is undone here.
        if runs[0]["state"] != "done" { try await run.claim([Self.filter(id, step)]) }
        try await run.record.note("undoes", .objectID(id), run)
        try await LateReferences(run: run).announce(id)
        let total = try await Self.recorded(run.database, Self.filter(id, step)).reduce(0) { $0 + $1.changed }
        let earlier = run.totals.totalChanged
        let cursor = try await Self.entries(run.database, Self.filter(id, step))
        try await run.database.client.forEachBatch(
            of: cursor, maximum: Self.mostTogether, maximumBytes: Self.mostBytes
        ) { documents in
            for group in Self.groups(try documents.map(JournalEntry.init(reading:))) {
                try run.checkpoint()
                try await revert(group)
                let done = min(run.totals.totalChanged - earlier, total)
                run.progress(ProgressUpdate("changes", done: done, total: total))
            }
        }
        try await LateReferences(run: run).follow(run.id)
    }

    /// Reads entries in the order in which they are undone.
    static func entries(_ database: Database, _ filter: BSONDocument) async throws -> MongoCursor {
        try await database.client.find(
            database.namespace(StateCollection.journal), filter: filter,
            options: ["sort": ["_id": -1], "batchSize": Run.firstReply])
    }

    /// Parts entries into neighbours of one kind and collection.
    static func groups(_ entries: [JournalEntry]) -> [[JournalEntry]] {
        var groups: [[JournalEntry]] = []
        var rest = entries[...]
        while let first = rest.first {
            groups.append(
                Array(rest.prefix { $0.content.kind == first.content.kind && $0.collection == first.collection }))
            rest = rest.dropFirst(groups[groups.count - 1].count)
        }
        return groups
    }

    /// Makes sure that a run can be undone.
    ///
    /// - Throws: ``EngineError/refused(_:)``, ``StateError``, `MongoError`.
    static func checkUndoable(_ database: Database, run id: ObjectID) async throws {
        let record = try await database.findAll(StateCollection.runs, filter: ["_id": .objectID(id)]).first ?? [:]
        if let refusal = try await refusal(of: record, database) { throw EngineError.refused(refusal) }
        try await check(database, run: id, isFinished: false)
    }

    /// Why a run can't be undone, if it can't: what undid something is itself undone by doing it again.
    private static func refusal(of record: BSONDocument, _ database: Database) async throws -> Sentence? {
        guard let undone = try StateFields(StateCollection.runs, record).read("undoes", .objectID) else { return nil }
        let original = try await database.findAll(StateCollection.runs, filter: ["_id": .objectID(undone)]).first
        let command = original?["command"]?.string ?? "the command"
        return "This run undid run \(undone.hex). Run `\(command)` again, as it was run then, to repeat its changes."
    }

    /// What a run changed that isn't undone, by what the journal says.
    ///
    /// - Parameters:
    ///   - database: The database.
    ///   - id: The run.
    ///   - step: Only the changes of this step of a migration; nil for all.
    /// - Throws: ``EngineError/refused(_:)``, ``StateError``, `MongoError`.
    package static func recorded(_ database: Database, run id: ObjectID, step: Int64? = nil) async throws -> [Change] {
        try await checkUndoable(database, run: id)
        return try await recorded(database, filter(id, step))
    }

    /// - Parameter filter: Matches the entries that are undone, without what followed a document.
    private static func recorded(_ database: Database, _ filter: BSONDocument) async throws -> [Change] {
        try await changes(database, filter.removing("parent"), documentsOfEntry)
    }

    /// Makes sure that a run's entries are as this tool writes them, as far as they are chosen by: one that isn't would be
    /// passed over, and the undo look whole.
    ///
    /// - Parameter isFinished: Whether what was left open has been finished by now, or is marked as open.
    private static func check(_ database: Database, run id: ObjectID, isFinished: Bool) async throws {
        func isOther(_ name: String, than types: BSONArray) -> BSONValue {
            .document([name: ["$exists": true, "$not": ["$type": .array(types)]]])
        }
        func isNone(_ name: String, of words: [String]) -> BSONValue {
            .document([name: ["$nin": .array(BSONArray(words.map { .string($0) }))]])
        }
        let states = JournalEntry.State.allCases
        var faults: [BSONValue] = [
            isNone("state", of: states.map(\.rawValue)), isNone("kind", of: JournalEntry.kinds),
            isOther("parent", than: ["int", "long"]), isOther("step", than: ["int", "long"]),
            isOther("undone", than: ["objectId"]),
        ]
        if isFinished {
            let isLost = isNone("state", of: states.filter(\.isFinal).map(\.rawValue))
            faults.append(["$and": [isLost, ["open": ["$ne": true]]]])
        }
        var filter: BSONDocument = ["_id": filter(id, nil)["_id"] ?? .null]
        filter.append("$or", .array(BSONArray(faults)))
        let found = try await database.findAll(StateCollection.journal, filter: filter, options: ["limit": 1])
        guard let document = found.first else { return }
        _ = try JournalEntry(reading: document)
        throw StateFields(StateCollection.journal, document).fault(
            "state", "that of an entry which has come to its end, though it isn't marked as open")
    }

    /// Counts what entries of the journal changed, by code and collection.
    ///
    /// - Parameter documents: The number of documents that an entry changed, as the server counts them.
    private static func changes(
        _ database: Database, _ filter: BSONDocument, _ documents: BSONValue
    ) async throws -> [Change] {
        let groups = try await database.aggregateAll(
            StateCollection.journal,
            [
                ["$match": .document(filter)],
                [
                    "$project": [
                        "collection": 1, "n": documents,
                        "code": ["$concatArrays": [["$code"], ["$ifNull": ["$also", []]]]],
                    ]
                ],
                ["$unwind": "$code"],
                ["$group": ["_id": ["code": "$code", "collection": "$collection"], "n": ["$sum": "$n"]]],
                ["$sort": ["_id.collection": 1, "_id.code": 1]],
            ])
        return groups.map { group in
            Change(
                code: group.value(at: "_id", "code")?.string ?? "",
                collection: group.value(at: "_id", "collection")?.string ?? "",
                changed: Int(group["n"]?.integer ?? 0))
        }.filter { $0.changed > 0 }
    }

    /// Whether the journal says that a run changed anything in a step, or may have.
    package static func hasEffect(_ database: Database, run id: ObjectID, step: Int64) async throws -> Bool {
        var filter = filter(id, step)
        for key in ["undone", "parent", "state"] { filter[key] = nil }
        filter.append("state", ["$ne": .string(JournalEntry.State.abandoned.rawValue)])
        // Documents of which it isn't known count as changed.
        let changed: BSONValue = ["$gt": [size("items"), size("again")]]
        let tells: BSONValue = ["$or": [["$eq": ["$kind", "documents"]], ["$gt": ["$filter", .null]]]]
        filter.append("$expr", ["$cond": [tells, changed, ["$gt": [documentsOfEntry, 0]]]])
        return try await !database.findAll(
            StateCollection.journal, filter: filter, options: ["limit": 1, "projection": ["_id": 1]]
        ).isEmpty
    }

    /// Whether a run changed something, and all of it was undone.
    static func isComplete(_ database: Database, run id: ObjectID) async throws -> Bool {
        let one: BSONDocument = ["limit": 1, "projection": ["_id": 1]]
        var undone = filter(id, nil)
        undone["undone"] = ["$exists": true]
        let some = try await database.findAll(StateCollection.journal, filter: undone, options: one)
        let rest = try await database.findAll(StateCollection.journal, filter: filter(id, nil), options: one)
        return !some.isEmpty && rest.isEmpty
    }

    /// What a run changed in a step, as it counted it itself: from the journal, for it was killed.
    ///
    /// - Parameter first: The first command and statement to count.
    package static func counted(
        _ database: Database, run id: ObjectID, step: Int64, from first: Int64
    ) async throws -> [Change] {
        var filter = filter(id, step)
        filter.append("position", ["$gte": .int64(first)])
        // Images of a collection that a command of the server changes; that command counts itself.
        filter.append("code", ["$ne": "drop"])
        let changed: BSONValue = [
            "$subtract": [["$add": [size("items.after"), size("items.absent")]], size("missed")]
        ]
        return try await changes(
            database, filter, ["$cond": [["$eq": ["$kind", "documents"]], changed, documentsOfEntry]])
    }

    /// The length of a list of an entry, which may have none, as the server counts it.
    package static func size(_ field: String) -> BSONValue { ["$size": ["$ifNull": [.string("$" + field), []]]] }

    /// The number of documents that an entry changed, as the server counts them.
    private static var documentsOfEntry: BSONValue {
        let fields: BSONValue = ["$subtract": [size("items"), ["$add": [size("items.same"), size("missed")]]]]
        let isFields: BSONValue = ["$in": ["$kind", ["fields", "documents"]]]
        let isInsert: BSONValue = ["$eq": ["$kind", "insert"]]
        // Of two documents of the same _id the second is no part of it.
        let refused: BSONValue = ["$add": [size("missed"), ["$ifNull": ["$copies", 0]]]]
        let inserted: BSONValue = ["$subtract": [size("documents"), refused]]
        let isRange: BSONValue = ["$eq": ["$kind", "range"]]
        let isIndexes: BSONValue = ["$eq": ["$kind", "indexes"]]
        // A collection that was dropped has an entry for its indexes, and one for itself.
        let dropped: BSONValue = ["$cond": [["$gt": [size("indexes"), 0]], 0, 1]]
        let others: BSONValue = ["$cond": [isIndexes, size("indexes"), dropped]]
        let made: BSONValue = ["$cond": [isRange, "$count", ["$cond": [isInsert, inserted, others]]]]
        return ["$cond": [isFields, fields, made]]
    }

    /// The entries to undo, references that followed a document excepted: they go back with it.
    package static func filter(_ id: ObjectID, _ step: Int64?) -> BSONDocument {
        var filter: BSONDocument = [
            "_id": JournalKey.all(of: id),
            "undone": ["$exists": false], "parent": ["$exists": false], "state": "done",
        ]
        if let step { filter.append("step", .int64(step)) }
        return filter
    }

    /// Undoes neighbouring entries of one kind and collection, in the order given; moved documents go back together.
    private func revert(_ group: [JournalEntry]) async throws {
        if case .rekey? = group.first?.content { return try await UndoMoves(run: run).revert(group) }
        for entry in group { try await revert(entry) }
    }

    private func revert(_ entry: JournalEntry) async throws {
        let left = run.totals.timesLeft
        switch entry.content {
        case .rekey: return
        case .fields: try await revertFields(entry)
        case .insert(let documents): try await revertInsert(entry, documents)
        case .range(let range): try await revertRange(entry, range)
        case .validator(let before, let after): try await revertValidator(entry, before, after)
        case .indexes(let indexes): try await revertIndexes(entry, indexes)
        case .collection: try await revertCollection(entry)
        case .documents(let changes): try await revertDocuments(entry, changes)
        case .dropped(let options, let indexes): try await revertDrop(entry, options, indexes)
        }
        if run.totals.timesLeft == left {
            try await run.markUndone([entry.key])
        } else {
            try await run.markLeft([entry.key])
        }
    }

    private func revertFields(_ entry: JournalEntry) async throws {
        let changes = Self.changes(reverting: entry)
        if entry.filter != nil { Self.leaveUnclear(entry, run.totals) }
        let unapplied = Set(try await run.unapplied(changes, in: entry.collection))
        let pending = changes.filter { unapplied.contains($0.id) }
        let left =
            entry.isOnce
            ? try await run.applyOnce(
                pending, in: entry.collection, code: entry.code, also: entry.also, undoing: entry.key.number
            ).all
            : try await run.apply(
                pending, in: entry.collection, code: entry.code, also: entry.also, bypassesValidation: true
            ).all
        if !left.isEmpty {
            let kept = Set(left)
            let restored = changes.map(\.id).filter { !kept.contains($0) }
            if entry.filter != nil {
                try await release(entry, restored)
            } else {
                try await run.release(entry.key, restored)
            }
        }
        run.totals.left(
            entry.code, entry.collection, left.count, field: changes.first?.field, reason: Undo.changedSince,
            samples: left)
    }

    /// The changes that revert an entry's.
    static func changes(reverting entry: JournalEntry) -> [FieldChange] {
        let missed = Set(entry.missed)
        return entry.fieldChanges.filter { !missed.contains($0.id) }.map(\.reversed)
    }

    static let changedSince: Sentence = "changed since; left as it is"
}

extension Run {
    /// Takes documents that went back out of an entry's hands: another undo must not touch them, whoever sets them later.
    func release(_ key: JournalKey, _ ids: [BSONValue]) async throws {
        let each: BSONValue = ["$each": .array(BSONArray(ids))]
        try await amend(key, ["$addToSet": ["missed": each, "restored": each]])
    }

    /// Marks entries of which this undo had to leave something: they stay for another undo of the same run, and older runs
    /// can be undone all the same.
    func markLeft(_ keys: [JournalKey]) async throws {
        guard !keys.isEmpty else { return }
        try await mark(keys, ["$set": ["left": .objectID(id)]])
    }

    /// Marks entries as undone by this run.
    func markUndone(_ keys: [JournalKey]) async throws {
        guard !keys.isEmpty else { return }
        try await mark(keys, ["$set": ["undone": .objectID(id)]])
    }

    private func mark(_ keys: [JournalKey], _ update: BSONDocument) async throws {
        // What followed a document went back with it.
        let children = Dictionary(grouping: keys, by: \.run).map { run, keys in
            WriteModel.updateMany(
                filter: [
                    "_id.r": .objectID(run), "parent": ["$in": .array(BSONArray(keys.map { .int64($0.number) }))],
                ], update: update)
        }
        try await writer.bulkWrite(
            journal,
            [.updateMany(filter: ["_id": ["$in": .array(BSONArray(keys.map(\.value)))]], update: update)] + children)
    }
}
