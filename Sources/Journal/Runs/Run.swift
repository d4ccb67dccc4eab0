public import BSON
package import MongoDriver

/// One invocation that changes the database: everything it writes goes through here, journal first.
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
    /// The run's id, which its journal entries carry.
    public let id: ObjectID
    /// The database that it changes.
    public let database: Database
    /// Where it shows how far it has come.
    public let progress: ProgressReport
    /// Whether it may go on.
    package let gate: RunGate
    /// Its record in `chat_admin.runs`.
    package let record: RunRecorder
    /// What it changed, and what it left.
    package let totals: Totals
    /// The same of each of its steps.
    package let steps: OpenSteps
    /// What is out of the ordinary about it.
    package let circumstances: RunCircumstances
    /// Counts each journal entry's changes once.
    package let counts: ChangeCounts
    private let numbers: EntryNumbers
    /// Knows which references follow a moved document, and tells it from another one.
    let source: any ReferenceSource

    /// Prepares a run. Nothing is written yet.
    ///
    /// - Parameters:
    ///   - database: The database to change.
    ///   - description: Who runs what.
    ///   - lease: The right to change it, checked before every batch.
    ///   - interruption: The request to stop.
    ///   - source: Knows which references follow a moved document, and tells it from another one.
    ///   - throttle: What makes it wait between two batches.
    ///   - offline: Whether nobody else writes meanwhile.
    ///   - progress: Where progress is shown.
    package init(
        database: Database, description: RunDescription, lease: Lease?, interruption: Interruption,
        source: any ReferenceSource = NoReferences(), throttle: Throttle = Throttle(), offline: Bool = false,
        progress: @escaping ProgressReport
    ) {
        id = .now()
        self.database = database
        self.source = source
        self.progress = progress
        gate = RunGate(lease: lease, interruption: interruption, throttle: throttle)
        record = RunRecorder(description)
        totals = Totals()
        steps = OpenSteps(totals)
        counts = ChangeCounts(totals)
        numbers = EntryNumbers()
        circumstances = RunCircumstances(isOffline: offline)
    }

    /// The same run, working through another connection.
    init(_ run: Run, on database: Database) {
        id = run.id
        self.database = database
        source = run.source
        progress = run.progress
        gate = run.gate
        record = run.record
        totals = run.totals
        steps = run.steps
        counts = run.counts
        numbers = run.numbers
        circumstances = run.circumstances
    }

    /// A run of the same command that begins where another one is about to end, under the same lease.
    convenience init(following run: Run) {
        self.init(
            .now(), besides: run, run.record.anew(), EntryNumbers(),
            RunCircumstances(isOffline: run.circumstances.isOffline))
    }

    /// Goes on writing the journal of a run that ended before its changes were complete, under another's lease and as that
    /// does.
    convenience init(resuming id: ObjectID, nextNumber: Int64, by run: Run) {
        self.init(id, besides: run, run.record.resuming(), EntryNumbers(next: nextNumber), RunCircumstances())
    }

    /// Another run under the lease of one, which counts for itself.
    private init(
        _ id: ObjectID, besides run: Run, _ record: RunRecorder, _ numbers: EntryNumbers,
        _ circumstances: RunCircumstances
    ) {
        self.id = id
        database = run.database
        source = run.source
        progress = run.progress
        gate = run.gate
        self.record = record
        totals = Totals()
        steps = OpenSteps(totals)
        counts = ChangeCounts(totals)
        self.numbers = numbers
        self.circumstances = circumstances
    }

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

    /// The boundary between two batches: the place where a run stops when it must.
    ///
    /// - Throws: ``EngineError/interrupted(_:)`` or ``EngineError/leaseLost``.
    public func checkpoint() throws(EngineError) { try gate.check() }

    /// The same boundary where there may be reason to wait: a pause, or members of a replica set that lag behind.
    ///
    /// - Throws: ``EngineError``, `MongoError`.
    public func breathe() async throws { try await gate.breathe(self) }

    /// Waits, ready to stop.
    ///
    /// - Parameter each: Told every tenth of a second how much longer it is.
    /// - Throws: as ``checkpoint()``.
    package func pause(for duration: Duration, each: (Duration) -> Void = { _ in }) async throws {
        try await duration.wait(checking: checkpoint, each: each)
    }

    /// The connection for the next write. A run's writes go through here, so that one that has lost its lease writes nothing
    /// more. Only what withdraws its own entries, and what checks the lease itself, doesn't.
    package var writer: MongoClient {
        get throws(EngineError) {
            try gate.checkLease()
            return database.client
        }
    }

    /// For writes that build on one another: where the server keeps them in their order, none waits for the disk.
    var inOrder: WriteConcern { database.server.keepsOrder ? .inOrder : .majorityJournaled }

    /// For the changes that an entry of the journal speaks of, and for its end: where the server loses them, it loses all that
    /// came after them, too, and this run looks at everything again.
    var followed: WriteConcern { database.server.losesOnlyEnd ? .inOrder : .majorityJournaled }

    /// Does what is done through this connection, and sees to it that it stands for good, also where this run is asked to stop.
    ///
    /// - Throws: what the closure throws; as ``makeDurable()``.
    package func durably<R>(_ body: () async throws -> R) async throws -> R {
        let result: R
        do {
            result = try await body()
        } catch let error where error.isStop {
            try await makeDurable()
            throw error
        }
        try await makeDurable()
        return result
    }

    /// Waits until what was written through this connection is durable.
    ///
    /// - Throws: ``EngineError``, `MongoError`: where the connection has broken since, the server may have lost it.
    package func makeDurable() async throws {
        guard await database.client.mayLoseWrites else { return }
        try await writeNothing()
        counts.makeSure(database.client)
    }

    /// Has the server make durable all that came before: it waits after a write that changes nothing, too.
    func writeNothing() async throws {
        try await writer.bulkWrite(
            database.namespace(StateCollection.runs),
            [.updateOne(filter: ["_id": .objectID(id), "state": ""], update: ["$set": ["state": ""]])])
    }

    /// Asks the server whether the lease is still this run's.
    ///
    /// - Throws: ``EngineError/leaseLost``, ``MongoError``.
    package func confirmLease() async throws { try await gate.confirm(database.client) }

    /// Asks the same within a transaction, where a takeover of the lease and the writes exclude each other.
    package func confirmLease(_ session: ClientSession) async throws {
        try await gate.lease?.confirm(database.client, session)
    }

    /// Whether it has named any entry of the journal.
    var hasEntries: Bool { numbers.areTaken }

    /// Names the next entries of the journal.
    func takeNumbers(_ count: Int) -> [JournalKey] { numbers.take(count, run: id) }
}
