internal import ArgumentParser
internal import MongoDriver
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
            let record = try session.sandboxes.running(name)
            if !replace, folder.snapshotNames.contains(snapshot) {
                throw Failure(
                    .refused,
                    "The sandbox \(name) has a snapshot \(snapshot) already. Take another name, or add --replace.")
            }
            try await SandboxCopies(folder).take(snapshot, isReplacing: replace)
            let result = SandboxCopyResult(
                command: "sandbox snapshot", name: name, snapshot: snapshot, uri: record.uri)
            try session.console.print(result, options.format)
            return 0
        }
    }
}

/// Brings a copy back.
struct SandboxRestore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Have a sandbox go on from a copy of its data, at the same address.",
        discussion: """
            A sandbox that is stopped is started as it was when the copy was taken, at the same address where that is free. \
            What the copy replaces stays until the servers are ready: if they don't get ready, the sandbox goes on with it.
            """)

    @OptionGroup var options: PlainOptions

    @Argument(help: SandboxCommand.nameHelp)
    var name: String

    @Argument(help: "What the copy is called.")
    var snapshot: String

    func run() async throws {
        try await SandboxSession.run("sandbox restore", options) { [self] session in
            let folder = try session.sandboxes.folder(name)
            // A folder of that name is made by nobody but a start.
            guard folder.isThere else { throw Failure(.refused, "There is no sandbox \(name).") }
            let before = folder.record.flatMap { $0.isRunning ? $0 : nil }
            let record: SandboxRecord
            do {
                record = try await SandboxCopies(folder).restore(snapshot)
            } catch let error as SandboxError {
                throw Failure(ExitStatus(error), "\(error)\(advice(before, folder.record))")
            } catch let error as MongoError {
                throw Failure(ExitStatus(error), "\(error) \(advice(before, folder.record))")
            }
            let result = SandboxCopyResult(command: "sandbox restore", name: name, snapshot: snapshot, uri: record.uri)
            try session.console.print(result, options.format)
            return 0
        }
    }

    /// How things are after a failure, and how to go on.
    ///
    /// - Parameter before: What ran before it; nil where nothing did.
    private func advice(_ before: SandboxRecord?, _ after: SandboxRecord?) -> String {
        guard let before else { return "" }
        guard let after, after.isRunning else {
            return " The sandbox is stopped, and has the data that it had. "
                + "\(PlainText.tied("`chat-admin sandbox restore \(name) \(snapshot)`")) tries again."
        }
        return before.members == after.members ? "" : " The sandbox goes on with the data that it had."
    }
}
