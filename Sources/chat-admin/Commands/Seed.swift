internal import ArgumentParser
internal import Chat
internal import Journal
internal import MongoDriver

/// Makes users for development.
struct Seed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make sure that development users are there and can log in.",
        discussion: """
            Without names: alice (alice@example.com, alicepass123) and testuser (test@example.com, testpass123). A \
            user who is there and right is left alone. Their passwords are public: a server that isn't on this machine \
            is refused unless --allow-remote is given, and a database with users that seeding didn't make unless \
            --allow-here is, for a tunnel looks like this machine.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var change: ChangeOptions

    @Argument(help: "Seed these users alone.")
    var names: [String] = []

    @Option(
        help: ArgumentHelp(
            "Take users from a file like fixtures/users.json; - reads standard input.", valueName: "file"))
    var from: String?

    @Flag(help: "Change what differs: email, full name, role, and whether a user is disabled.")
    var update = false

    @Flag(help: "Change the password of users who have another one.")
    var resetPasswords = false

    @Flag(help: "Seed a server that isn't on this machine.")
    var allowRemote = false

    @Flag(help: "Give public passwords to a database that holds users which seeding didn't make.")
    var allowHere = false

    func validate() throws {
        if from == "-" && options.passwordFile == "-" {
            throw ValidationError("--from and --password-file can't both read standard input.")
        }
    }

    func run() async throws {
        var selection: [SeedUser] = []
        let prepare = { (connection: ConnectionString) in
            try refuseRemote(connection)
            selection = try await selected()
        }
        try await CommandSession.run("seed", options, requires: .nothing, changes: true, beforeConnecting: prepare) {
            session in
            guard session.database.isLocal || allowRemote || change.dryRun else {
                throw Self.remote(session.database.server.members)
            }
            return try await SeedSession(command: self, session: session, users: selection).run()
        }
    }

    private func refuseRemote(_ connection: ConnectionString) throws {
        guard connection.isLoopback || allowRemote || change.dryRun else {
            throw Self.remote(connection.hosts)
        }
    }

    private static func remote(_ hosts: [String]) -> Failure {
        Failure(
            .refused,
            "\(hosts.joined(separator: ",")) isn't this machine, and these users' passwords are known to everybody. "
                + "Add --allow-remote if that is what you want.")
    }

    /// The users that are meant; a name that isn't among them is an error before anything is done.
    private func selected() async throws -> [SeedUser] {
        var users = SeedUser.defaults
        if let from { users = try await SeedFile.read(from) }
        guard !names.isEmpty else { return users }
        return try names.map { name in
            guard let user = users.first(where: { $0.username == name }) else {
                let known = users.map(\.username).joined(separator: ", ")
                throw Failure(
                    .usage,
                    "There is no user `\(name)` \(from.map { "in \($0)" } ?? "to seed without --from"); "
                        + "there are: \(known).")
            }
            return user
        }
    }
}
