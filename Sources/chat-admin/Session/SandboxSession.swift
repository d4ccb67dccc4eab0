internal import ArgumentParser
internal import Sandbox
internal import Synchronization
internal import UnixSignals

/// What a sandbox command works with.
struct SandboxSession: Sendable {
    let console: Console
    let sandboxes: Sandboxes
    /// The program that signals are passed on to; nil where they end the command.
    let child = SandboxChild()

    /// Runs a command: ends forgotten sandboxes first, prints errors as sentences and ends with the exit code that they mean.
    ///
    /// - Throws: `ExitCode`.
    static func run(
        _ name: String, _ options: PlainOptions, _ body: @escaping @Sendable (SandboxSession) async throws -> Int32
    ) async throws {
        let console = Console(isQuiet: options.quiet, noColor: options.noColor)
        let session = SandboxSession(console: console, sandboxes: Sandboxes())
        let work = Task {
            for name in try await session.sandboxes.sweep() {
                console.remark("The sandbox \(name) was forgotten, and is ended now.")
            }
            return try await body(session)
        }
        let stopped = Mutex<Int32?>(nil)
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        let listening = Task {
            for await signal in signals where !session.child.pass(signal.rawValue) {
                stopped.withLock { $0 = $0 ?? signal.rawValue }
                work.cancel()
            }
        }
        defer { listening.cancel() }
        let code: Int32
        do {
            code = try await work.value
        } catch {
            if let signal = stopped.withLock({ $0 }) {
                console.remark("Interrupted; what was begun is ended.")
                throw ExitCode(128 + signal)
            }
            let status = ExitStatus(error)
            console.error("chat-admin: \(error)")
            if options.format == .json {
                try console.result(
                    json: CommandSession.ErrorResult(command: name, error: "\(error)", exitCode: status.rawValue))
            }
            throw ExitCode(status.rawValue)
        }
        if code != 0 { throw ExitCode(code) }
    }
}

/// The program that a command runs for its user, if any.
final class SandboxChild: Sendable {
    private let process = Mutex<ChildProcess?>(nil)

    /// From now on signals are for this program.
    func set(_ child: ChildProcess) { process.withLock { $0 = child } }

    /// Passes a signal on; a terminal has sent its own to the program already.
    ///
    /// - Returns: Whether there is a program.
    func pass(_ signal: Int32) -> Bool {
        process.withLock { process in
            guard let process else { return false }
            if !(signal == SandboxTerminal.interrupt && SandboxTerminal.isForeground) { process.send(signal) }
            return true
        }
    }
}
