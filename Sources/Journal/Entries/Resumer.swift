package import BSON
internal import MongoDriver

/// Finishes what runs that were killed had begun: every journal entry that is still open.
package struct Resumer: Sendable {
    private let run: Run
    /// Those before it that are of the same command and haven't ended.
    private let earlier: [Run]
    private let source: any ReferenceSource

    /// Makes a resumer that works under a new run's lease. What it changes counts for the runs that wrote the entries; what
    /// it has to leave is named by the new one.
    ///
    /// - Parameter earlier: Runs under the same lease that haven't ended.
    package init(run: Run, earlier: [Run] = [], source: any ReferenceSource) {
        self.run = run
        self.earlier = earlier
        self.source = source
    }

    /// Entries that are to be finished: marked as open, whatever the mark is.
    private static let open: BSONDocument = ["open": ["$exists": true]]

    /// Whether there is anything to finish.
    ///
    /// - Throws: ``MongoError``.
    package static func isNeeded(_ database: Database) async throws -> Bool {
        try await !database.findAll(
            StateCollection.journal, filter: Self.open, options: ["limit": 1, "projection": ["_id": 1]]
        ).isEmpty
    }

    /// How many entries are open: of runs that were killed, or are at work.
    ///
    /// - Throws: ``MongoError``.
    package static func openEntries(_ database: Database) async throws -> Int {
        let counted = try await database.aggregateAll(
            StateCollection.journal, [["$match": .document(open)], ["$count": "n"]])
        return Int(counted.first?["n"]?.integer ?? 0)
    }

    /// What runs that are no longer at work have left open. Changes nothing.
    ///
    /// - Parameter interruption: Ends the waiting: whether a run is at work can take a few seconds to see.
    /// - Returns: For each collection the number of its open entries, and of some what they are about.
    /// - Throws: ``EngineError``, ``MongoError``.
    package static func left(
        _ database: Database, _ interruption: Interruption
    ) async throws -> [(count: Int, samples: [BSONDocument])] {
        guard try await isNeeded(database), try await !Lease.isAtWork(database, interruption) else { return [] }
        let groups = try await database.aggregateAll(
            StateCollection.journal,
            [
                ["$match": .document(open)], ["$sort": ["_id": 1]],
                [
                    "$group": [
                        "_id": "$collection", "n": ["$sum": 1], "run": ["$first": "$_id.r"],
                        "entry": ["$first": "$_id.n"],
                        "oldId": ["$first": "$oldId"],
                    ]
                ], ["$sort": ["_id": 1]],
            ])
        return groups.map { group in
            var sample: BSONDocument = ["collection": group["_id"] ?? .null]
            for key in ["run", "entry", "oldId"] { if let value = group[key] { sample.append(key, value) } }
            return (Int(group["n"]?.integer ?? 0), [sample])
        }
    }

    /// Finishes every open entry, oldest first.
    ///
    /// - Returns: The runs that had left some, with the number of their open entries.
    /// - Throws: ``EngineError``, ``MongoError``.
    package func resume() async throws -> [(run: ObjectID, entries: Int)] {
        let present = try await run.database.collections()
        if present[StateCollection.runs] != nil { try await LateWrites(run: run, earlier: earlier).wait() }
        var entries: [JournalEntry] = []
        if present[StateCollection.journal] != nil, try await Self.isNeeded(run.database) {
            entries = try await takeOver()
        }
        var resumed: [(ObjectID, Int)] = []
        for (id, group) in Dictionary(grouping: entries, by: \.key.run).sorted(by: { $0.key < $1.key }) {
            try await finish(group, of: id)
            resumed.append((id, group.count))
        }
        if present[StateCollection.runs] != nil {
            let unfinished = try await closeRecords()
            if unfinished || !entries.isEmpty { run.circumstances.followsUnfinished = true }
        }
        return resumed
    }

    /// Takes over what earlier runs have left open, and reads it.
    ///
    /// - Throws: ``EngineError/leaseLost`` where some belongs to a later holder of the lease; ``StateError`` where some
    ///   can't be read, or belongs to nobody: to pass over an entry would be to lose what it speaks of.
    private func takeOver() async throws -> [JournalEntry] {
        try await run.confirmLease()
        try await run.claimOpenEntries()
        let documents = try await run.database.findAll(
            StateCollection.journal, filter: Self.open, options: ["sort": ["_id": 1]])
        var entries: [JournalEntry] = []
        for document in documents {
            let entry = try JournalEntry(reading: document)
            let fields = StateFields(StateCollection.journal, document)
            guard try fields.read("open", .flag) == true else { throw fields.fault("open", "true, or absent") }
            if let token = run.gate.token {
                let standing = try fields.require("token", .token)
                guard standing <= token else {
                    try await run.confirmLease()
                    throw fields.fault("token", "that of a run which has had the lease")
                }
                // Written just now by a run that had the lease before: it finds so, and gives the entry up.
                guard standing == token else { continue }
            }
            entries.append(entry)
        }
        return entries
    }

    private func finish(_ entries: [JournalEntry], of id: ObjectID) async throws {
        let last = try await run.database.findAll(
            StateCollection.journal, filter: ["_id.r": .objectID(id)],
            options: ["sort": ["_id": -1], "limit": 1, "projection": ["_id": 1]])
        let key: JournalKey? = try last.first.map { try StateFields(StateCollection.journal, $0).require("_id", .key) }
        let next = (key?.number ?? 0) + 1
        // What this run itself had begun, before the connection broke, it goes on with under its own numbers.
        let own = (earlier + [run]).first { $0.id == id }
        let old = own ?? Run(resuming: id, nextNumber: next, by: run)
        let isUndo = try await !run.database.findAll(
            StateCollection.runs, filter: ["_id": .objectID(id), "undoes": ["$exists": true]], options: ["limit": 1]
        ).isEmpty
        for entry in entries { old.counts.recount(entry.key) }
        let step = old.totals.step
        defer { old.totals.step = step }
        for (step, group) in Dictionary(grouping: entries, by: \.step) {
            old.totals.step = step
            // References that were on their way first: a document's move then finds them where they belong.
            for entry in group { try await finish(entry, old, isUndo: isUndo) }
            try await finishMoves(group, old)
        }
    }

    /// Whoever holds the lease runs alone: what else calls itself running was killed.
    ///
    /// - Returns: Whether there was any.
    private func closeRecords() async throws -> Bool {
        let own = BSONArray((earlier + [run]).map { .objectID($0.id) })
        let result = try await run.writer.bulkWrite(
            run.database.namespace(StateCollection.runs),
            [
                .updateMany(
                    filter: ["_id": ["$nin": .array(own), "$type": "objectId"], "state": "running"],
                    update: ["$set": ["state": "killed", "finishedAt": WallClock.now]])
            ])
        return result.matched > 0
    }

    private func finishMoves(_ entries: [JournalEntry], _ old: Run) async throws {
        let moves = entries.compactMap { entry -> Rekeyer.Item? in
            guard case .rekey(let move) = entry.content else { return nil }
            return Rekeyer.Item(entry: entry, move: move, isResumed: true)
        }
        for (collection, group) in Dictionary(grouping: moves, by: \.entry.collection) {
            for (isUndo, items) in Dictionary(grouping: group, by: { $0.move.undoes != nil }) {
                let source: any ReferenceSource = isUndo ? UndoReferenceSource(run: old) : self.source
                let rekeyer = Rekeyer(run: old, source: source, isUndo: isUndo)
                for item in try await rekeyer.moveByStates(items) {
                    guard let reason = item.leftover else { continue }
                    run.totals.left(
                        item.entry.code, collection, 1, field: "_id", reason: reason, samples: [item.move.oldID])
                }
            }
        }
    }

    private func finish(_ entry: JournalEntry, _ old: Run, isUndo: Bool) async throws {
        switch entry.content {
        case .rekey: return
        case .fields where entry.filter != nil:
            try await old.execute(setting: entry, isResumed: true)
        case .fields where entry.isOnce && !mayRepeat(entry): try await closeOnce(entry, old)
        case .fields: try await old.execute([entry], bypassesValidation: isUndo)
        case .insert(let documents):
            do {
                try await old.execute(insertion: entry, documents, isResumed: true)
            } catch let error as MongoError where error.isRefusal && error.kind != .unauthorized {
                run.totals.left(entry.code, entry.collection, 1, reason: "its place was taken: \(error.message)")
            }
        case .range(let range): try await old.close(range: entry, range)
        case .validator(let before, let after):
            guard try await exists(entry.collection) else { return try await old.setState(.abandoned, of: [entry]) }
            try await attempt(entry, old) {
                guard try await old.validatorOptions(of: entry.collection) == before else { return }
                try await run.changeCatalog(CatalogCommand.collMod(entry.collection, after))
            }
        case .indexes(let indexes):
            try await attempt(entry, old, changes: indexes.count) {
                try await run.changeCatalog(CatalogCommand.createIndexes(entry.collection, indexes))
            }
        case .collection:
            let exists = try await exists(entry.collection)
            if exists { old.counts.count(entry, 1) }
            try await old.setState(exists ? .done : .abandoned, of: [entry])
        case .documents(let changes):
            // What isn't known then is named by whoever ends the step that the entry belongs to.
            do {
                _ = try await old.execute(documents: entry, changes, isResumed: true)
            } catch let error as MongoError where error.isRefusal && error.kind != .unauthorized {
                // Noted in the entry; the step that it belongs to tries again.
                run.totals.left(
                    entry.code, entry.collection, 1, reason: "the server refuses the change: \(error.message)")
            }
        // Never open: it is written with the command that it speaks of.
        case .dropped: try await old.setState(.done, of: [entry])
        }
    }

    /// Whether nobody else wrote when an entry was made, and nobody does now.
    private func mayRepeat(_ entry: JournalEntry) -> Bool {
        entry.isOffline && (run.circumstances.isOffline || entry.key.run == run.id)
    }

    /// Whether a collection is there, as the server says now.
    private func exists(_ collection: String) async throws -> Bool {
        try await run.database.client.listCollections(run.database.name)[collection] != nil
    }

    /// Closes an entry whose changes mustn't be sent again. What an undo had put back by then another one leaves alone.
    private func closeOnce(_ entry: JournalEntry, _ old: Run) async throws {
        let unchanged = Set(try await old.closeOnce(entry))
        guard let undone = entry.undoes else { return }
        let record = try await run.database.findAll(StateCollection.runs, filter: ["_id": .objectID(entry.key.run)])
        guard let original = record.first?["undoes"]?.objectID else { return }
        try await run.release(
            JournalKey(run: original, number: undone),
            entry.fieldChanges.map(\.id).filter { !unchanged.contains($0) })
    }

    /// Changes the catalogue as an entry says. What the server refuses now is given up and reported: one entry must not
    /// stand in the way of every later run.
    private func attempt(
        _ entry: JournalEntry, _ old: Run, changes: Int = 1, _ change: () async throws -> Void
    ) async throws {
        do {
            try await change()
            old.counts.count(entry, changes)
            try await old.setState(.done, of: [entry])
        } catch let error as MongoError where error.isRefusal && error.kind != .unauthorized {
            try await old.setState(.abandoned, of: [entry])
            run.totals.left(
                entry.code, entry.collection, 1,
                reason: "begun by run \(entry.key.run.hex), and can't be finished: \(error.message)")
        }
    }
}

extension Rekeyer.Item {
    /// What has to be told of a move that a killed run had begun.
    fileprivate var leftover: Sentence? {
        switch outcome {
        case .refused(let reason): Sentence(reason)
        case .conflict: Rekeyer.changedTwice
        default: remark.map { Sentence($0) }
        }
    }
}
