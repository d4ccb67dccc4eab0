package import BSON
internal import MongoDriver
internal import Synchronization

extension Run {
    /// The largest number of bytes of documents in one entry, but for one that is larger alone. An entry is in memory several
    /// times while it is written: as documents, as a command, and as what is sent.
    package static let documentsPerEntryBytes = 1 << 20

    /// The first reply to a question for whole documents has so many: nobody knows yet how large they are.
    package static let firstReply = BSONValue.int32(2)

    /// Counts as left what nobody can tell of; the journal's entry says so too.
    package func leaveUnknown(_ code: String, _ collection: String, _ ids: some Collection<BSONValue>) {
        totals.leftUnknown(code, collection, ids)
    }

    /// The server takes documents of 16 MiB; an entry holds a document before and after, and a little more.
    package static let largestEntryBytes = 15 << 20

    /// Cuts changes into batches that fit one journal entry each.
    package static func batches(_ changes: [DocumentChange]) -> [[DocumentChange]] {
        batches(changes, maximumBytes: 2 * documentsPerEntryBytes) { $0.journalledBytes }
    }

    /// Cuts documents into batches that fit one journal entry each.
    package static func batches(_ documents: [BSONDocument]) -> [[BSONDocument]] {
        batches(documents, maximumBytes: documentsPerEntryBytes) { $0.byteCount }
    }

    /// Cuts changes of fields into batches that fit one journal entry each.
    package static func batches(_ changes: [FieldChange]) -> [[FieldChange]] {
        batches(changes, maximumBytes: documentsPerEntryBytes) { $0.before.byteCount + $0.after.byteCount + 64 }
    }

    /// One that is larger alone has a batch of its own.
    private static func batches<Item>(
        _ items: [Item], maximumBytes: Int, _ size: (Item) -> Int
    ) -> [[Item]] {
        var batches: [[Item]] = []
        var bytes = 0
        for item in items {
            if let last = batches.last, bytes + size(item) <= maximumBytes, last.count < batchSize {
                batches[batches.count - 1].append(item)
                bytes += size(item)
            } else {
                batches.append([item])
                bytes = size(item)
            }
        }
        return batches
    }

    /// Replaces or deletes whole documents by compare-and-set, journalled.
    ///
    /// - Parameters:
    ///   - changes: What to change: a batch that fits one journal entry.
    ///   - collection: The documents' collection.
    ///   - code: What is done, for the counts.
    ///   - position: Which command of a step's file it belongs to.
    ///   - settings: Whether somebody else writes, and how many connections work at once.
    /// - Returns: The `_id`s of documents that had changed meanwhile, and weren't changed.
    /// - Throws: ``EngineError``, `MongoError`: also the server's refusal to change one of the documents.
    package func apply(
        documents changes: [DocumentChange], in collection: String, code: String, _ position: JournalPosition,
        _ settings: RepairSettings
    ) async throws -> [BSONValue] {
        guard !changes.isEmpty else { return [] }
        var entries = makeEntries([(collection, code, .documents(changes), nil)])
        entries[0].note(position)
        try await append(entries)
        return try await make(changes, of: entries[0], settings)
    }

    /// Makes an entry that held images alone one of changes, and makes them.
    package func carryOut(
        _ entry: JournalEntry, _ changes: [DocumentChange], _ settings: RepairSettings
    ) async throws -> [BSONValue] {
        let items = BSONArray(changes.map { .document($0.document) })
        let imageState = entry.state
        var entry = entry
        entry.state = .planned
        var fields: BSONDocument = ["items": .array(items), "state": .string(entry.state.rawValue), "open": true]
        if let token = gate.token { fields.append("token", .int64(token)) }
        // Nobody else has made anything of it.
        var known: BSONDocument = [
            "_id": entry.key.value, "state": .string(imageState.rawValue), "open": ["$exists": false],
        ]
        if let token = gate.token { known.append("token", .int64(token)) }
        let result = try await writer.bulkWrite(
            journal, [.updateOne(filter: known, update: ["$set": .document(fields)])])
        guard result.matched == 1 else { throw EngineError.leaseLost }
        try await confirmLease()
        return try await make(changes, of: entry, settings)
    }

    /// Makes the changes of an open entry for the first time: all at once where nobody else writes, or else one by one.
    private func make(
        _ changes: [DocumentChange], of entry: JournalEntry, _ settings: RepairSettings
    ) async throws -> [BSONValue] {
        let planned = changes.filter(\.isPlanned)
        guard !settings.offline, !planned.isEmpty else { return try await execute(documents: entry, changes) }
        let (missed, error) = try await changeSingly(planned, in: entry.collection, workers: settings.workers)
        try await close(entry, missed: missed, unknown: [], changed: planned.count - missed.count)
        if let error { throw error }
        return missed
    }

    /// Makes the changes of an entry that is in the journal, all at once; doing it twice does no harm.
    ///
    /// The server tells how many it made, not which. Where some are missing the documents are looked at.
    ///
    /// - Parameter isResumed: An earlier attempt may have made them, and others may have changed the documents since.
    /// - Returns: The `_id`s of documents that certainly weren't changed.
    func execute(
        documents entry: JournalEntry, _ changes: [DocumentChange], isResumed: Bool = false
    ) async throws -> [BSONValue] {
        let planned = changes.filter(\.isPlanned)
        let writes = planned.compactMap { change in change.write.map { (id: change.id, write: $0) } }
        let result = try await writer.bulkWriteCollectingErrors(
            database.namespace(entry.collection), writes.map(\.write), collation: ExactMatch.collation)
        var missed: [BSONValue] = []
        var unknown: [BSONValue] = []
        let shortfall = planned.count - result.matched - result.removed
        if shortfall > 0 {
            let current = try await documents(planned.map(\.id), in: entry.collection)
            let others = planned.filter { !$0.isAfter(current[$0.id]) }
            let isCertain = !isResumed && others.count == shortfall
            // Those, before or now, were as they were when the server refused to change them.
            let refused = Set(entry.again + result.writeErrors.map { writes[$0.index].id })
            for change in others {
                switch isCertain || refused.contains(change.id) ? false : change.isPart(of: current[change.id]) {
                case true?: continue
                case false?: missed.append(change.id)
                case nil: unknown.append(change.id)
                }
            }
        }
        try await close(entry, missed: missed, unknown: unknown, changed: planned.count - missed.count - unknown.count)
        if let error = result.writeErrors.first {
            throw MongoError(MongoError.kind(ofServerCode: error.code), error.message, code: error.code)
        }
        return missed
    }

    /// Makes changes one by one, several at a time, so that the server tells of each whether it was made.
    private func changeSingly(
        _ changes: [DocumentChange], in collection: String, workers: Int
    ) async throws -> (missed: [BSONValue], refusal: MongoError?) {
        let queue = Mutex(changes[...])
        let outcome = Mutex((missed: [BSONValue](), refusal: MongoError?.none))
        try await inWorkers(min(workers, changes.count)) { _ in
            queue.withLock { $0.popFirst() }
        } each: { run, change in
            guard let write = change.write else { return }
            // Many writes follow one entry: whoever undoes it must not have them behind it.
            try await run.gate.confirmAgain(run.database.client)
            do {
                let result = try await run.writer.bulkWrite(
                    run.database.namespace(collection), [write], concern: run.followed,
                    collation: ExactMatch.collation)
                if result.matched + result.removed == 0 { outcome.withLock { $0.missed.append(change.id) } }
            } catch let error as MongoError where error.isRefusal && error.kind != .unauthorized {
                outcome.withLock { outcome in
                    outcome.missed.append(change.id)
                    outcome.refusal = outcome.refusal ?? error
                }
            }
        }
        return outcome.withLock { $0 }
    }

    /// Writes the end of an entry down, with the documents that it has nothing to do with.
    func close(
        _ entry: JournalEntry, missed: [BSONValue], unknown: [BSONValue], changed: Int
    ) async throws {
        if !missed.isEmpty || !unknown.isEmpty {
            try await amend(
                open: entry,
                ["$set": ["missed": .array(BSONArray(missed + unknown)), "again": .array(BSONArray(missed))]])
        }
        counts.count(entry, changed)
        leaveUnknown(entry.code, entry.collection, unknown)
        try await setState(.done, of: [entry])
    }

    /// Reads documents by their `_id`s. A collection's collation may add others, under their own.
    package func documents(_ ids: [BSONValue], in collection: String) async throws -> [BSONValue: BSONDocument] {
        try await database.documents(ids, in: collection)
    }
}

extension Database {
    /// Reads documents by their `_id`s. A collection's collation may add others, under their own.
    func documents(_ ids: [BSONValue], in collection: String) async throws -> [BSONValue: BSONDocument] {
        let found = try await findAll(collection, filter: ["_id": ["$in": .array(BSONArray(ids))]])
        return Dictionary(found.map { ($0["_id"] ?? .null, $0) }, uniquingKeysWith: { first, _ in first })
    }
}

/// Which command of a step's file an entry of the journal belongs to.
package struct JournalPosition {
    let position: Int64
    /// Whether it is about documents again that an entry before it is about.
    let isRetry: Bool

    package init(position: Int64, isRetry: Bool) {
        self.position = position
        self.isRetry = isRetry
    }
}

extension JournalEntry {
    mutating func note(_ position: JournalPosition?) {
        self.position = position?.position
        isRetry = position?.isRetry ?? false
    }
}

extension DocumentChange {
    /// About the size of the change in the journal.
    package var journalledBytes: Int {
        var bytes = before?.byteCount ?? 0
        if case .document(let after) = after { bytes += after.byteCount }
        return bytes + 64
    }

    /// Whether it is a change that this tool makes, and not one that a command of the server made, or none.
    package var isPlanned: Bool {
        switch after {
        case .document, .absent: true
        case .digest, .unknown, .same: false
        }
    }

    /// Whether a document is as the change wanted it.
    fileprivate func isAfter(_ current: BSONDocument?) -> Bool {
        switch after {
        case .document(let after): current == after
        case .absent: current == nil
        case .digest, .unknown, .same: true
        }
    }

    /// Whether the change is in a document that others have changed too; nil where the fields that it is about don't tell.
    fileprivate func isPart(of current: BSONDocument?) -> Bool? {
        // What was to be deleted and is there wasn't.
        if case .absent = after, current != nil { return false }
        guard case .document(let after) = after, let before, let current else { return nil }
        let names = Set(before.keys + after.keys).filter { before[$0] != after[$0] }
        // Others who count in the same field may have come to the same number.
        let isCounter = { (name: String) in
            after[name]?.number != nil && (before[name].map { $0.number != nil } ?? true)
        }
        var said: Set<Bool> = []
        for name in names where !isCounter(name) {
            if current[name] == after[name] { said.insert(true) }
            if current[name] == before[name] { said.insert(false) }
        }
        // Nobody takes a counter away again.
        if names.contains(where: { isCounter($0) && before[$0] == nil && current[$0] == nil }) { said.insert(false) }
        return said.count == 1 ? said.first : nil
    }

    /// The compare-and-set that makes the change; nil where the server's own command makes it.
    fileprivate var write: WriteModel? {
        guard let before else { return nil }
        switch after {
        case .document(let after): return ExactMatch.replacing(before, by: after)
        case .absent: return .deleteOne(filter: ExactMatch.document(before))
        case .digest, .unknown, .same: return nil
        }
    }
}

extension Totals {
    /// Counts as left what nobody can tell of; the journal's entry says so too.
    func leftUnknown(_ code: String, _ collection: String, _ ids: some Collection<BSONValue>) {
        left(
            code, collection, ids.count,
            reason: "changed by somebody else at the same moment; whether the step's change is in it isn't known",
            samples: ids, isInJournal: true)
    }
}
