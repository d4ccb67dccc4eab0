internal import ArgumentParser
internal import Sandbox
internal import Synchronization
internal import UnixSignals

/// What a sandbox command works with.
struct SandboxSession: Sendable {
    let console: Console
    let sandboxes: Sandboxes
    /// The program that signals are passed on to.
    let child = SandboxChild()

    /// Runs a command: ends forgotten sandboxes first, prints errors as sentences and ends with the exit code that they mean.
    ///
    /// - Throws: `ExitCode`.
    static func run(
        _ name: String, _ options: PlainOptions, _ body: @escaping @Sendable (SandboxSession) async throws -> Int32
    ) async throws {
        let console = Console(isQuiet: options.quiet, noColor: options.noColor)
        let session = SandboxSession(console: console, sandboxes: Sandboxes())
        let stopped = Mutex<Int32?>(nil)
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        let work = Task {
            for swept in try await session.sandboxes.sweep() { console.remark(Self.words(swept)) }
            return try await body(session)
        }
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

    private static func words(_ swept: Sandboxes.Swept) -> String {
        switch swept {
        case .forgotten(let name): "The sandbox \(name) was forgotten, and is ended now."
        case .halfRestored(let name):
            "Restoring the sandbox \(name) was cut short: it is stopped, and has the data that it had. "
                + "\(PlainText.tied("`chat-admin sandbox restore \(name) SNAPSHOT`")) has it go on."
        }
    }
}

/// The program that a command runs just now, if any.
final class SandboxChild: Sendable {
    private struct Running {
        let process: ChildProcess
        let answers: Bool
    }

    private let running = Mutex<Running?>(nil)

    /// From now on signals are for this program, too.
    ///
    /// - Parameter answers: Whether its end is the command's: then the command does nothing else about a signal.
    func set(_ child: ChildProcess, answers: Bool = true) {
        running.withLock { $0 = Running(process: child, answers: answers) }
        // A signal that came before there was a program.
        if Task.isCancelled { child.send(SandboxTerminal.termination) }
    }

    /// The program has ended.
    func clear() { running.withLock { $0 = nil } }

    /// Passes a signal on; a terminal has sent its own to the program already.
    ///
    /// - Returns: Whether the program answers for the command.
    func pass(_ signal: Int32) -> Bool {
        running.withLock { running in
            guard let running else { return false }
            if !(signal == SandboxTerminal.interrupt && SandboxTerminal.isForeground) { running.process.send(signal) }
            return running.answers
        }
    }
}
