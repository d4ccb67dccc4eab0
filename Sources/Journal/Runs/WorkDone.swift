internal import Synchronization

/// How much of a piece of work is done, counted by whoever does a part of it, on however many connections.
///
/// What it tells only grows, and never exceeds the total.
package final class WorkDone: Sendable {
    private let what: String
    private let total: Int?
    private let report: ProgressReport
    private let state = Mutex((counted: 0, told: 0))

    /// Begins with nothing done, and says so.
    ///
    /// - Parameters:
    ///   - what: What is being done, in a few words.
    ///   - total: How much there is, or about so much; nil where that isn't known.
    ///   - report: Where progress is shown.
    package init(_ what: String, of total: Int?, _ report: @escaping ProgressReport) {
        (self.what, self.report) = (what, report)
        self.total = total.flatMap { $0 > 0 ? $0 : nil }
        report(update(0, nil))
    }

    /// So much more is done.
    package func add(_ count: Int) { tell { $0 += count } }

    /// So much is done in all.
    package func reach(_ count: Int) { tell { $0 = max($0, count) } }

    /// All of it is done, however little was counted.
    package func finish() { if let total { reach(total) } }

    /// It waits, for a reason.
    package func wait(_ reason: Sentence) { report(update(state.withLock { $0.told }, reason)) }

    private func tell(_ change: (inout Int) -> Void) {
        let told = state.withLock { state in
            change(&state.counted)
            state.told = max(state.told, min(state.counted, total ?? .max))
            return state.told
        }
        report(update(told, nil))
    }

    private func update(_ done: Int, _ waiting: Sentence?) -> ProgressUpdate {
        ProgressUpdate(what, done: done, total: total, waiting: waiting)
    }
}
