internal import Synchronization

/// The runs of one command under one lease: as a rule one. A command that stays may hand over to another run, which begins
/// before the one before it has ended, so that there is no moment without one.
package final class RunLine: Sendable {
    private struct State {
        var last: Run
        /// Those before it that haven't ended, the oldest first.
        var earlier: [Run] = []
    }

    private let first: Run
    private let state: Mutex<State>
    private let handedOver: @Sendable (Run) throws -> Void

    /// - Parameter handedOver: Told of each run that has ended but the last.
    package init(_ first: Run, handedOver: @escaping @Sendable (Run) throws -> Void) {
        self.first = first
        state = Mutex(State(last: first))
        self.handedOver = handedOver
    }

    /// The one that is at work, or is about to be.
    package var last: Run { state.withLock { $0.last } }

    /// Those before it that haven't ended, the oldest first.
    var earlier: [Run] { state.withLock { $0.earlier } }

    /// Begins another run. What is begun in the one before it still ends there; ``endEarlier(error:)`` ends it then.
    ///
    /// - Throws: ``EngineError``, `MongoError`.
    package func begin() async throws -> Run {
        let next = Run(following: last)
        state.withLock { state in
            state.earlier.append(state.last)
            state.last = next
        }
        try await next.record.begin(next)
        return next
    }

    /// Writes down the ends of all runs but the last.
    ///
    /// - Parameter error: Why they ended early, or nil.
    /// - Throws: ``EngineError``, `MongoError`, and what the one throws who is told.
    package func endEarlier(error: (any Error)? = nil) async throws {
        while let run = earlier.first {
            try await end(run, error)
            // Whoever asked the one that was at work to pause means the work.
            if last.record.exists, try await run.gate.throttle.isPausedByRecord(run) {
                try await RunRecord.setPause(true, run.database, id: last.id)
            }
            state.withLock { _ = $0.earlier.removeFirst() }
            try handedOver(run)
        }
    }

    /// Writes down the ends of all runs.
    ///
    /// - Parameter error: Why they ended early, or nil.
    /// - Throws: as ``endEarlier(error:)``.
    package func end(error: (any Error)? = nil) async throws {
        try await endEarlier(error: error)
        try await end(last, error)
    }

    /// Writes the end of a run into its record, and no more than what the server has kept.
    private func end(_ run: Run, _ error: (any Error)?) async throws {
        try await run.agreeWithJournal()
        // A run that finds nothing to do leaves no trace, though it was there in time.
        if run !== first && !run.hasEntries { return try await run.record.withdraw(run) }
        try await run.record.finish(run, error: error)
    }
}
