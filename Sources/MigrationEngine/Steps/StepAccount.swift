internal import BSON
internal import Synchronization

/// What the present attempt at a step has changed and left, and how long it has taken: by the run at work, and by the
/// runs before it, of which each was stopped or killed.
struct StepAccount: Sendable {
    /// What was changed, and what was left.
    struct Balance: Sendable {
        var changes: [Change] = []
        var leftovers: [Leftover] = []
    }

    private let step: Int64
    /// What the runs before this one changed.
    private let earlier: [Change]
    private let earlierMS: Int64
    /// What this run had changed when it came to the step.
    private let before: [Change]
    private let start = ContinuousClock.now
    /// What the commands in front of the step's checkpoint have done.
    fileprivate(set) var settled: Balance

    /// Opens the account when a run begins the step first.
    ///
    /// - Parameters:
    ///   - step: The step's version.
    ///   - earlier: What the runs before this one did; of what they left, what this run doesn't look at again.
    ///   - settled: What the commands in front of the step's checkpoint have done.
    ///   - earlierMS: How long they took, in milliseconds.
    ///   - tally: The run's own.
    init(_ step: Int64, _ earlier: Balance, settled: Balance, earlierMS: Int64, _ tally: Tally) {
        self.step = step
        self.earlier = earlier.changes
        self.earlierMS = earlierMS
        self.settled = settled
        before = tally.changes
        for left in earlier.leftovers { tally.left(left) }
    }

    /// How long this run has been at the step.
    var duration: Duration { ContinuousClock.now - start }

    /// How long all runs have been, in milliseconds.
    var durationMS: Int64 { earlierMS + duration.milliseconds }

    /// What all runs have done.
    func balance(_ tally: Tally) -> Balance {
        let sum = Tally()
        sum.changed(earlier + tally.changes)
        for change in before { sum.changed(change.code, change.collection, -change.changed) }
        return Balance(
            changes: sum.changes.filter { $0.changed > 0 },
            leftovers: tally.leftovers(of: step))
    }
}

extension Run {
    /// The account of a step, opened when the run begins the step first, and however often it begins it again.
    func account(of step: Int64, opening open: () async throws -> StepAccount) async throws -> StepAccount {
        if let account = shared.state.withLock({ $0.accounts[step] }) { return account }
        let account = try await open()
        shared.state.withLock { $0.accounts[step] = account }
        return account
    }

    /// What the commands in front of the step's checkpoint have done.
    func settledBalance(of step: Int64) -> StepAccount.Balance {
        shared.state.withLock { $0.accounts[step]?.settled ?? StepAccount.Balance() }
    }

    /// Takes what was done by now as done by commands that aren't looked at again.
    func settleBalance(of step: Int64) {
        let tally = tally
        tally.keepLeftovers()
        shared.state.withLock { state in
            guard var account = state.accounts[step] else { return }
            account.settled = account.balance(tally)
            // What isn't known is in the journal.
            account.settled.leftovers.removeAll { $0.reason == Self.unknownOutcome }
            state.accounts[step] = account
        }
    }
}

extension Ledger {
    /// Opens the account of a step that a run is about to begin, or to go on with.
    ///
    /// - Parameters:
    ///   - step: The step's version.
    ///   - row: What the ledger knows of the step.
    ///   - direction: Whether it is about to be applied or taken back.
    ///   - isOwnDown: Whether it is taken back by its own means.
    ///   - run: The run.
    func openAccount(
        of step: Int64, _ row: LedgerRow?, _ direction: MigrationDirection, isOwnDown: Bool, _ run: Run
    ) async throws -> StepAccount {
        guard let row, row.isHalfDone else {
            return StepAccount(step, StepAccount.Balance(), settled: StepAccount.Balance(), earlierMS: 0, run.tally)
        }
        let earlierMS = row.accounted == nil ? 0 : row.durationMS ?? 0
        var earlier = StepAccount.Balance()
        guard direction == .up || isOwnDown, let checkpoint = row.checkpoint.flatMap(StepCheckpoint.init) else {
            if direction == .up { earlier.changes = try await changesWithoutCheckpoint(row, run) }
            return StepAccount(step, earlier, settled: StepAccount.Balance(), earlierMS: earlierMS, run.tally)
        }
        let tally = Tally()
        tally.changed(checkpoint.balance.changes)
        // The command at the checkpoint, as far as it came.
        let first = CommandPlace.numbers(ofCommand: checkpoint.position).lowerBound
        for id in row.attempt where id != run.id {
            tally.changed(try await Undo.counted(database, run: id, step: row.version, from: first))
        }
        earlier.changes = tally.changes
        earlier.leftovers = checkpoint.balance.leftovers
        return StepAccount(step, earlier, settled: checkpoint.balance, earlierMS: earlierMS, run.tally)
    }

    /// Of runs that were stopped the row says it, of those that were killed, and where a part was taken back, the journal.
    private func changesWithoutCheckpoint(_ row: LedgerRow, _ run: Run) async throws -> [Change] {
        let known = row.state == .reverting ? nil : row.accounted.flatMap { row.attempt.firstIndex(of: $0) }
        let tally = Tally()
        if known != nil { tally.changed(row.changes) }
        for id in row.attempt.dropFirst(known.map { $0 + 1 } ?? 0) where id != run.id {
            tally.changed(try await Undo.plan(database, run: id, step: row.version))
        }
        return tally.changes
    }
}
