internal import Foundation
internal import Subprocess

/// The built `chat-admin`, run as a user runs it: a process of its own in an empty folder, with a clean environment.
package enum Tool {
    /// How long a run may take unless a test says otherwise.
    package static let timeLimit = Duration.seconds(120)

    /// Runs the tool and waits for its end.
    ///
    /// - Parameters:
    ///   - arguments: What follows the program's name.
    ///   - environment: Variables beyond `PATH` and `HOME`, the only ones it gets otherwise, and `COLUMNS`, which keeps lines whole.
    ///   - input: Its standard input, which ends behind it.
    ///   - folder: Its working directory; nil gives it an empty one of its own.
    ///   - timeLimit: When to kill it.
    /// - Returns: How it ended and what it printed, whatever its exit code.
    /// - Throws: ``TestSupportError`` when it can't be run or exceeds the limit.
    package static func run(
        _ arguments: [String], environment: [String: String] = [:], input: String = "", in folder: String? = nil,
        timeLimit: Duration = timeLimit
    ) async throws -> ToolResult {
        try await start(arguments, environment: environment, input: input, in: folder, timeLimit: timeLimit) { _ in }
            .result
    }

    /// Runs the tool, and sends it a signal as soon as a condition holds.
    ///
    /// - Parameters:
    ///   - arguments: What follows the program's name.
    ///   - environment: Variables beyond `PATH` and `HOME`.
    ///   - input: Its standard input.
    ///   - signal: The signal, such as `SIGKILL`.
    ///   - condition: Returns when it is time, such as ``FailPoint/waitUntilEntered(times:within:)``. It is cancelled
    ///     when the tool ends before.
    /// - Returns: How it ended and what it printed, and whether the signal was sent.
    package static func run(
        _ arguments: [String], environment: [String: String] = [:], input: String = "", in folder: String? = nil,
        timeLimit: Duration = timeLimit, sending signal: Int32,
        when condition: @escaping @Sendable (RunningTool) async throws -> Void
    ) async throws -> (result: ToolResult, wasSent: Bool) {
        let ended = try await start(
            arguments, environment: environment, input: input, in: folder, timeLimit: timeLimit
        ) { tool in
            try await tool.send(signal, when: condition)
        }
        return (ended.result, ended.value)
    }

    /// Starts the tool, lends it to a closure, and waits for its end.
    ///
    /// - Parameters:
    ///   - arguments: What follows the program's name.
    ///   - environment: Variables beyond `PATH` and `HOME`.
    ///   - input: Its standard input.
    ///   - folder: Its working directory; nil gives it an empty one of its own.
    ///   - timeLimit: When to kill it.
    ///   - body: Runs beside the tool. When it throws, the tool is killed.
    /// - Returns: How the tool ended and what it printed, and what the closure returned.
    package static func start<R: Sendable>(
        _ arguments: [String], environment: [String: String] = [:], input: String = "", in folder: String? = nil,
        timeLimit: Duration = timeLimit, _ body: (RunningTool) async throws -> R
    ) async throws -> (result: ToolResult, value: R) {
        let program = try ToolProgram.path()
        // A check lets counts settle for ten seconds where some look wrong: only tests about that want it.
        let isCheck = arguments.first == "check" && arguments.dropFirst().first?.hasPrefix("-") ?? true
        let arguments =
            isCheck && !arguments.contains { $0 == "--settle" || $0 == "--" }
            ? arguments + ["--settle", "0"] : arguments
        let home = FileManager.default.temporaryDirectory.path + "/chat-admin-home-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: home) }
        var options = PlatformOptions()
        // A session, and so a process group, of its own: what the tool itself starts can be killed with it.
        options.createSession = true
        let launch = #"cd "$1" && shift && exec "$@""#
        let output = PrintedText()
        let errors = PrintedText()
        let outcome = try await Subprocess.run(
            .name("sh"), arguments: Arguments(["-c", launch, "sh", folder ?? home, program] + arguments),
            environment: .custom(cleanEnvironment(home, environment)), platformOptions: options,
            input: .string(input), output: .sequence, error: .sequence
        ) { execution in
            let tool = RunningTool(pid: execution.processIdentifier.value, output: output, errors: errors) {
                try? execution.send(signal: Signal(rawValue: $0), toProcessGroup: $1)
            }
            async let readOutput: Void = output.collect(execution.standardOutput)
            async let readErrors: Void = errors.collect(execution.standardError)
            let limit = tool.killed(after: timeLimit)
            defer { limit.cancel() }
            let value: R
            do {
                value = try await body(tool)
            } catch {
                tool.killGroup()
                _ = try? await (readOutput, readErrors)
                throw TestSupportError("\(error)\nThe tool was killed. It had printed:\n\(output.text)\(errors.text)")
            }
            _ = try await (readOutput, readErrors)
            return value
        }
        let result = ToolResult(ending: outcome.terminationStatus, output: output.text, errors: errors.text)
        if output.isCutShort {
            throw TestSupportError("chat-admin \(arguments.joined(separator: " ")): not within \(timeLimit)\n\(result)")
        }
        return (result, outcome.closureResult)
    }

    private static func cleanEnvironment(_ home: String, _ extra: [String: String]) -> [Environment.Key: String] {
        let own = ProcessInfo.processInfo.environment
        // Lines are broken where a test is about that.
        var environment = ["PATH": own["PATH"] ?? "/usr/bin:/bin", "HOME": home, "COLUMNS": "10000"]
        // What sanitizers are told must reach the tool too, where it is built with them.
        for (name, value) in own where name.hasSuffix("SAN_OPTIONS") { environment[name] = value }
        environment.merge(extra) { $1 }
        return Dictionary(uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0), $1) })
    }
}
