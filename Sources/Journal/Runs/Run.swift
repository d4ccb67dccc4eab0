public import BSON
package import MongoDriver
internal import Synchronization

/// One invocation that changes the database: everything it writes goes through here, journal first.
///
/// Its record in `chat_admin.runs` is written with the first journal entry, so that a run that finds nothing to do
/// leaves no trace.
///
/// ```swift
/// let change = FieldChange(id: 7, before: ["status": "new"], after: ["status": "open"])
/// try await context.run.apply([change], in: "orders", code: "status")
/// ```
///
/// ## Topics
/// - ``apply(_:in:code:also:)``
/// - ``insert(_:into:code:)``
/// - ``createIndexes(_:on:)``
/// - ``setValidator(_:on:)``
/// - ``createCollection(_:)``
/// - ``leave(_:in:count:reason:samples:)``
/// - ``checkpoint()``
public final class Run: Sendable {
    /// What all workers of a run have in common.
    final class Shared: Sendable {
        let state: Mutex<State>
        let totals = Totals()

        init(_ state: State) { self.state = Mutex(state) }
    }

    struct State {
        var hasRecord: Bool
        var nextNumber: Int64
        var step: Int64?
        var annotations: BSONDocument = [:]
        var isUninterruptible = false
        var isUnjournalled = false
        var isCutShort = false
        var followsUnfinished = false
        /// Entries whose changes are counted and whose end isn't written down yet.
        var counted: Set<JournalKey> = []
        /// Commands of steps that count as one change each, and are counted: the step, and the command's number.
        var countedCommands: Set<[Int64]> = []
        /// How many entries have come to their end.
        var closed: Int64 = 0
        /// What is changed and left by each step that was begun.
        var stepTotals: [Int64: StepTotals] = [:]
        /// What the run did, for its record.
        var operations: [OperationRecord] = []
    }

    /// The run's id, which its journal entries carry.
    public let id: ObjectID
    /// The database that it changes.
    public let database: Database
    /// What it changed, and what it left.
    package var totals: Totals { shared.totals }
    /// The request to stop, if one was made.
    package let interruption: Interruption
    /// Where it shows how far it has come.
    public let progress: ProgressReport
    /// What makes it wait between two batches.
    package let throttle: Throttle
    let lease: Lease?
    /// Knows which references follow a moved document, and tells it from another one.
    let source: any ReferenceSource
    private let description: RunDescription
    let shared: Shared

    /// Prepares a run. Nothing is written yet.
    ///
    /// - Parameters:
    ///   - database: The database to change.
    ///   - description: Who runs what.
    ///   - lease: The right to change it, checked before every batch.
    ///   - interruption: The request to stop.
    ///   - source: Knows which references follow a moved document, and tells it from another one.
    ///   - throttle: What makes it wait between two batches.
    ///   - progress: Where progress is shown.
    package init(
        database: Database, description: RunDescription, lease: Lease?, interruption: Interruption,
        source: any ReferenceSource = NoReferences(), throttle: Throttle = Throttle(),
        progress: @escaping ProgressReport
    ) {
        id = .now()
        self.database = database
        self.description = description
        self.lease = lease
        self.interruption = interruption
        self.source = source
        self.throttle = throttle
        self.progress = progress
        shared = Shared(State(hasRecord: false, nextNumber: 1, step: nil))
    }

    /// The same run, working through another connection.
    convenience init(_ run: Run, on database: Database) {
        self.init(run, id: run.id, on: database, sharing: run.shared)
    }

    /// Goes on writing the journal of a run that ended before its changes were complete.
    convenience init(resuming id: ObjectID, nextNumber: Int64, by run: Run) {
        let shared = Shared(State(hasRecord: true, nextNumber: nextNumber, step: nil))
        self.init(run, id: id, on: run.database, sharing: shared)
    }

    /// A run that works under another's lease, and as it does.
    private init(_ run: Run, id: ObjectID, on database: Database, sharing shared: Shared) {
        self.id = id
        self.database = database
        self.shared = shared
        description = run.description
        lease = run.lease
        interruption = run.interruption
        source = run.source
        throttle = run.throttle
        progress = run.progress
    }

    /// How far the run has come: grows with every journal entry that has come to its end.
    package var mark: Int64 { shared.state.withLock { $0.closed } }

    /// Counts what the run found and left as it was.
    ///
    /// - Parameters:
    ///   - code: What is wrong with it, as ``apply(_:in:code:also:)`` would call its change.
    ///   - collection: The collection.
    ///   - count: The number of documents.
    ///   - reason: Why it was left.
    ///   - samples: The `_id`s of some.
    public func leave(
        _ code: String, in collection: String, count: Int, reason: Sentence, samples: [BSONValue] = []
    ) {
        totals.left(code, collection, count, reason: reason, samples: samples)
    }

    /// Counts an entry's changes, once: finishing it again after a failure finds them counted.
    package func count(_ entry: JournalEntry, _ changed: Int) {
        guard shared.state.withLock({ $0.counted.insert(entry.key).inserted }) else { return }
        for code in [entry.code] + entry.also { totals.changed(code, entry.collection, changed) }
    }

    /// Counts a command of the step's file as one change, once: a run that goes on after a failure may come by it again.
    package func count(command number: Int64, _ code: String, _ collection: String) {
        let isNew = shared.state.withLock { $0.countedCommands.insert([$0.step ?? 0, number]).inserted }
        if isNew { totals.changed(code, collection, 1) }
    }

    /// Forgets entries whose end is written down: they won't be finished again.
    func forget(_ keys: [JournalKey]) {
        shared.state.withLock { state in
            state.counted.subtract(keys)
            state.closed += Int64(keys.count)
        }
    }

    /// Whether the run has written anything yet.
    package var hasRecord: Bool { shared.state.withLock { $0.hasRecord } }

    /// The step that the next journal entries belong to.
    package var step: Int64? {
        get { shared.state.withLock { $0.step } }
        set {
            shared.state.withLock { $0.step = newValue }
            totals.step = newValue
        }
    }

    /// Whether it did something that the journal can't undo.
    package var isUnjournalled: Bool {
        get { shared.state.withLock { $0.isUnjournalled } }
        set { shared.state.withLock { $0.isUnjournalled = newValue } }
    }

    /// Whether a run before it hadn't come to its end: killed, or restored from a dump that was taken meanwhile.
    package internal(set) var followsUnfinished: Bool {
        get { shared.state.withLock { $0.followsUnfinished } }
        set { shared.state.withLock { $0.followsUnfinished = newValue } }
    }

    /// Whether its time was over before its end.
    package internal(set) var isCutShort: Bool {
        get { shared.state.withLock { $0.isCutShort } }
        set { shared.state.withLock { $0.isCutShort = newValue } }
    }

    /// The boundary between two batches: the place where a run stops when it must.
    ///
    /// - Throws: ``EngineError/interrupted(_:)`` or ``EngineError/leaseLost``.
    public func checkpoint() throws(EngineError) {
        if !shared.state.withLock({ $0.isUninterruptible }) { try interruption.check() }
        try lease?.check()
    }

    /// The same boundary where there may be reason to wait: a pause, or members of a replica set that lag behind.
    ///
    /// - Throws: ``EngineError``, `MongoError`.
    public func breathe() async throws {
        try checkpoint()
        guard !shared.state.withLock({ $0.isUninterruptible }) else { return }
        try await throttle.wait(self)
    }

    /// Waits, ready to stop.
    ///
    /// - Parameter each: Told every tenth of a second how much longer it is.
    /// - Throws: as ``checkpoint()``.
    package func pause(for duration: Duration, each: (Duration) -> Void = { _ in }) async throws {
        let end = ContinuousClock.now + duration
        while true {
            let rest = end - ContinuousClock.now
            guard rest > .zero else { return }
            try checkpoint()
            each(rest)
            try await Task.sleep(for: min(rest, .milliseconds(100)))
        }
    }

    /// Finishes what must not be left half done: a request to stop is honoured after it, the lease at every step of it.
    func uninterrupted<R>(_ body: () async throws -> R) async throws -> R {
        shared.state.withLock { $0.isUninterruptible = true }
        defer { shared.state.withLock { $0.isUninterruptible = false } }
        return try await body()
    }

    /// The connection for the next write. Every write of a run goes through here, so that a run that has lost its lease
    /// writes nothing more, whatever it was in the middle of.
    package var writer: MongoClient {
        get throws(EngineError) {
            try lease?.check()
            return database.client
        }
    }

    /// What tells this run's lease from every other one; nil without a lease.
    package var token: Int64? { lease?.token }

    /// Asks the server whether the lease is still this run's.
    ///
    /// - Throws: ``EngineError/leaseLost``, ``MongoError``.
    package func confirmLease() async throws { try await lease?.confirm(database.client) }

    /// The same boundary within a transaction, where a takeover of the lease and the writes exclude each other.
    package func confirmLease(_ session: ClientSession) async throws {
        try await lease?.confirm(database.client, session)
    }

    /// Writes the end of the run into its record.
    ///
    /// - Parameter error: Why it failed, or nil.
    /// - Throws: ``MongoError``.
    package func finish(error: (any Error)? = nil) async throws {
        guard hasRecord else { return }
        let outcome: String =
            switch error {
            case nil: "done"
            case .some(EngineError.interrupted): "interrupted"
            case .some: "failed"
            }
        var fields: BSONDocument = [
            "state": .string(outcome), "finishedAt": WallClock.now,
            "changes": .array(BSONArray(totals.changes.map(\.bson))),
            "left": .array(worded(totals.leftovers)),
            "operations": .array(BSONArray(shared.state.withLock { $0.operations }.map { .document($0.document) })),
        ]
        if let error { fields.append("error", .string(words(error))) }
        try await updateRecord(["$set": .document(fields)])
    }

    /// An error as records keep it: without secrets, and of bounded length, for a server repeats what it refuses.
    package func words(_ error: any Error) -> String {
        Redaction.redact(Sentence(of: error).text(description.words)).excerpt(maximumCharacters: 4000)
    }

    /// What was left, as records keep it.
    package func worded(_ leftovers: [Leftover]) -> BSONArray {
        BSONArray(leftovers.map { $0.bson(description.words) })
    }

    /// Adds a field to the run's record, such as which run it undoes; the record may still be to be written.
    package func annotate(_ key: String, _ value: BSONValue) async throws {
        shared.state.withLock { $0.annotations[key] = value }
        if hasRecord { try await updateRecord(["$set": .document([key: value])]) }
    }

    /// What ``annotate(_:_:)`` has added under a key.
    package func note(_ key: String) -> BSONValue? { shared.state.withLock { $0.annotations[key] } }

    /// Takes a note out of the records of all runs.
    ///
    /// - Throws: ``EngineError``, `MongoError`.
    package func forgetNote(_ key: String) async throws {
        shared.state.withLock { $0.annotations[key] = nil }
        try await writer.bulkWrite(
            database.namespace(StateCollection.runs),
            [
                .updateMany(
                    filter: BSONDocument([(key, .document(["$exists": true]))]),
                    update: ["$unset": .document([key: ""])])
            ])
    }

    private func updateRecord(_ update: BSONDocument) async throws {
        try await writer.bulkWrite(
            database.namespace(StateCollection.runs),
            [.updateOne(filter: ["_id": .objectID(id)], update: update)])
    }

    /// Makes the state collections and the run's record, once.
    ///
    /// The lease is confirmed after the record is durable: whoever makes a lease anew, where somebody has dropped it, then
    /// finds this one's token, and takes a larger one.
    ///
    /// - Throws: ``EngineError/leaseLost``, ``MongoError``.
    package func begin() async throws {
        guard !hasRecord else { return }
        try await StateCollection.prepare(self)
        var record: BSONDocument = ["_id": .objectID(id), "state": "running", "startedAt": WallClock.now]
        if let token { record.append("token", .int64(token)) }
        for element in description.document.rawElements { record.append(raw: element) }
        for element in shared.state.withLock({ $0.annotations }).rawElements { record.append(raw: element) }
        record.append(
            "server",
            [
                "version": .string(database.server.version), "topology": .string(database.server.topology.rawValue),
                "connection": .string(database.client.connectionString.description),
            ])
        do {
            try await writer.bulkWrite(database.namespace(StateCollection.runs), [.insert(record)])
        } catch let error as MongoError where error.kind == .duplicateKey {
            // Written by an attempt whose answer was lost; or somebody has made another field of the records unique.
            let found = try await database.findAll(StateCollection.runs, filter: ["_id": .objectID(id)])
            guard !found.isEmpty else { throw StateError(StateCollection.runs, .server(error.message)) }
        }
        do {
            try await confirmLease()
        } catch EngineError.leaseLost {
            // It has done nothing. Where the record can't be taken away, the next run closes it.
            _ = try? await database.client.bulkWrite(
                database.namespace(StateCollection.runs), [.deleteOne(filter: ["_id": .objectID(id)])])
            throw EngineError.leaseLost
        }
        shared.state.withLock { $0.hasRecord = true }
    }

    /// Names the next entries of the journal.
    func takeNumbers(_ count: Int) -> [JournalKey] {
        shared.state.withLock { state in
            defer { state.nextNumber += Int64(count) }
            return (0..<Int64(count)).map { JournalKey(run: id, number: state.nextNumber + $0) }
        }
    }
}
