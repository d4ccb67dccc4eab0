internal import ArgumentParser
internal import Chat
internal import Journal
internal import MongoDriver

/// Makes users for development.
struct Seed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make sure that development users are there and can log in.",
        discussion: """
            Without names and --from: alice (alice@example.com, alicepass123) and testuser (test@example.com, testpass123). A \
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
            "Take users, sessions and messages from a file in JSON or YAML; - reads standard input.", valueName: "file")
    )
    var from: String?

    @Option(
        help: ArgumentHelp(
            "Make believable chats, too: `usual`, or sizes such as users=100,sessions=1000,messages=100000.",
            valueName: "sizes"))
    var demo: String?

    @Option(
        help: ArgumentHelp(
            "Make the chats of a situation, of its usual size or of --demo's: empty, busy, deleted, long, unicode, or broken "
                + "as the bug leaves them.", valueName: "name"))
    var scenario: DemoScenario?

    @Flag(help: "Take away what seeding has made, by its journal, and make what is wanted anew.")
    var reset = false

    @Flag(help: "Write nothing, and exit with 1 where something is missing or different.")
    var check = false

    @Option(
        help: ArgumentHelp("Begin with this number what is made up: the same number, the same bytes.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(
        help: ArgumentHelp(
            "Take this for now, such as 2026-11-20 or 2026-11-20T10:30:00Z, and count times back from it.",
            valueName: "date"))
    var now: SeedMoment?

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
        do {
            _ = try recipe()
        } catch {
            throw ValidationError("--demo: \(error).")
        }
        guard !check || !(update || resetPasswords || reset || change.dryRun) else {
            throw ValidationError(
                "--check writes nothing; leave --update, --reset-passwords, --reset and --dry-run out.")
        }
    }

    func run() async throws {
        var selection = SeedSet.builtIn
        let moment = now?.milliseconds ?? WallClock.milliseconds
        let prepare = { (connection: ConnectionString) in
            try refuseRemote(connection)
            selection = try await selected(moment)
        }
        try await CommandSession.run("seed", options, requires: .nothing, changes: true, beforeConnecting: prepare) {
            session in
            guard session.database.isLocal || allowRemote || isLook else {
                throw Self.remote(session.database.server.members)
            }
            return try await SeedSession(self, session, selection, now: moment).run()
        }
    }

    /// Whether nothing is written.
    var isLook: Bool { change.dryRun || check }

    /// The chats that are wanted; nil for none.
    ///
    /// - Throws: ``DemoRecipe/Objection``.
    func recipe() throws(DemoRecipe.Objection) -> DemoRecipe? {
        guard demo != nil || scenario != nil else { return nil }
        var recipe = DemoRecipe(scenario ?? .usual, seed: seed)
        if let demo { try recipe.resize(demo) }
        return recipe
    }

    private func refuseRemote(_ connection: ConnectionString) throws {
        guard connection.isLoopback || allowRemote || isLook else {
            throw Self.remote(connection.hosts)
        }
    }

    private static func remote(_ hosts: [String]) -> Failure {
        Failure(
            .refused,
            "\(hosts.joined(separator: ",")) isn't this machine, and these users' passwords are known to everybody. "
                + "Add --allow-remote if that is what you want.")
    }

    /// What is meant; a name that isn't among the users is an error before anything is done.
    private func selected(_ now: Int64) async throws -> SeedSet {
        var set = SeedSet.builtIn
        if let from { set = try await SeedFile.read(from, now: now) }
        guard !names.isEmpty else { return set }
        for name in names {
            guard set.users.contains(where: { $0.username == name }) else {
                let known = set.users.map(\.username).joined(separator: ", ")
                throw Failure(
                    .usage,
                    "There is no user `\(name)` \(from.map { "in \($0)" } ?? "to seed without --from"); "
                        + "there are: \(known).")
            }
        }
        return set.only(Set(names))
    }
}

extension DemoScenario: ExpressibleByArgument {}

/// A moment as an option takes it.
struct SeedMoment: ExpressibleByArgument {
    /// Since 1970.
    let milliseconds: Int64

    init?(argument: String) {
        guard case .at(let time)? = SeedTime(argument) else { return nil }
        milliseconds = time
    }
}
