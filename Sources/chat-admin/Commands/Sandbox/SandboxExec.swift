internal import ArgumentParser
internal import Glibc
internal import InputFiles
internal import Sandbox

/// Runs a program beside a sandbox.
struct SandboxExec: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a program with a sandbox, which ends with it unless it ran before.",
        discussion: """
            The program finds the sandbox by CHAT_ADMIN_URI, CHAT_ADMIN_DATABASE, MONGODB_URI, MONGO_HOST, MONGO_PORT \
            and MONGO_DATABASE_NAME; MONGO_USERNAME and MONGO_PASSWORD are empty. The exit code is the program's; 126 \
            where it can't be run, 127 where there is none, 128 and the number where a signal ended it. If this command \
            is killed, the kernel kills the servers.

            A sandbox of that name that runs already is used: what --seed, --demo and --incident ask for is put into it, \
            and options that it doesn't fit are refused.
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
            let program: String
            switch ProgramPath(command[0]) {
            case .found(let path): program = path
            case .notRunnable(let reason):
                session.console.error("chat-admin: `\(command[0])` can't be run: \(reason).")
                return ProgramPath.notRunnableCode
            case .missing:
                session.console.error("chat-admin: There is no program `\(command[0])`.")
                return ProgramPath.missingCode
            }
            let contents = try await SandboxContents(start, session)
            let standing = try session.sandboxes.folder(name ?? SandboxCommand.usualName)
            if let record = standing.record, record.isRunning {
                try start.check(running: record)
                try await contents.fill(record)
                return try await run(program, with: record, session)
            }
            // One of its own: nobody else knows its name.
            let folder = try session.sandboxes.folder(name ?? SandboxFolder.namelessName(of: getpid()))
            let servers = SandboxServers(folder)
            let record = try await servers.start(try await start.program(), start.options(isOwned: true)) {
                try await contents.fill($0)
            }
            let result: Result<Int32, any Error>
            do {
                result = .success(try await run(program, with: record, session))
            } catch {
                result = .failure(error)
            }
            try await Task { try await servers.remove() }.value
            return try result.get()
        }
    }

    private func run(_ program: String, with record: SandboxRecord, _ session: SandboxSession) async throws -> Int32 {
        session.console.remark("Sandbox \(record.name): \(record.uri)")
        var environment = Environment.own
        // Those of another server would be sent to this one. Empty ones, for an application may read `.env`, too, which has
        // a say where the environment has none.
        for variable in ["MONGO_USERNAME", "MONGO_PASSWORD"] { environment[variable] = "" }
        environment.merge(record.environment) { $1 }
        try Task.checkCancellation()
        var start = ChildProcess.Start(program, Array(command.dropFirst()), environment: environment)
        start.deathSignal = SIGTERM
        switch await ChildProcess.lasting(start) {
        case .success(let child):
            session.child.set(child)
            return await offPool { child.waitBlocking() }.code
        case .failure(let failure):
            session.console.error("chat-admin: `\(command[0])` can't be run: \(failure).")
            return failure.isMissing ? ProgramPath.missingCode : ProgramPath.notRunnableCode
        }
    }
}

/// Where a program is, as shells look for it.
private enum ProgramPath {
    case found(String)
    case notRunnable(String)
    case missing

    /// What shells end with where there is a file, and it can't be run.
    static let notRunnableCode: Int32 = 126
    /// What they end with where there is none.
    static let missingCode: Int32 = 127

    init(_ name: String) {
        let folders = (Environment.own["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        let paths = name.contains("/") ? [name] : folders.map { "\($0)/\(name)" }
        if let path = paths.first(where: { Self.isProgram($0) }) {
            self = .found(path)
        } else if let path = paths.first(where: { access($0, F_OK) == 0 }) {
            self = .notRunnable(Self.isFolder(path) ? "it is a folder" : String(cString: strerror(EACCES)))
        } else {
            self = .missing
        }
    }

    private static func isProgram(_ path: String) -> Bool { access(path, X_OK) == 0 && !isFolder(path) }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
