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

    /// - Parameter limit: How long it may take; then it is killed.
    static func run(
        _ path: String, _ arguments: [String], environment: [String: String] = Environment.own, within limit: Duration
    ) async -> Answer {
        let file = unnamed_file()
        guard file >= 0 else { return Answer(output: "", ending: nil, words: "couldn't be asked") }
        defer { close(file) }
        let start = ChildProcess.Start(path, arguments, environment: environment, output: file)
        let child: ChildProcess
        do {
            child = try ChildProcess(start)
        } catch {
            return Answer(output: "", ending: nil, words: "couldn't be started (\(error))")
        }
        let deadline = ContinuousClock.now + limit
        var ending = child.endingNow()
        while ending == nil, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(5))
            ending = child.endingNow()
        }
        if ending == nil {
            child.send(SIGKILL)
            _ = await offPool { child.waitBlocking() }
        }
        let output = String(decoding: SmallFile.read("/proc/self/fd/\(file)") ?? [], as: UTF8.self)
        let words = ending.map { "ended with \($0.code)" } ?? "didn't answer in time"
        return Answer(output: output, ending: ending, words: words)
    }
}
