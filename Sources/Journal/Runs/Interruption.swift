internal import Synchronization

/// Why a run stops before its end.
public enum StopReason: Hashable, Sendable {
    /// A signal of this number asked it to.
    case signal(Int32)
    /// The time that it was given is over.
    case timeIsUp
    /// The task that it works in was cancelled.
    case cancelled
}

extension Duration {
    /// Waits so long, ready to stop.
    ///
    /// - Parameters:
    ///   - check: Asked every tenth of a second; ends the waiting by throwing.
    ///   - each: Told as often how much longer it is.
    package func wait(checking check: () throws -> Void, each: (Duration) -> Void) async throws {
        let end = ContinuousClock.now + self
        while true {
            let rest = end - ContinuousClock.now
            guard rest > .zero else { return }
            try check()
            each(rest)
            try await Task.sleep(for: min(rest, .milliseconds(100)))
        }
    }
}

/// A request to stop, honoured at the next batch boundary; so is the cancelling of the task that asks for it.
package final class Interruption: Sendable {
    private struct State {
        var reason: StopReason?
        var observers: [@Sendable (StopReason) -> Void] = []
    }

    private let state = Mutex(State())

    /// No request yet.
    package init() {}

    /// Asks the run to stop. The first reason counts.
    package func request(_ reason: StopReason) {
        let observers = state.withLock { state -> [@Sendable (StopReason) -> Void] in
            guard state.reason == nil else { return [] }
            state.reason = reason
            return state.observers
        }
        for observer in observers { observer(reason) }
    }

    /// Why a stop was asked for, if it was.
    package var reason: StopReason? { state.withLock { $0.reason } }

    /// Calls a closure when a stop is asked for, from whichever thread does.
    package func whenRequested(_ observer: @escaping @Sendable (StopReason) -> Void) {
        state.withLock { $0.observers.append(observer) }
    }

    /// - Throws: ``EngineError/interrupted(_:)`` once a stop was asked for, or the calling task was cancelled.
    package func check() throws(EngineError) {
        if let reason { throw .interrupted(reason) }
        if Task.isCancelled { throw .interrupted(.cancelled) }
    }
}
