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
            user who is there with that password is left alone. Their passwords are public, so a server that isn't on \
            this machine is refused unless --allow-remote is given.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var change: ChangeOptions

    @Argument(help: "Seed these users alone.")
    var names: [String] = []

    @Option(
        help: ArgumentHelp(
            "Take users from a file like fixtures/users.json; - reads standard input.", valueName: "file"))
    var from: String?

    @Flag(help: "Change the password of users who have another one.")
    var resetPasswords = false

    @Flag(help: "Seed a server that isn't on this machine.")
    var allowRemote = false

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
            let start = ContinuousClock.now
            let users = selection
            let isLocal = session.database.isLocal
            guard isLocal || allowRemote || change.dryRun else {
                throw Self.remote(session.database.server.members)
            }
            let seeder = Seeder(database: session.database)
            let plan = try await seeder.plan(users, resetPasswords: resetPasswords)
            // What a killed run had begun is finished even where that leaves nothing to seed.
            let isUnfinished = try await Resumer.isNeeded(session.database)
            if change.dryRun || (plan.changed == 0 && !isUnfinished) {
                let result = ChangeResult(
                    command: session.command, database: session.database.name, run: nil, dryRun: change.dryRun,
                    changes: plan.changes, left: plan.leftovers.map { ChangeResult.Left($0, session.words) },
                    durationMS: (ContinuousClock.now - start).milliseconds)
                try session.console.print(result, options.format)
                return plan.leftovers.isEmpty || change.dryRun ? .done : .findings
            }
            // On this machine seeding asks nothing: it only adds, and is run every day.
            let run = try await session.change(change, asks: !isLocal || resetPasswords) {
                (plan.changed, ["This makes or completes \(plan.changed) users."])
            } _: { run, _ in
                // Planned again under the lease: another run may have made them just now.
                try await seeder.apply(seeder.plan(users, resetPasswords: resetPasswords), run)
            }
            let left = run.totals.leftovers.map { ChangeResult.Left($0, session.words) }
            try session.console.print(session.result(run, left: left, since: start), options.format)
            return session.status(run, isWhole: left.isEmpty)
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
