internal import Synchronization

/// What is out of the ordinary about a run.
package final class RunCircumstances: Sendable {
    private struct State {
        var followsUnfinished = false
        var isCutShort = false
    }

    private let state = Mutex(State())

    /// Whether nobody else writes meanwhile, as whoever began the run says.
    package let isOffline: Bool

    init(isOffline: Bool = false) { self.isOffline = isOffline }

    /// Whether a run before it hadn't come to its end: killed, or restored from a dump that was taken meanwhile.
    package internal(set) var followsUnfinished: Bool {
        get { state.withLock { $0.followsUnfinished } }
        set { state.withLock { $0.followsUnfinished = newValue } }
    }

    /// Whether its time was over before its end.
    package internal(set) var isCutShort: Bool {
        get { state.withLock { $0.isCutShort } }
        set { state.withLock { $0.isCutShort = newValue } }
    }
}
