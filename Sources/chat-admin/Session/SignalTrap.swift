internal import Journal
internal import UnixSignals

/// Turns the first SIGINT or SIGTERM into a request to stop at the next batch boundary; the second ends the process at
/// once. SIGUSR1 pauses a run at the next batch boundary, SIGUSR2 lets it go on.
struct SignalTrap {
    private let task: Task<Void, Never>

    /// Starts to listen.
    init(_ interruption: Interruption, _ pause: PauseSwitch, _ console: Console) async {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sigusr1, .sigusr2)
        task = Task {
            for await signal in signals {
                if signal == .sigusr1 || signal == .sigusr2 {
                    pause.isOn = signal == .sigusr1
                    console.remark(pause.isOn ? "Pausing at the next batch boundary." : "Continuing.")
                    continue
                }
                if interruption.reason != nil {
                    StopDeadline.end(128 + signal.rawValue)
                }
                interruption.request(.signal(signal.rawValue))
                console.remark("Stopping at the next batch boundary; once more stops at once.")
            }
        }
    }

    /// Listens no longer.
    func cancel() { task.cancel() }
}
