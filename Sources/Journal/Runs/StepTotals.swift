internal import BSON
internal import Synchronization

/// The changes, the leftovers and the duration of one attempt at a step, over all its runs: the one at work, and those
/// before it that were stopped or killed.
package struct StepTotals: Sendable {
    /// What was changed, and what was left.
    package struct Figures: Sendable {
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
    fileprivate(set) var closed: Figures

    /// Opens the totals when a run begins the step first.
    ///
    /// - Parameters:
    ///   - step: The step's version.
    ///   - earlier: What the runs before this one did; of what they left, what this run doesn't look at again.
    ///   - closed: What the commands in front of the step's checkpoint have done.
    ///   - earlierMS: How long they took, in milliseconds.
    ///   - totals: The run's own.
    package init(_ step: Int64, _ earlier: Figures, closed: Figures, earlierMS: Int64, _ totals: Totals) {
        self.step = step
        self.earlier = earlier.changes
        self.earlierMS = earlierMS
        self.closed = closed
        before = totals.changes
        for left in earlier.leftovers { totals.left(left) }
    }

    /// How long this run has been at the step.
    package var duration: Duration { ContinuousClock.now - start }

    /// How long all runs have been, in milliseconds.
    package var durationMS: Int64 { earlierMS + duration.milliseconds }

    /// What all runs have done.
    package func figures(_ totals: Totals) -> Figures {
        let sum = Totals()
        sum.changed(earlier + totals.changes)
        for change in before { sum.changed(change.code, change.collection, -change.changed) }
        return Figures(
            changes: sum.changes.filter { $0.changed > 0 },
            leftovers: totals.leftovers(of: step))
    }
}

/// The totals of the steps that a run has begun.
package final class OpenSteps: Sendable {
    private let totals: Totals
    private let steps = Mutex<[Int64: StepTotals]>([:])

    init(_ totals: Totals) { self.totals = totals }

    /// The totals of a step, opened once: where the run begins the step again, they go on.
    package func totals(of step: Int64, opening open: () async throws -> StepTotals) async throws -> StepTotals {
        if let standing = steps.withLock({ $0[step] }) { return standing }
        let opened = try await open()
        steps.withLock { $0[step] = opened }
        return opened
    }

    /// Has the totals of a step opened anew when the run begins it again: an earlier run has done more than was known.
    func reopenTotals(of step: Int64) { steps.withLock { $0[step] = nil } }

    /// What the commands in front of the step's checkpoint have done.
    package func closedFigures(of step: Int64) -> StepTotals.Figures {
        steps.withLock { $0[step]?.closed ?? StepTotals.Figures() }
    }

    /// Takes what was done by now as done by commands that aren't looked at again.
    package func closeFigures(of step: Int64) {
        totals.keepLeftovers()
        steps.withLock { steps in
            guard var standing = steps[step] else { return }
            standing.closed = standing.figures(totals)
            // What isn't known is in the journal.
            standing.closed.leftovers.removeAll(where: \.isInJournal)
            steps[step] = standing
        }
    }
}
