internal import CSpawn
internal import Glibc

/// A program that this process has started.
package struct ChildProcess: Sendable {
    /// Its process number.
    package let identifier: Int32

    /// How it begins.
    package struct Start: Sendable {
        /// The program's path.
        package var path: String
        /// What it is given, without its own name.
        package var arguments: [String]
        /// Its environment.
        package var environment: [String: String]
        /// Where what it prints goes; nil for where this process's own goes, with this process's input.
        package var output: Int32?
        /// Where its complaints go, where that is elsewhere.
        package var errors: Int32?
        /// Whether it lives on without this process, in a session of its own.
        package var isDetached = false
        /// Whether the kernel ends it when the thread that started it ends, by this signal.
        package var deathSignal: Int32 = 0
        /// After so many seconds the kernel ends it; 0 for never.
        package var seconds: UInt32 = 0

        /// Describes a start.
        package init(
            _ path: String, _ arguments: [String], environment: [String: String] = Environment.own, output: Int32? = nil
        ) {
            (self.path, self.arguments, self.environment, self.output) = (path, arguments, environment, output)
        }
    }

    /// How a program ended.
    package enum Ending: Sendable, Equatable {
        /// With a code.
        case exited(Int32)
        /// By a signal.
        case signaled(Int32)

        /// As shells tell it: a signal's number plus 128.
        package var code: Int32 {
            switch self {
            case .exited(let code): code
            case .signaled(let signal): 128 + signal
            }
        }
    }

    /// Starts a program.
    ///
    /// - Throws: ``Failure``.
    package init(_ start: Start) throws(Failure) {
        let nothing = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard nothing >= 0 else { throw Failure(number: errno) }
        defer { close(nothing) }
        let isQuiet = start.output != nil || start.isDetached
        var options = spawn_options()
        options.input = isQuiet ? nothing : STDIN_FILENO
        options.output = start.output ?? (start.isDetached ? nothing : STDOUT_FILENO)
        options.error = start.errors ?? start.output ?? (start.isDetached ? nothing : STDERR_FILENO)
        options.has_own_session = start.isDetached ? 1 : 0
        options.parent_death_signal = start.deathSignal
        options.seconds = start.seconds
        let child = Self.withStrings([start.path] + start.arguments) { arguments in
            Self.withStrings(start.environment.map { "\($0)=\($1)" }) { environment in
                withUnsafePointer(to: options) { spawn_child(start.path, arguments, environment, $0) }
            }
        }
        guard child > 0 else { throw Failure(number: -child) }
        identifier = child
    }

    /// Why a program couldn't be started.
    package struct Failure: Error, CustomStringConvertible, Sendable {
        /// The system's number for it.
        package let number: Int32
        /// The system's words.
        package var description: String { String(cString: strerror(number)) }
        /// Whether there is no such program.
        package var isMissing: Bool { number == ENOENT }
    }

    /// Waits until it has ended, and blocks the thread meanwhile.
    package func waitBlocking() -> Ending {
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        return Self.ending(status)
    }

    /// How it has ended; nil where it hasn't.
    package func endingNow() -> Ending? {
        var status: Int32 = 0
        return waitpid(identifier, &status, WNOHANG) == identifier ? Self.ending(status) : nil
    }

    /// Sends it a signal.
    package func send(_ signal: Int32) { kill(identifier, signal) }

    private static func ending(_ status: Int32) -> Ending {
        let signal = status & 0x7f
        return signal == 0 ? .exited(status >> 8 & 0xff) : .signaled(signal)
    }

    private static func withStrings<R>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) -> R {
        let copies = strings.map { strdup($0) } + [nil]
        defer { for copy in copies { free(copy) } }
        return copies.withUnsafeBufferPointer { buffer in
            // An array of at least one element has an address.
            buffer.baseAddress.map(body) ?? withUnsafePointer(to: nil, body)
        }
    }
}

/// What processes inherit.
package enum Environment {
    /// This process's own.
    package static var own: [String: String] {
        var all: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let sign = text.firstIndex(of: "=") {
                all[String(text[..<sign])] = String(text[text.index(after: sign)...])
            }
            next += 1
        }
        return all
    }
}
