internal import ArgumentParser
internal import Sandbox

/// Ends sandboxes.
struct SandboxStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "End a sandbox: its data go, unless --keep was given; logs and snapshots stay.")

    @OptionGroup var options: PlainOptions

    @Argument(help: SandboxCommand.nameHelp)
    var name: String?

    @Flag(help: "End all of them.")
    var all = false

    @Flag(help: "Remove logs and snapshots, too.")
    var purge = false

    func validate() throws {
        if (name == nil) != all { throw ValidationError("Name one sandbox, or give --all.") }
    }

    func run() async throws {
        try await SandboxSession.run("sandbox stop", options) { [self] session in
            let folders = try name.map { [try session.sandboxes.folder($0)] } ?? session.sandboxes.folders
            var ended: [String] = []
            for folder in folders {
                let isThere = folder.record != nil || purge && folder.isThere
                guard isThere else {
                    guard all else { throw Failure(.refused, "There is no sandbox \(folder.name).") }
                    continue
                }
                try await SandboxServers(folder).stop(isWhole: purge)
                ended.append(folder.name)
            }
            try session.console.print(SandboxStopResult(stopped: ended), options.format)
            return 0
        }
    }
}
