internal import Synchronization

/// A request to stop, made by a signal and honoured at the next batch boundary.
public final class Interruption: Sendable {
    private let signal = Mutex<Int32?>(nil)

    /// No request yet.
    public init() {}

    /// Asks the run to stop; `signal` decides the exit code.
    public func request(signal number: Int32) { signal.withLock { $0 = $0 ?? number } }

    /// The signal that asked, if one did.
    public var requestedSignal: Int32? { signal.withLock { $0 } }

    /// - Throws: ``EngineError/interrupted(signal:)`` once a stop was asked for.
    public func check() throws(EngineError) {
        if let number = requestedSignal { throw .interrupted(signal: number) }
    }
}
