package import BSON
package import MongoDriver

/// Carries a change out as a recorded run, from the lease to the record's end.
///
/// What earlier runs had begun is finished first. Where the connection breaks the run goes on, for as long as the lease
/// is its own; where it fails the failure is written down and the lease given back.
package struct RunLifecycle: Sendable {
    /// The database to change.
    package let database: Database
    /// Where the lease's own connection comes from.
    package let pool: MongoPool
    /// Knows which references follow a moved document that an earlier run had begun to move.
    package let source: any ReferenceSource
    /// The request to stop.
    package let interruption: Interruption
    /// What makes the run wait between two batches.
    package let throttle: Throttle
    /// Where progress is shown.
    package let progress: ProgressReport
    /// Says in a sentence what people should know while it goes on.
    package let remark: @Sendable (String) -> Void
    /// Told that the lease is the run's.
    package let acquired: @Sendable () -> Void

    /// A string made for an application may allow too few connections for a lease, and for workers beside it.
    package static var poolOptions: MongoPool.Options {
        var options = MongoPool.Options()
        options.maxPoolSize = 128
        return options
    }

    /// Describes how runs are carried out.
    package init(
        database: Database, pool: MongoPool, source: any ReferenceSource = NoReferences(),
        interruption: Interruption = Interruption(), throttle: Throttle = Throttle(),
        progress: @escaping ProgressReport = { _ in }, remark: @escaping @Sendable (String) -> Void = { _ in },
        acquired: @escaping @Sendable () -> Void = {}
    ) {
        self.database = database
        self.pool = pool
        self.source = source
        self.interruption = interruption
        self.throttle = throttle
        self.progress = progress
        self.remark = remark
        self.acquired = acquired
    }

    /// Whether a run has left something for the next one to finish.
    ///
    /// - Throws: `MongoError`.
    package static func isUnfinished(_ database: Database) async throws -> Bool {
        let present = try await database.collections()
        if present[StateCollection.journal] != nil, try await Resumer.isNeeded(database) { return true }
        guard present[StateCollection.runs] != nil else { return false }
        return try await !database.findAll(
            StateCollection.runs, filter: ["$or": [["state": "running"], .document(LateReferences.isStopped)]],
            options: ["limit": 1, "projection": ["_id": 1]]
        ).isEmpty
    }

    /// Carries a change out.
    ///
    /// - Parameters:
    ///   - description: Who runs what.
    ///   - wait: How long to wait for another run to end.
    ///   - offline: Whether nobody else writes meanwhile.
    ///   - body: The change. Where the connection breaks it runs again from its start, so it looks at the data, not at
    ///     what was planned.
    /// - Returns: The run, for its results.
    /// - Throws: ``EngineError``, `MongoError`, and what the body throws.
    package func perform(
        _ description: RunDescription, wait: Duration = .zero, offline: Bool = false,
        _ body: (Run) async throws -> Void
    ) async throws -> Run {
        try await perform(
            description, wait: wait, offline: offline, handedOver: { _ in }, inTurn: { try await body($0.last) })
    }

    /// Carries a change out in one run after another, under one lease.
    ///
    /// - Parameters:
    ///   - description: Who runs what.
    ///   - wait: How long to wait for another run to end.
    ///   - offline: Whether nobody else writes meanwhile.
    ///   - handedOver: Told of each run that has ended but the last.
    ///   - body: The change, as for ``perform(_:wait:offline:_:)``; what it goes on with is the last run by then.
    /// - Returns: The last run, for its results.
    /// - Throws: ``EngineError``, `MongoError`, and what the body throws.
    package func perform(
        _ description: RunDescription, wait: Duration, offline: Bool,
        handedOver: @escaping @Sendable (Run) throws -> Void,
        inTurn body: (RunLine) async throws -> Void
    ) async throws -> Run {
        try StateCollection.check(try await database.collections(), isChanged: true)
        try await confirmServer()
        let lease = try await Lease.acquire(
            pool: pool, database: database.name, owner: description.owner, wait: wait, interruption: interruption)
        acquired()
        database.forgetCatalog()
        let first = Run(
            database: database, description: description, lease: lease, interruption: interruption, source: source,
            throttle: throttle, offline: offline, progress: progress)
        let line = RunLine(first, handedOver: handedOver)
        do {
            try await persist(line, lease) {
                try await resume(line)
                try await body(line)
                // Where the server loses some of it, it is looked at again: the end tells of what stands.
                try await line.last.makeDurable()
            }
            try await persist(line, lease) { try await line.end() }
        } catch EngineError.interrupted(.timeIsUp) {
            try await close(line, lease, after: EngineError.interrupted(.timeIsUp))
            line.last.circumstances.isCutShort = true
            return line.last
        } catch {
            let error = error.asStop
            do {
                try await close(line, lease, after: error)
            } catch let second {
                remark("The end of the run couldn't be written down (\(second)).")
            }
            throw error
        }
        try await giveBack(lease)
        return line.last
    }

    /// Does a run's work, and goes on with it when the connection breaks or the server changes, for as long as the lease
    /// is this run's: what was begun is finished from the journal, then everything is looked at again.
    private func persist(_ line: RunLine, _ lease: Lease, _ work: () async throws -> Void) async throws {
        var policy = RetryPolicy()
        var isAgain = false
        while true {
            do {
                if isAgain { try await confirmServer() }
                return try await work()
            } catch {
                isAgain = true
                // Whatever comes next looks at what stands.
                await database.client.beginAnew()
                let run = line.last
                if EntryIsOpen.isCause(of: error), policy.mayRepeat() {
                    // Resuming finishes what another run has left open.
                    run.totals.beginAttempt()
                    database.forgetCatalog()
                    continue
                }
                guard let pause = policy.pause(after: error, mark: run.counts.closed) else { throw error }
                let cause = RetryPolicy.transientCause(of: error).map { "\($0)" } ?? "\(error)"
                remark("\(cause)\(cause.hasSuffix(".") ? "" : ".") Resuming as soon as a server answers.")
                try await Task.sleep(for: pause)
                try interruption.check()
                // Nothing was heard of the server for too long: that says more than the loss of the lease.
                guard lease.isHeld else { throw error }
                run.totals.beginAttempt()
                database.forgetCatalog()
            }
        }
    }

    /// Writes down that a run ended early and gives the lease back, whatever becomes of the first. Where the connection is
    /// gone neither can be done: the lease isn't renewed any more, and expires by itself.
    private func close(_ line: RunLine, _ lease: Lease, after error: any Error) async throws {
        var failure: (any Error)?
        do {
            // Whoever took the lease has closed this run's record.
            if lease.isHeld { try await line.end(error: error) }
        } catch {
            failure = error
        }
        do {
            try await giveBack(lease)
        } catch {
            failure = failure ?? error
        }
        if let failure { throw failure }
    }

    /// Gives the lease back. It isn't renewed any more whatever comes of that.
    private func giveBack(_ lease: Lease) async throws {
        do {
            try await lease.release()
        } catch let error as MongoError where error.isTransient {
            remark("The lease couldn't be given back (\(error)); it expires by itself.")
        }
    }

    /// Looks whether the server still is what it was: by that it is decided how durable writes must be.
    private func confirmServer() async throws {
        let (was, now) = (database.server.topology, try await database.client.describeServer().topology)
        guard was == now else {
            throw EngineError.serverChanged(
                "The server has become \(now.words); it was \(was.words) when this began. \(EngineAdvice.again).")
        }
    }

    private func resume(_ line: RunLine) async throws {
        let (run, earlier) = (line.last, line.earlier)
        for own in earlier + [run] { try await own.agreeWithJournal() }
        let resumed = try await Resumer(run: run, earlier: earlier, source: source).resume()
        for (id, entries) in resumed where !([run] + earlier).contains(where: { $0.id == id }) {
            remark("Finished what run \(id) had begun (\(entries) journal entries).")
        }
        try await LateReferences(run: run).resume()
        try await line.endEarlier()
    }
}

/// No reference follows any document: for databases whose documents keep their `_id`s.
package struct NoReferences: ReferenceSource {
    /// Knows nothing.
    package init() {}

    /// Hands nothing over.
    package func forEachBatch(
        following moves: [RekeyMove], _ body: ([FollowingChange]) async throws -> Void
    ) async throws {}

    /// Takes two documents of one `_id` for the same.
    package func isSameDocument(_ first: BSONDocument, _ second: BSONDocument) -> Bool { true }
}
