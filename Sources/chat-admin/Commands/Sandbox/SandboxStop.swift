internal import ArgumentParser
internal import Sandbox

/// Ends sandboxes.
struct SandboxStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "End a sandbox: its data go, unless --keep was given; logs and snapshots stay.")

    @OptionGroup var options: PlainOptions

    @Argument(help: ArgumentHelp("The sandboxes' names.", valueName: "name"))
    var names: [String] = []

    @Flag(help: "End all of them.")
    var all = false

    @Flag(help: "Remove logs and snapshots, too.")
    var purge = false

    func validate() throws {
        if names.isEmpty != all { throw ValidationError("Name the sandboxes, or give --all.") }
    }

    func run() async throws {
        try await SandboxSession.run("sandbox stop", options) { [self] session in
            let folders = all ? session.sandboxes.folders : try names.map { try session.sandboxes.folder($0) }
            // Before any is ended.
            for folder in folders where !all {
                guard folder.record != nil || purge && folder.isThere || !folder.snapshotNames.isEmpty else {
                    throw Failure(.refused, "There is no sandbox \(folder.name).")
                }
            }
            var (ended, resting) = ([String](), [String]())
            for folder in folders {
                if folder.record != nil || purge && folder.isThere {
                    try await SandboxServers(folder).stop(isWhole: purge)
                    ended.append(folder.name)
                } else if !all, !ended.contains(folder.name) {
                    resting.append(folder.name)
                }
            }
            try session.console.print(SandboxStopResult(stopped: ended, resting: resting), options.format)
            return 0
        }
    }
}
