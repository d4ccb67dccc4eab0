internal import ArgumentParser
internal import Chat
internal import Sandbox

/// How a sandbox is started, and what is put into it.
struct SandboxStartOptions: ParsableArguments {
    @Flag(help: "Make it a replica set: of one server, or of as many as --members says.")
    var replicaSet = false

    @Option(help: ArgumentHelp("How many servers the replica set has, from 1 to 7.", valueName: "n"))
    var members: Int?

    @Flag(help: "Load the incident: a small chat database that the bug has damaged.")
    var incident = false

    @Flag(help: "Seed it with alice and testuser.")
    var seed = false

    @Option(
        help: ArgumentHelp(
            "Seed it with demo chats, such as users=100,sessions=1000,messages=100000.", valueName: "sizes"))
    var demo: String?

    @Option(
        help: ArgumentHelp("Listen on this port; further members take the next ones (default: any).", valueName: "n"))
    var port: Int?

    @Option(
        help: ArgumentHelp(
            "End it after this time, such as 90m or 8h (default: when it is stopped).", valueName: "duration"))
    var ttl: Span?

    @Option(
        help: ArgumentHelp(
            "Keep its data in this folder when it is stopped, and begin with what is there.", valueName: "dir"))
    var keep: String?

    @Option(help: ArgumentHelp("Start this mongod (default: CHAT_ADMIN_MONGOD, PATH, .tools).", valueName: "program"))
    var mongod: String?

    @Option(help: ArgumentHelp("The database that it is for (default: chat).", valueName: "name"))
    var database: String?

    func validate() throws {
        if let members, !(1...7).contains(members) { throw ValidationError("--members must be from 1 to 7.") }
        if members != nil, !replicaSet { throw ValidationError("--members goes with --replica-set.") }
        let last = (port ?? 1) + (members ?? 1) - 1
        if let port, !(1...65_535).contains(port) || last > 65_535 {
            throw ValidationError("--port must be from 1 to 65535, for all members.")
        }
        if let ttl, !(ttl.seconds >= 1 && ttl.seconds <= 30 * 86_400) {
            throw ValidationError("--ttl must be from 1s to 30d.")
        }
        if let reason = database.flatMap(DatabaseName.objection) { throw ValidationError("--database: \(reason)") }
        if let demo {
            var recipe = DemoRecipe()
            do {
                try recipe.resize(demo)
            } catch {
                throw ValidationError("--demo: \(error).")
            }
        }
    }

    /// As the sandbox takes them.
    func options(isOwned: Bool) -> SandboxOptions {
        var options = SandboxOptions()
        options.members = replicaSet ? (members ?? 1) : nil
        options.port = port
        options.lifetime = ttl.map { Int64($0.seconds.rounded(.up)) }
        options.kept = keep.map(Folders.absolute)
        if let database { options.database = database }
        options.isOwned = isOwned
        return options
    }

    /// Finds the server's program.
    ///
    /// - Throws: `SandboxError`.
    func program() async throws -> ServerProgram {
        let variable = "CHAT_ADMIN_MONGOD"
        let named = Environment.own[variable].flatMap { $0.isEmpty ? nil : $0 }
        let given = mongod.map { ($0, "--mongod") } ?? named.map { ($0, variable) }
        return try await ServerProgram.find(given, naming: "--mongod or \(variable)")
    }
}

extension SandboxStartOptions {
    /// Refuses a sandbox that runs, and isn't as was asked for. What is to be put into it isn't looked at.
    ///
    /// - Throws: ``Failure``.
    func check(running record: SandboxRecord) throws {
        let ports = record.members.map(\.port)
        let isOtherSet = record.replicaSet == nil || members.map { $0 != record.members.count } ?? false
        let objections: [(isOther: Bool, option: String, sentence: String)] = [
            (replicaSet && isOtherSet, "--replica-set", "it is a \(record.kind)"),
            (port.map { $0 != ports.first } ?? false, "--port", "it listens on \(ports.first ?? 0)"),
            (
                keep.map { Folders.absolute($0) != record.kept } ?? false, "--keep",
                record.kept.map { "its data stay in \($0)" } ?? "its data go with it"
            ),
            (
                database.map { $0 != record.database } ?? false, "--database",
                "it is for the database \(record.database)"
            ),
            (ttl != nil, "--ttl", "how long it runs was said when it was started"),
            (
                mongod.map { Folders.absolute($0) != Folders.absolute(record.program) } ?? false, "--mongod",
                "it runs \(record.program)"
            ),
        ]
        guard let objection = objections.first(where: \.isOther) else { return }
        throw Failure(
            .refused,
            "The sandbox \(record.name) runs already, and isn't as \(objection.option) wants it: \(objection.sentence). Take "
                + "another name, leave \(objection.option) out, or stop it: "
                + "\(PlainText.tied("`chat-admin sandbox stop \(record.name)`")).")
    }
}
