internal import Synchronization

/// A request to stop, made by a signal and honoured at the next batch boundary.
public final class Interruption: Sendable {
    private struct State {
        var signal: Int32?
        var observers: [@Sendable (Int32) -> Void] = []
    }

    private let state = Mutex(State())

    /// No request yet.
    public init() {}

    /// Asks the run to stop; `signal` decides the exit code.
    public func request(signal number: Int32) {
        let observers = state.withLock { state -> [@Sendable (Int32) -> Void] in
            guard state.signal == nil else { return [] }
            state.signal = number
            return state.observers
        }
        for observer in observers { observer(number) }
    }

    /// The signal that asked, if one did.
    public var requestedSignal: Int32? { state.withLock { $0.signal } }

    /// Calls a closure when a stop is asked for, from whichever thread does.
    public func whenRequested(_ observer: @escaping @Sendable (Int32) -> Void) {
        state.withLock { $0.observers.append(observer) }
    }

    /// - Throws: ``EngineError/interrupted(signal:)`` once a stop was asked for.
    public func check() throws(EngineError) {
        if let number = requestedSignal { throw .interrupted(signal: number) }
    }
}
