internal import ArgumentParser
internal import Sandbox

/// Starts a sandbox.
struct SandboxStart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start a sandbox that runs until it is stopped.")

    @OptionGroup var options: PlainOptions
    @OptionGroup var start: SandboxStartOptions

    @Argument(help: SandboxCommand.nameHelp)
    var name = SandboxCommand.usualName

    func run() async throws {
        try await SandboxSession.run("sandbox start", options) { [self] session in
            let folder = try session.sandboxes.folder(name)
            let contents = try await SandboxContents(start, session)
            // A sandbox that lacks what was asked for is none.
            let record = try await SandboxServers(folder).start(
                try await start.program(), start.options(isOwned: false)
            ) { try await contents.fill($0) }
            try session.console.print(SandboxResult("sandbox start", record, folder), options.format)
            return 0
        }
    }
}
