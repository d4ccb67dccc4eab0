internal import Glibc

/// A tool that runs, lent by ``Tool/start(_:environment:input:in:timeLimit:_:)``.
package struct RunningTool: Sendable {
    /// Its process.
    package let pid: Int32
    private let printed: PrintedText
    private let complained: PrintedText
    private let sendSignal: @Sendable (_ signal: Int32, _ toGroup: Bool) -> Void

    init(
        pid: Int32, output: PrintedText, errors: PrintedText,
        sendSignal: @escaping @Sendable (_ signal: Int32, _ toGroup: Bool) -> Void
    ) {
        self.pid = pid
        printed = output
        complained = errors
        self.sendSignal = sendSignal
    }

    /// What it has printed so far on standard output.
    package var output: String { printed.text }

    /// What it has printed so far on standard error.
    package var errors: String { complained.text }

    /// Whether it hasn't ended yet.
    package var isRunning: Bool { ProcessState.isRunning(pid) }

    /// The most memory that it has had at once, in bytes; nil once it has ended.
    package var peakMemory: Int? { ProcessState.peakMemory(pid) }

    /// Sends it a signal; nothing happens when it has ended.
    package func send(_ signal: Int32) { sendSignal(signal, false) }

    /// Waits until it has printed a text on either output.
    ///
    /// - Throws: ``TestSupportError`` when it ends without.
    package func waitUntilPrinted(_ text: String, within limit: Duration = .seconds(60)) async throws {
        try await waitUntil("the tool prints '\(text)'", within: limit) {
            // Asked first: what was printed just before the end is still found.
            let isRunning = isRunning
            if output.contains(text) || errors.contains(text) { return true }
            guard isRunning else { throw TestSupportError("The tool ended without printing '\(text)'") }
            return false
        }
    }

    /// Waits until it has ended.
    package func waitUntilEnded(within limit: Duration = .seconds(60)) async throws {
        try await waitUntil("the tool ends", within: limit) { !isRunning }
    }

    /// Sends a signal when a condition holds, unless the tool ends first.
    ///
    /// - Returns: Whether the signal was sent.
    func send(
        _ signal: Int32, when condition: @escaping @Sendable (RunningTool) async throws -> Void
    ) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await condition(self)
                return true
            }
            group.addTask {
                try await waitUntil("the tool ends", within: .seconds(86_400)) { !isRunning }
                return false
            }
            let isTime = try await group.next() ?? false
            group.cancelAll()
            if isTime { send(signal) }
            return isTime
        }
    }

    func killGroup() { sendSignal(SIGKILL, true) }

    /// Kills the tool, and what it started, after a time, unless the returned task is cancelled before.
    func killed(after limit: Duration) -> Task<Void, any Error> {
        Task {
            try await Task.sleep(for: limit)
            printed.cutShort()
            killGroup()
        }
    }
}
