internal import BSON
internal import Journal
internal import MigrationEngine
internal import Synchronization

/// What a command has changed so far: told with the error when it can't go on.
final class ChangeTrail: Sendable {
    private struct State {
        var line: RunLine?
        var steps: [ChangeResult.Step] = []
    }

    private let state = Mutex(State())

    /// The steps that were worked on, in order.
    var steps: [ChangeResult.Step] { state.withLock { $0.steps } }

    /// The id of the run, if it wrote anything.
    var run: String? { recorded?.id.hex }

    /// What it changed, and what it left, so far.
    var totals: Totals? { recorded?.totals }

    private var recorded: Run? { state.withLock { $0.line?.last }.flatMap { $0.record.exists ? $0 : nil } }

    /// A run begins, which others may follow.
    func begin(_ line: RunLine) { state.withLock { $0.line = line } }

    /// A step is done.
    func append(_ result: StepResult) {
        state.withLock { $0.steps.append(ChangeResult.Step(result)) }
    }

    /// Sentences about it; nil when nothing was changed.
    func text(_ words: AdviceWords) -> String? {
        guard let run else { return nil }
        let steps = steps.map { "\($0.state) step \($0.version) (\($0.name))" }
        let done = steps.isEmpty ? "" : "Before that it had \(steps.joined(separator: ", ")). "
        let left = (totals?.leftovers ?? []).map {
            "It left \($0.count) in \($0.collection): \(words.text($0.reason)). "
        }
        return done + left.joined() + "What it did is recorded: `chat-admin runs show \(run)`."
    }
}
