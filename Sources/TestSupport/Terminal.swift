internal import Foundation
internal import Subprocess

/// A real terminal: a pane of `tmux`, in which the tool is run, and which is looked at as a person would.
package final class Terminal: Sendable {
    private let server: SupervisedProcess
    private let socket: String
    /// How many columns it has.
    package let columns: Int

    private static let rows = 200

    private init(server: SupervisedProcess, socket: String, columns: Int) {
        (self.server, self.socket, self.columns) = (server, socket, columns)
    }

    /// Runs the tool in a terminal of its own, and lends that to a closure.
    ///
    /// - Parameters:
    ///   - arguments: What follows the program's name.
    ///   - columns: The terminal's width.
    ///   - environment: Variables beyond `PATH`, `HOME`, `TERM` and `LC_ALL`, or instead of them.
    ///   - redirection: Where the shell sends something of it, such as `2>errors`.
    ///   - body: Looks, and types. The tool is killed when it returns.
    package static func run<R>(
        _ arguments: [String], columns: Int = 80, environment: [String: String] = [:],
        redirection: String = "", _ body: (Terminal) async throws -> R
    ) async throws -> R {
        let folder = try TestServer.makeFolder()
        let home = folder + "/home"
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        let socket = folder + "/tmux"
        let server = try await SupervisedProcess(["tmux", "-D", "-u", "-S", socket, "-f", "/dev/null"], folder: folder)
        let terminal = Terminal(server: server, socket: socket, columns: columns)
        do {
            try await waitUntil("a terminal at \(socket)") { FileManager.default.fileExists(atPath: socket) }
            try await terminal.start(arguments, home, environment, redirection)
            let result = try await body(terminal)
            try await server.end()
            return result
        } catch {
            let screen = (try? await terminal.screen().joined(separator: "\n")) ?? ""
            try await server.end()
            throw TestSupportError("\(error)\nThe terminal showed:\n\(screen)")
        }
    }

    private func start(
        _ arguments: [String], _ home: String, _ environment: [String: String], _ redirection: String
    ) async throws {
        let own = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": home]
        var variables = own.merging(["TERM": "screen-256color", "LC_ALL": "C.UTF-8"]) { $1 }
        variables.merge(environment) { $1 }
        let command = [try ToolProgram.path()] + arguments
        let words =
            ["env", "-i"] + variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } + command
        // Ctrl-C reaches the shell, too.
        let line =
            "trap : INT; cd \(Self.quoted(home)); \(words.map(Self.quoted).joined(separator: " ")) \(redirection); echo \"exit=$?\"; stty -a; cat"
        // The socket is there a moment before anybody listens at it.
        try await waitUntil("an answer at \(socket)") {
            (try? await tmux("set-option", "-g", "remain-on-exit", "on")) != nil
        }
        _ = try await tmux(
            "new-session", "-d", "-x", "\(columns)", "-y", "\(Self.rows)", "-s", "tool", "sh", "-c", line)
    }

    /// The lines that it shows, without colours, as they were printed: what the terminal broke is put together.
    package func screen() async throws -> [String] { try await lines("-J") }

    /// The lines with the terminal's own escape sequences.
    package func coloredScreen() async throws -> [String] { try await lines("-J", "-e") }

    private func lines(_ options: String...) async throws -> [String] {
        let text = try await tmux(["capture-pane", "-p", "-t", "tool"] + options)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            var line = line[...]
            while line.last == " " { line.removeLast() }
            return String(line)
        }
        while lines.last == "" { lines.removeLast() }
        return lines
    }

    /// Waits until it shows some text.
    package func wait(for text: String, within limit: Duration = .seconds(60)) async throws {
        try await waitUntil("\"\(text)\" on the terminal", within: limit) {
            try await screen().joined(separator: "\n").contains(text)
        }
    }

    /// Waits until the tool has ended.
    ///
    /// - Returns: Its exit code, and the lines that it had printed.
    package func end() async throws -> (exitCode: Int32, lines: [String]) {
        try await wait(for: "exit=", within: .seconds(120))
        let lines = try await screen()
        guard let index = lines.lastIndex(where: { $0.contains("exit=") }),
            let code = lines[index].split(separator: "=").last.flatMap({ Int32($0) })
        else { throw TestSupportError("No exit code on the terminal.") }
        return (code, Array(lines[..<index]))
    }

    /// Types some text, and Return.
    package func type(_ text: String) async throws {
        _ = try await tmux("send-keys", "-t", "tool", "-l", text)
        _ = try await tmux("send-keys", "-t", "tool", "Enter")
    }

    /// Presses a key, such as `C-c`.
    package func press(_ key: String) async throws { _ = try await tmux("send-keys", "-t", "tool", key) }

    private func tmux(_ arguments: String...) async throws -> String { try await tmux(arguments) }

    private func tmux(_ arguments: [String]) async throws -> String {
        let outcome = try await Subprocess.run(
            .name("tmux"), arguments: Arguments(["-u", "-S", socket] + arguments), output: .string(limit: 10_000_000),
            error: .string(limit: 10_000))
        guard outcome.terminationStatus.isSuccess else {
            throw TestSupportError("tmux \(arguments.first ?? ""): \(outcome.standardError)")
        }
        return outcome.standardOutput
    }

    private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: #"'\''"#) + "'" }
}
