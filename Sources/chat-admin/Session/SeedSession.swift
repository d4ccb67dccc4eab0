internal import Chat
internal import Journal
internal import MongoDriver

/// Carries `seed` out.
struct SeedSession {
    let command: Seed
    let session: CommandSession
    let set: SeedSet
    /// What is taken for now, in milliseconds since 1970.
    let now: Int64

    private var change: ChangeOptions { command.change }

    /// Looks, asks where that is needed, makes, and prints.
    func run() async throws -> ExitStatus {
        let start = ContinuousClock.now
        var settings = SeedSettings(now: now)
        settings.resetsPasswords = command.resetPasswords
        settings.updates = command.update
        settings.seed = command.seed
        settings.isNowGiven = command.now != nil
        let seeder = Seeder(database: session.database, settings: settings)
        let plan = try await seeder.plan(set)
        let foreign = plan.makesPublicPasswords ? try await foreignUsers() : 0
        // What a killed run had begun is finished even where that leaves nothing to seed.
        let isUnfinished = try await Resumer.isNeeded(session.database)
        if change.dryRun || (plan.changed == 0 && !isUnfinished) {
            try session.console.print(result(plan, settings, since: start), command.options.format)
            return plan.leftovers.isEmpty || change.dryRun ? .done : .findings
        }
        // On this machine seeding asks nothing: it only adds, and is run every day.
        let asks = !session.database.isLocal || command.resetPasswords || command.update || foreign > 0
        let run = try await session.change(change, asks: asks) {
            (plan.changed, question(plan, foreign))
        } _: { run, _ in
            // Planned again under the lease: another run may have made them just now.
            try await seeder.apply(seeder.plan(set), run)
        }
        let left = run.totals.leftovers.map { ChangeResult.Left($0, session.words) }
        var result = session.result(run, left: left, since: start)
        result.seeded = SeedResult(plan, settings)
        result.place = session.console.place
        try session.console.print(result, command.options.format)
        return session.status(run, isWhole: left.isEmpty)
    }

    private func result(_ plan: Seeder.Plan, _ settings: SeedSettings, since start: ContinuousClock.Instant)
        -> ChangeResult
    {
        ChangeResult(
            command: session.command, database: session.database.name, run: nil, dryRun: change.dryRun,
            changes: plan.changes, left: plan.leftovers.map { ChangeResult.Left($0, session.words) },
            seeded: SeedResult(plan, settings), place: session.console.place,
            durationMS: (ContinuousClock.now - start).milliseconds)
    }

    /// What is asked: on which server and database, and beside how many users of others.
    private func question(_ plan: Seeder.Plan, _ foreign: Int) -> [String] {
        let place = "`\(session.database.name)` at \(hosts)"
        var lines = ["This makes or changes \(Readable.count(plan.changed)) documents in \(place)."]
        if foreign > 0 {
            lines.append(
                "It holds \(Self.users(foreign)) that seeding didn't make, and everybody knows the new passwords.")
        }
        return lines
    }

    /// How many users there are beside whom public passwords would be given; more than none has to be allowed.
    private func foreignUsers() async throws -> Int {
        let foreign = try await SeededDocuments(session.database).foreignUsers()
        guard foreign > 0, !command.allowHere, !change.dryRun else { return foreign }
        throw Failure(
            .refused,
            "`\(session.database.name)` at \(hosts) holds \(Self.users(foreign)) that seeding didn't make, and everybody "
                + "knows the passwords of the users to be seeded. Add --allow-here if it is a database for development; "
                + "it may be another machine's, behind a tunnel.")
    }

    private static func users(_ count: Int) -> String { "\(Readable.count(count)) user\(count == 1 ? "" : "s")" }

    private var hosts: String { session.database.client.connectionString.hosts.joined(separator: ",") }
}
