internal import Checks
internal import Dispatch
internal import FoundationEssentials
internal import Glibc
internal import InputFiles
internal import Journal
internal import Synchronization

/// A command of the user's that is told of a result on its standard input.
struct NotifyCommand: Sendable {
    /// For the shell.
    let command: String

    /// How long it may take. It is ended then, with what it has started.
    static let limit = Duration.seconds(30)

    /// The one at work, for whoever ends this process: it mustn't go on by itself.
    private static let running = Mutex<Process?>(nil)

    /// Ends the one at work, with what it has started.
    static func endRunning() { running.withLock { $0?.kill() } }

    /// Runs it to its end, off Swift's cooperative pool.
    ///
    /// - Parameter interruption: A request to stop that comes meanwhile ends it.
    /// - Returns: What went wrong, in words; nil where it exited with 0.
    func run(_ input: [UInt8], _ interruption: Interruption) async -> String? {
        await offPool { runToEnd(input, interruption) }
    }

    /// Runs it to its end, and blocks the thread meanwhile.
    ///
    /// - Parameters:
    ///   - interruption: As for ``run(_:_:)``.
    ///   - limit: How long it may take. It is ended then.
    /// - Returns: As ``run(_:_:)``.
    func runToEnd(_ input: [UInt8], _ interruption: Interruption?, within limit: Duration = limit) -> String? {
        do throws(SystemError) {
            let process = try Self.running.withLock { running throws(SystemError) in
                let process = try Process(command)
                running = process
                return process
            }
            defer { Self.running.withLock { $0 = nil } }
            StopDeadline.after(limit) { process.kill() }
            if let interruption, interruption.reason == nil { interruption.whenRequested { _ in process.kill() } }
            // It may read late, or nothing.
            DispatchQueue.global().async { process.write(input) }
            return process.wait()
        } catch {
            return error.description
        }
    }

    private struct SystemError: Error, CustomStringConvertible {
        let number: Int32
        var description: String { "it couldn't be run: \(String(cString: strerror(number)))" }
    }

    /// The command at work, in a process group of its own.
    private final class Process: Sendable {
        private enum State {
            case running, killed, over
        }

        private let pid: pid_t
        private let input: Int32
        private let state = Mutex(State.running)

        /// Starts it. What it prints goes to standard error: standard output is for the result.
        init(_ command: String) throws(SystemError) {
            var ends: [Int32] = [0, 0]
            guard pipe(&ends) == 0 else { throw SystemError(number: errno) }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            defer { close(ends[0]) }
            input = ends[1]
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
            posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
            var attributes = posix_spawnattr_t()
            posix_spawnattr_init(&attributes)
            defer { posix_spawnattr_destroy(&attributes) }
            // A signal that is ignored here, or blocked, is an ordinary one there.
            var all = sigset_t()
            var none = sigset_t()
            sigfillset(&all)
            sigemptyset(&none)
            posix_spawnattr_setsigdefault(&attributes, &all)
            posix_spawnattr_setsigmask(&attributes, &none)
            posix_spawnattr_setpgroup(&attributes, 0)
            posix_spawnattr_setflags(
                &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
            let arguments = Self.strings(["sh", "-c", command])
            let environment = Self.strings(ProcessInfo.processInfo.environment.map { "\($0)=\($1)" })
            defer { for text in arguments + environment { free(text) } }
            var pid = pid_t()
            let failure = posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments, environment)
            self.pid = pid
            guard failure == 0 else {
                close(input)
                throw SystemError(number: failure)
            }
        }

        private static func strings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
            texts.map { strdup($0) } + [nil]
        }

        /// Writes its standard input, to the end. A command that doesn't read it is nobody's fault.
        func write(_ bytes: [UInt8]) {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(input, $0.baseAddress, $0.count) }
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno != EINTR {
                    break
                }
            }
            close(input)
        }

        /// Ends it, with what it has started, unless it is over.
        func kill() {
            state.withLock { state in
                guard state == .running else { return }
                state = .killed
                Glibc.kill(-pid, SIGKILL)
            }
        }

        /// Waits for its end.
        ///
        /// - Returns: How it ended, where that was no success.
        func wait() -> String? {
            var information = siginfo_t()
            // Its number is its own until it is reaped.
            while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
            let wasKilled = state.withLock { state in
                defer { state = .over }
                return state == .killed
            }
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            if wasKilled {
                return
                    "it was killed: it didn't end within \(NotifyCommand.limit.components.seconds) seconds, or before the check was stopped"
            }
            let signal = status & 0x7f
            if signal != 0 { return "it was ended by signal \(signal)" }
            let code = (status >> 8) & 0xff
            return code == 0 ? nil : "it exited with code \(code)"
        }
    }
}
