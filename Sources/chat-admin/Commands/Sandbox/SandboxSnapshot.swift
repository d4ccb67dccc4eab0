internal import ArgumentParser
internal import Sandbox

/// Copies a sandbox's data.
struct SandboxSnapshot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "Keep a copy of a sandbox's data; whoever writes meanwhile waits.")

    @OptionGroup var options: PlainOptions

    @Argument(help: SandboxCommand.nameHelp)
    var name: String

    @Argument(help: "What the copy is called.")
    var snapshot: String

    @Flag(help: "Replace a copy that is called so.")
    var replace = false

    func run() async throws {
        try await SandboxSession.run("sandbox snapshot", options) { [self] session in
            let folder = try session.sandboxes.folder(name)
            _ = try session.sandboxes.running(name)
            try await SandboxCopies(folder).take(snapshot, isReplacing: replace)
            let result = SandboxCopyResult(command: "sandbox snapshot", name: name, snapshot: snapshot)
            try session.console.print(result, options.format)
            return 0
        }
    }
}

/// Brings a copy back.
struct SandboxRestore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Have a sandbox go on from a copy of its data, at the same address.")

    @OptionGroup var options: PlainOptions

    @Argument(help: SandboxCommand.nameHelp)
    var name: String

    @Argument(help: "What the copy is called.")
    var snapshot: String

    func run() async throws {
        try await SandboxSession.run("sandbox restore", options) { [self] session in
            let folder = try session.sandboxes.folder(name)
            _ = try session.sandboxes.running(name)
            _ = try await SandboxCopies(folder).restore(snapshot)
            let result = SandboxCopyResult(command: "sandbox restore", name: name, snapshot: snapshot)
            try session.console.print(result, options.format)
            return 0
        }
    }
}
