internal import MongoDriver
internal import Synchronization

/// Lets a run go on, or stops it: at the boundaries between its batches, and before each of its writes.
package final class RunGate: Sendable {
    let lease: Lease?
    /// The request to stop, if one was made.
    package let interruption: Interruption
    /// What makes the run wait between two batches.
    package let throttle: Throttle
    /// How many pieces of work, on several connections, must not be left half done.
    private let uninterruptible = Mutex(0)
    /// When the server was asked last whether the lease is the run's, and said so.
    private let confirmed = Mutex(ContinuousClock.now)

    /// So long an answer stands for writes that follow one another under one entry of the journal. Were it longer, a run that
    /// undoes this one could come first, and these writes after it.
    static let confirmation = Duration.milliseconds(200)

    init(lease: Lease?, interruption: Interruption, throttle: Throttle) {
        self.lease = lease
        self.interruption = interruption
        self.throttle = throttle
    }

    /// What tells the run's lease from every other one; nil without a lease.
    package var token: Int64? { lease?.token }

    /// - Throws: ``EngineError/leaseLost`` when the run may write nothing more.
    func checkLease() throws(EngineError) { try lease?.check() }

    /// Asks the server whether the lease is still the run's.
    func confirm(_ client: MongoClient) async throws {
        let asked = ContinuousClock.now
        try await lease?.confirm(client)
        confirmed.withLock { $0 = max($0, asked) }
    }

    /// The same, unless it was asked a moment ago.
    ///
    /// - Parameter moment: How long an answer stands.
    func confirmAgain(_ client: MongoClient, after moment: Duration = confirmation) async throws {
        if confirmed.withLock({ ContinuousClock.now - $0 > moment }) { try await confirm(client) }
    }

    /// The boundary between two batches: the place where a run stops when it must.
    ///
    /// - Throws: ``EngineError/interrupted(_:)`` or ``EngineError/leaseLost``.
    func check() throws(EngineError) {
        if uninterruptible.withLock({ $0 == 0 }) { try interruption.check() }
        try checkLease()
    }

    /// The same boundary where there may be reason to wait: a pause, or members of a replica set that lag behind.
    func breathe(_ run: Run) async throws {
        try check()
        guard uninterruptible.withLock({ $0 == 0 }) else { return }
        try await throttle.wait(run)
    }

    /// Finishes what must not be left half done: a request to stop is honoured after it, the lease at every step of it.
    func uninterrupted<R>(_ body: () async throws -> R) async throws -> R {
        uninterruptible.withLock { $0 += 1 }
        defer { uninterruptible.withLock { $0 -= 1 } }
        return try await body()
    }
}
