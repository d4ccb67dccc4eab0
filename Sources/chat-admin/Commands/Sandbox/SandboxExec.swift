internal import ArgumentParser
internal import Glibc
internal import InputFiles
internal import Sandbox

/// Runs a program beside a sandbox.
struct SandboxExec: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a program with a sandbox, which ends with it unless it ran before.",
        discussion: """
            The program finds the sandbox by CHAT_ADMIN_URI, MONGODB_URI, MONGO_HOST, MONGO_PORT and \
            MONGO_DATABASE_NAME. The exit code is the program's; 126 where it can't be run, 127 where there is none. If \
            this command is killed, the kernel kills the servers.
            """)

    @OptionGroup var options: PlainOptions
    @OptionGroup var start: SandboxStartOptions

    @Argument(help: "The sandbox's name; one that runs is used, and stays.")
    var name: String?

    @Argument(parsing: .postTerminator, help: "The program and its arguments, behind --.")
    var command: [String] = []

    func validate() throws {
        if command.isEmpty { throw ValidationError("The program to run is missing: `sandbox exec -- CMD…`.") }
    }

    func run() async throws {
        try await SandboxSession.run("sandbox exec", options) { [self] session in
            let standing = try session.sandboxes.folder(name ?? SandboxCommand.usualName)
            if let record = standing.record, record.isRunning { return try await run(with: record, session) }
            // One of its own: nobody else knows its name.
            let folder = try session.sandboxes.folder(name ?? "exec-\(getpid())")
            let servers = SandboxServers(folder)
            let record = try await servers.start(try await start.program(), start.options(isOwned: true))
            let result: Result<Int32, any Error>
            do {
                try await SandboxContents(start, record, session).fill()
                result = .success(try await run(with: record, session))
            } catch {
                result = .failure(error)
            }
            try await Task { try await servers.remove() }.value
            return try result.get()
        }
    }

    private func run(with record: SandboxRecord, _ session: SandboxSession) async throws -> Int32 {
        session.console.remark("Sandbox \(record.name): \(record.uri)")
        var environment = Environment.own
        // Those of another server would be sent to this one. Empty ones, for an application may read `.env`, too, which has
        // a say where the environment has none.
        for variable in ["MONGO_USERNAME", "MONGO_PASSWORD"] { environment[variable] = "" }
        environment.merge(record.environment) { $1 }
        guard let program = Self.program(command[0]) else {
            session.console.error("chat-admin: There is no program `\(command[0])`.")
            return 127
        }
        var start = ChildProcess.Start(program, Array(command.dropFirst()), environment: environment)
        start.deathSignal = SIGTERM
        switch await ChildProcess.lasting(start) {
        case .success(let child):
            session.child.set(child)
            return await offPool { child.waitBlocking() }.code
        case .failure(let failure):
            session.console.error("chat-admin: `\(command[0])` can't be run: \(failure).")
            return failure.isMissing ? 127 : 126
        }
    }

    /// As shells look for it.
    private static func program(_ name: String) -> String? {
        guard !name.contains("/") else { return access(name, F_OK) == 0 ? name : nil }
        let folders = (Environment.own["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        let paths = folders.map { "\($0)/\(name)" }
        return paths.first { access($0, X_OK) == 0 } ?? paths.first { access($0, F_OK) == 0 }
    }
}
