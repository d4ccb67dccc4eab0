internal import Chat
internal import Journal
internal import MongoDriver

/// Carries `seed` out.
struct SeedSession {
    let command: Seed
    let session: CommandSession
    let set: SeedSet
    /// The chats to be made up; nil for none.
    let recipe: DemoRecipe?
    let settings: SeedSettings

    private var change: ChangeOptions { command.change }
    private var database: Database { session.database }

    init(_ command: Seed, _ session: CommandSession, _ set: SeedSet, now: Int64) throws {
        (self.command, self.session) = (command, session)
        recipe = try command.recipe()
        self.set = recipe.map { set.adding(DemoSeeder.users($0)) } ?? set
        var settings = SeedSettings(now: now)
        settings.resetsPasswords = command.resetPasswords
        settings.updates = command.update
        settings.seed = command.seed
        settings.isNowGiven = command.now != nil
        self.settings = settings
    }

    /// What is to be done, or was.
    private struct Work {
        let plan: Seeder.Plan
        let demo: DemoSeeder.Outcome?

        var changes: [Change] { plan.changes + (demo?.changes ?? []) }
        var leftovers: [Leftover] { plan.leftovers + (demo?.leftovers ?? []) }
        var changed: Int { changes.reduce(0) { $0 + $1.changed } }
    }

    /// Looks, asks where that is needed, makes, and prints.
    func run() async throws -> ExitStatus {
        if command.reset { return try await reset() }
        let start = ContinuousClock.now
        let seeder = Seeder(database: database, settings: settings, progress: session.progress)
        let plan = try await seeder.plan(set)
        let work = Work(plan: plan, demo: try await demo(plan)?.look(session.progress))
        let foreign = plan.makesPublicPasswords ? try await foreignUsers() : 0
        // What a killed run had begun is finished even where that leaves nothing to seed.
        let isUnfinished = try await Resumer.isNeeded(database)
        if command.isLook || (work.changed == 0 && !isUnfinished) {
            let left = work.leftovers.map { ChangeResult.Left($0, session.words) }
            let result = ChangeResult(
                command: session.command, database: database.name, run: nil, dryRun: command.isLook,
                changes: work.changes.sorted(), left: left, seeded: result(work), place: session.console.place,
                durationMS: (ContinuousClock.now - start).milliseconds)
            try session.console.print(result, command.options.format)
            if command.check { return work.changed == 0 && left.isEmpty ? .done : .findings }
            return left.isEmpty || change.dryRun ? .done : .findings
        }
        // On this machine seeding asks nothing: it only adds, and is run every day.
        let asks = !database.isLocal || command.resetPasswords || command.update || foreign > 0
        var outcome: DemoSeeder.Outcome?
        let run = try await session.change(change, asks: asks) {
            (work.changed, question(work, foreign))
        } _: { run, _ in
            // Planned again under the lease: another run may have made them just now.
            let plan = try await seeder.plan(set)
            try await seeder.apply(plan, run)
            outcome = try await demo(plan)?.apply(run)
        }
        let left = run.totals.leftovers.map { ChangeResult.Left($0, session.words) }
        var result = session.result(run, left: left, since: start)
        result.seeded = self.result(Work(plan: plan, demo: outcome))
        result.place = session.console.place
        try session.console.print(result, command.options.format)
        return session.status(run, isWhole: left.isEmpty)
    }

    /// What a reset would do.
    private struct Reset {
        let work: Work
        let taken: (changes: [Change], leftovers: [Leftover])

        var changes: [Change] { (taken.changes + work.changes).sorted() }
        var changed: Int { changes.reduce(0) { $0 + $1.changed } }
    }

    /// Looks what a reset would do. Changes nothing.
    private func lookAtReset(_ seeder: Seeder) async throws -> Reset {
        let seeded = try await SeededDocuments(database, followsMoves: true)
        let plan = try await seeder.plan(set, without: seeded.contains)
        let demo = try demo(plan)
        return Reset(
            work: Work(plan: plan, demo: try await demo?.look(session.progress, without: seeded.contains)),
            taken: try await seeded.look(try willBeMade(plan, demo)))
    }

    /// Tells the `_id`s of what a reset makes anew from others.
    private func willBeMade(_ plan: Seeder.Plan, _ demo: DemoSeeder?) throws -> SeededDocuments.WillBeMade {
        let (wanted, isOfDemo) = (plan.wanted, try demo?.isOwn())
        return { wanted.contains($0) || isOfDemo?($0) ?? false }
    }

    /// Takes away what seeding has made, and makes what is wanted.
    private func reset() async throws -> ExitStatus {
        let start = ContinuousClock.now
        let seeder = Seeder(database: database, settings: settings, progress: session.progress)
        if change.dryRun {
            let looked = try await lookAtReset(seeder)
            let left = (looked.taken.leftovers + looked.work.leftovers).map { ChangeResult.Left($0, session.words) }
            let result = ChangeResult(
                command: session.command, database: database.name, run: nil, dryRun: true, changes: looked.changes,
                left: left, seeded: self.result(looked.work), place: session.console.place,
                durationMS: (ContinuousClock.now - start).milliseconds)
            try session.console.print(result, command.options.format)
            return .done
        }
        let makesPublic = set.users.contains { SeedUser.publicPasswords.contains($0.password) }
        let foreign = makesPublic ? try await foreignUsers() : 0
        var work: Work?
        let run = try await session.change(change) {
            let looked = try await lookAtReset(seeder)
            return (looked.changed, resetQuestion(looked, foreign))
        } _: { run, _ in
            // Read again under the lease: another run may have made something since.
            let seeded = try await SeededDocuments(database, followsMoves: true)
            let plan = try await seeder.plan(set, without: seeded.contains)
            try await seeded.takeAway(try willBeMade(plan, try demo(plan)), run)
            let anew = try await seeder.plan(set)
            try await seeder.apply(anew, run)
            work = Work(plan: anew, demo: try await demo(anew)?.apply(run))
        }
        let left = run.totals.leftovers.map { ChangeResult.Left($0, session.words) }
        var result = session.result(run, left: left, since: start)
        result.seeded = work.map { self.result($0) }
        result.place = session.console.place
        try session.console.print(result, command.options.format)
        return session.status(run, isWhole: left.isEmpty)
    }

    private func resetQuestion(_ looked: Reset, _ foreign: Int) -> [String] {
        func count(_ changes: [Change]) -> String { Readable.count(changes.reduce(0) { $0 + $1.changed }) }
        var lines = [
            "This takes away the \(count(looked.taken.changes)) documents that seeding has made in `\(database.name)` at "
                + "\(hosts), and makes \(count(looked.work.changes))."
        ]
        if foreign > 0 {
            lines.append(
                "It holds \(Readable.counted(foreign, "user")) that seeding didn't make, who stay as they are.")
        }
        return lines
    }

    /// Who makes the chats that are to be made up.
    private func demo(_ plan: Seeder.Plan) throws -> DemoSeeder? {
        try recipe.map { try DemoSeeder(database: database, recipe: $0, settings: settings, users: plan) }
    }

    private func result(_ work: Work) -> SeedResult {
        SeedResult(work.plan, settings, named: set.users.count - set.demoUsers, recipe, work.demo)
    }

    /// What is asked: on which server and database, and beside how many users of others.
    private func question(_ work: Work, _ foreign: Int) -> [String] {
        let place = "`\(database.name)` at \(hosts)"
        var lines = ["This makes or changes \(Readable.count(work.changed)) documents in \(place)."]
        if foreign > 0 {
            lines.append(
                "It holds \(Readable.counted(foreign, "user")) that seeding didn't make, and everybody knows the new passwords."
            )
        }
        return lines
    }

    /// How many users there are beside whom public passwords would be given; more than none has to be allowed.
    private func foreignUsers() async throws -> Int {
        let foreign = try await SeededDocuments(database).foreignUsers()
        guard foreign > 0, !command.allowHere, !command.isLook else { return foreign }
        throw Failure(
            .refused,
            "`\(database.name)` at \(hosts) holds \(Readable.counted(foreign, "user")) that seeding didn't make, and everybody "
                + "knows the passwords of the users to be seeded. Add --allow-here if it is a database for development; "
                + "it may be another machine's, behind a tunnel.")
    }

    private var hosts: String { database.client.connectionString.hosts.joined(separator: ",") }
}

extension [Change] {
    /// In the order in which a run counts them.
    fileprivate func sorted() -> [Change] { sorted { ($0.collection, $0.code) < ($1.collection, $1.code) } }
}
