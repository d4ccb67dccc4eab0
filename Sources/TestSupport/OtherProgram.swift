internal import Foundation
internal import Subprocess
internal import SystemPackage

/// A program of somebody else's that judges what this one has made.
package enum OtherProgram {
    /// Runs one to its end.
    ///
    /// - Parameters:
    ///   - path: The program.
    ///   - arguments: What follows its name.
    ///   - input: Its standard input.
    /// - Returns: Its exit code, nil where a signal ended it, and what it printed.
    package static func run(
        _ path: String, _ arguments: [String], input: String = ""
    ) async throws -> (code: Int32?, output: String, errors: String) {
        let outcome = try await Subprocess.run(
            .path(FilePath(path)), arguments: Arguments(arguments), input: .string(input),
            output: .string(limit: 16 << 20), error: .string(limit: 1 << 20))
        let code: Int32? = if case .exited(let code) = outcome.terminationStatus { code } else { nil }
        return (code, outcome.standardOutput, outcome.standardError)
    }

    /// Python with the packages that the tests need.
    package static func python() throws -> String {
        try ProcessInfo.processInfo.environment["CHAT_ADMIN_PYTHON"] ?? ProjectFiles.path(".tools/venv/bin/python")
    }

    /// Prometheus's tool, which judges metrics and rules.
    package static func promtool() throws -> String {
        try ProcessInfo.processInfo.environment["CHAT_ADMIN_PROMTOOL"] ?? ProjectFiles.path(".tools/promtool/promtool")
    }

    /// What runs another program by a clock that is wrong.
    package static func faketime() throws -> String { try installed("/usr/bin/faketime") }

    /// A browser.
    package static func chromium() throws -> String { try installed("/usr/bin/chromium") }

    private static func installed(_ path: String) throws -> String {
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw TestSupportError("There is no \(path); make setup installs it.")
        }
        return path
    }
}
