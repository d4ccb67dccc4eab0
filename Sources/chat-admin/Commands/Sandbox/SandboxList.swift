internal import ArgumentParser
internal import Sandbox

/// Lists sandboxes.
struct SandboxList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the sandboxes that run, and those of which snapshots are left.")

    @OptionGroup var options: PlainOptions

    func run() async throws {
        try await SandboxSession.run("sandbox list", options) { [options] session in
            let items = session.sandboxes.folders.compactMap { SandboxResult.Item($0) }
            try session.console.print(SandboxListResult(sandboxes: items), options.format)
            return 0
        }
    }
}
