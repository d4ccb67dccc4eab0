internal import ArgumentParser
internal import Glibc
internal import InputFiles
internal import Sandbox

/// Opens a shell on a sandbox.
struct SandboxShell: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shell", abstract: "Open mongosh (or mongo) on a sandbox.")

    @OptionGroup var options: PlainOptions

    @Argument(help: SandboxCommand.nameHelp)
    var name = SandboxCommand.usualName

    func run() async throws {
        try await SandboxSession.run("sandbox shell", options) { [self] session in
            let record = try session.sandboxes.running(name)
            let folders = (Environment.own["PATH"] ?? "").split(separator: ":")
            let programs = ["mongosh", "mongo"].flatMap { name in folders.map { "\($0)/\(name)" } }
            guard let program = programs.first(where: { access($0, X_OK) == 0 }) else {
                throw Failure(
                    .configuration,
                    "There is no mongosh on this machine (https://www.mongodb.com/docs/mongodb-shell/install). The "
                        + "sandbox is at \(record.uri).")
            }
            let child = try ChildProcess(ChildProcess.Start(program, [record.uri]))
            session.child.set(child)
            return await offPool { child.waitBlocking() }.code
        }
    }
}
