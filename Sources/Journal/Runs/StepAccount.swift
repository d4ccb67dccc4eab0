internal import BSON
internal import Synchronization

/// What the present attempt at a step has changed and left, and how long it has taken: by the run at work, and by the
/// runs before it, of which each was stopped or killed.
package struct StepAccount: Sendable {
    /// What was changed, and what was left.
    package struct Balance: Sendable {
        package var changes: [Change] = []
        package var leftovers: [Leftover] = []

        package init(changes: [Change] = [], leftovers: [Leftover] = []) {
            self.changes = changes
            self.leftovers = leftovers
        }
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
    package init(_ step: Int64, _ earlier: Balance, settled: Balance, earlierMS: Int64, _ tally: Tally) {
        self.step = step
        self.earlier = earlier.changes
        self.earlierMS = earlierMS
        self.settled = settled
        before = tally.changes
        for left in earlier.leftovers { tally.left(left) }
    }

    /// How long this run has been at the step.
    package var duration: Duration { ContinuousClock.now - start }

    /// How long all runs have been, in milliseconds.
    package var durationMS: Int64 { earlierMS + duration.milliseconds }

    /// What all runs have done.
    package func balance(_ tally: Tally) -> Balance {
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
    package func account(of step: Int64, opening open: () async throws -> StepAccount) async throws -> StepAccount {
        if let account = shared.state.withLock({ $0.accounts[step] }) { return account }
        let account = try await open()
        shared.state.withLock { $0.accounts[step] = account }
        return account
    }

    /// What the commands in front of the step's checkpoint have done.
    package func settledBalance(of step: Int64) -> StepAccount.Balance {
        shared.state.withLock { $0.accounts[step]?.settled ?? StepAccount.Balance() }
    }

    /// Takes what was done by now as done by commands that aren't looked at again.
    package func settleBalance(of step: Int64) {
        let tally = tally
        tally.keepLeftovers()
        shared.state.withLock { state in
            guard var account = state.accounts[step] else { return }
            account.settled = account.balance(tally)
            // What isn't known is in the journal.
            account.settled.leftovers.removeAll(where: \.isInJournal)
            state.accounts[step] = account
        }
    }
}
