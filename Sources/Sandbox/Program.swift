internal import CSpawn
internal import Glibc
internal import InputFiles

/// Runs a program to its end, and takes what it prints.
enum Program {
    struct Answer: Sendable {
        /// What it printed, on both outputs.
        let output: String
        /// Nil where it couldn't be started, or didn't end in time.
        let ending: ChildProcess.Ending?
        /// How it went, in words.
        let words: String
    }

    /// - Parameter limit: How long it may take; then it is killed, and so it is where this task is cancelled.
    static func run(
        _ path: String, _ arguments: [String], environment: [String: String] = Environment.own, within limit: Duration
    ) async -> Answer {
        guard let file = MemoryFile() else { return Answer(output: "", ending: nil, words: "couldn't be asked") }
        let start = ChildProcess.Start(path, arguments, environment: environment, output: file.descriptor)
        let child: ChildProcess
        do {
            child = try ChildProcess(start)
        } catch {
            return Answer(output: "", ending: nil, words: "couldn't be started (\(error))")
        }
        let deadline = ContinuousClock.now + limit
        var ending = child.endingNow()
        while ending == nil, ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
            ending = child.endingNow()
        }
        if ending == nil {
            child.send(SIGKILL)
            _ = await offPool { child.waitBlocking() }
        }
        let output = String(decoding: file.bytes, as: UTF8.self)
        let stopped = Task.isCancelled ? "was interrupted" : "didn't answer in time"
        let words = ending.map { "ended with \($0.code)" } ?? stopped
        return Answer(output: output, ending: ending, words: words)
    }
}

/// A file without a name, in memory, which a child can print into.
package final class MemoryFile: Sendable {
    /// Where to print; children don't inherit it by themselves.
    package let descriptor: Int32

    /// Nil where the system has no memory, or no descriptor.
    package init?() {
        descriptor = unnamed_file()
        if descriptor < 0 { return nil }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// What was printed.
    package var bytes: [UInt8] { SmallFile.read("/proc/self/fd/\(descriptor)") ?? [] }
}
