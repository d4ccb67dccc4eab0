internal import Foundation
internal import MigrationEngine
internal import UnixSignals

/// Turns the first SIGINT or SIGTERM into a request to stop at the next batch boundary; the second ends the process at
/// once.
struct SignalTrap {
    private let task: Task<Void, Never>

    /// Starts to listen.
    init(_ interruption: Interruption, _ console: Console) async {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        task = Task {
            for await signal in signals {
                if interruption.requestedSignal != nil { _exit(128 + signal.rawValue) }
                interruption.request(signal: signal.rawValue)
                console.remark("Stopping at the next batch boundary; once more stops at once.")
            }
        }
    }

    /// Listens no longer.
    func cancel() { task.cancel() }
}
