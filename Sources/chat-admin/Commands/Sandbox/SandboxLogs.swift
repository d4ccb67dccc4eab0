internal import ArgumentParser
internal import Sandbox

/// Shows a sandbox's log.
struct SandboxLogs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Print what the servers of a sandbox have logged, also after they have ended.")

    @OptionGroup var options: PlainOptions

    @Argument(help: SandboxCommand.nameHelp)
    var name = SandboxCommand.usualName

    @Option(help: ArgumentHelp("Only this member's, counted from 0.", valueName: "n"))
    var member: Int?

    func run() async throws {
        try await SandboxSession.run("sandbox logs", options) { [self] session in
            let logs = try session.sandboxes.folder(name).logs
            guard !logs.isEmpty else { throw Failure(.refused, "There is no log of a sandbox \(name).") }
            if let member, !logs.indices.contains(member) {
                throw Failure(.usage, "The sandbox \(name) has the members 0 to \(logs.count - 1).")
            }
            let wanted = member.map { [logs[$0]] } ?? logs
            if options.format == .json {
                try session.console.print(SandboxLogsResult(logs: wanted), options.format)
            } else {
                for path in wanted { try await SandboxText.print(path, session.console) }
            }
            return 0
        }
    }
}
