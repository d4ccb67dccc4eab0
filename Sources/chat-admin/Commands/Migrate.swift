internal import ArgumentParser
internal import Chat
internal import Consistency
internal import MigrationEngine
internal import Migrations

/// Versioned steps.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Apply versioned steps, take them back, and show where they stand.",
        subcommands: [MigratePlan.self, MigrateUp.self, MigrateDown.self, MigrateStatus.self, MigrateUnlock.self])
}

/// Shows what `migrate up` would do.
struct MigratePlan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show what `migrate up` would do; change nothing.",
        discussion: "Exits 2 when steps are pending, 0 when none is.")

    @OptionGroup var options: GlobalOptions

    @Option(help: ArgumentHelp("Plan up to this step.", valueName: "version"))
    var to: Int64?

    @Flag(help: "Accept pending steps that are older than the newest applied one.")
    var allowOutOfOrder = false

    func run() async throws {
        try await CommandSession.run("migrate plan", options) { session in
            let result = try await StepPlans.make(session, to: to, allowOutOfOrder: allowOutOfOrder)
            try session.console.print(result, options.format)
            return result.pending == 0 ? .done : .pending
        }
    }
}

/// Applies pending steps.
struct MigrateUp: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Apply the pending steps, oldest first.",
        discussion: """
            What stands in a step's way, such as duplicates against a unique index, is named before anything is \
            touched. A step that was killed is resumed. Exits 0 when nothing is left wrong, 1 when something is that \
            the steps couldn't repair, 3 when a step failed.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var recount: RecountOptions

    @Option(help: ArgumentHelp("Apply up to this step.", valueName: "version"))
    var to: Int64?

    @Flag(help: "Apply pending steps that are older than the newest applied one.")
    var allowOutOfOrder = false

    func run() async throws {
        try await CommandSession.run("migrate up", options) { session in
            let start = ContinuousClock.now
            let runner = ChatMigrations.runner
            let selection = try await runner.selection(
                .up(to: to), session.database, allowOutOfOrder: allowOutOfOrder)
            // A run that is at work may be building an index that looks like one in the way: then it is waited for, or
            // named, first.
            let isTaken = try await Lease.isTaken(session.database)
            if change.dryRun || !isTaken {
                try await runner.checkBlockers(selection, session.database)
            }
            if change.dryRun {
                let plan = try await StepPlans.plans(selection, session.database)
                try session.console.print(session.result(plan, since: start), options.format)
                return .done
            }
            let settings = recount.settings(maxTime: options.maxTime)
            var results: [StepResult] = []
            let run = try await session.change(change, asks: !selection.isEmpty) {
                let plan = try await StepPlans.make(session, to: to, allowOutOfOrder: allowOutOfOrder)
                let changes = plan.steps.flatMap(\.operations).reduce(0) { $0 + $1.matched }
                return (max(changes, selection.count), plan.text(TextStyle(usesColor: false)))
            } _: { run, description in
                // Chosen again under the lease: another run may have ended just now.
                let selection = try await runner.selection(
                    .up(to: to), session.database, allowOutOfOrder: allowOutOfOrder)
                try await runner.checkBlockers(selection, session.database)
                let context = StepContext(run: run, settings: settings)
                try await runner.up(selection, context, description) { results.append($0) }
            }
            let left = try await session.leftovers(try await MigrateUp.mended(session), run)
            var result = session.result(run, left: left, since: start)
            result.steps = results.map(ChangeResult.Step.init)
            try session.console.print(result, options.format)
            // Something is still pending where time was up.
            let rest = try await runner.selection(
                .up(to: to), session.database, allowOutOfOrder: allowOutOfOrder)
            return left.isEmpty && rest.isEmpty ? .done : .findings
        }
    }
}

extension MigrateUp {
    /// The findings that the applied steps have mended as far as that is possible.
    private static func mended(_ session: CommandSession) async throws -> Set<FindingCode> {
        let applied = Set(
            try await ChatMigrations.runner.status(session.database).filter { $0.state == .applied }.map(\.version))
        return FindingCode.beginning(
            with: ChatMigrations.steps.filter { applied.contains($0.version) }.flatMap(\.mends))
    }
}

/// Takes applied steps back.
struct MigrateDown: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Take applied steps back, newest first, from the journal.",
        discussion: """
            Without --to, the newest applied step; --to 0 takes all back. A document that has changed since is \
            reported and left alone, and the exit code is then 1.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var recount: RecountOptions

    @Option(help: ArgumentHelp("Take back every step above this one; 0 for all.", valueName: "version"))
    var to: Int64?

    func validate() throws {
        if let to, to < 0 { throw ValidationError("--to must be 0 or a step's version.") }
    }

    func run() async throws {
        try await CommandSession.run("migrate down", options) { session in
            let start = ContinuousClock.now
            let runner = ChatMigrations.runner
            let selection = try await runner.selection(.down(to: to), session.database)
            if change.dryRun {
                let result = try await MigrateDown.plan(selection, session, since: start)
                try session.console.print(result, options.format)
                return .done
            }
            var results: [StepResult] = []
            // Going on after a broken connection must not take back another step than the one begun.
            var chosen: Set<Int64>?
            let run = try await session.change(change, asks: !selection.isEmpty) {
                var result = try await MigrateDown.plan(selection, session, since: start)
                result.isQuestion = true
                let changes = result.changes.reduce(0) { $0 + $1.changed }
                return (max(changes, selection.count), result.text(TextStyle(usesColor: false)))
            } _: { run, description in
                let selection: [any Migration]
                if let chosen {
                    selection = try await runner.selection(.down(to: 0), session.database).filter {
                        chosen.contains($0.version)
                    }
                } else {
                    selection = try await runner.selection(.down(to: to), session.database)
                }
                chosen = Set(selection.map(\.version))
                let context = StepContext(run: run, settings: recount.settings(maxTime: options.maxTime))
                try await runner.down(selection, context, description) { results.append($0) }
            }
            var result = session.result(
                run, left: run.tally.leftovers.map { ChangeResult.Left($0) }, since: start)
            result.steps = results.map(ChangeResult.Step.init)
            try session.console.print(result, options.format)
            return run.tally.leftovers.isEmpty ? .done : .findings
        }
    }

    /// What taking the steps back would change: what the ledger says they changed.
    private static func plan(
        _ selection: [any Migration], _ session: CommandSession, since start: ContinuousClock.Instant
    ) async throws -> ChangeResult {
        let versions = Set(selection.map(\.version))
        let status = try await ChatMigrations.runner.status(session.database).filter { versions.contains($0.version) }
        var result = ChangeResult(
            command: session.command, database: session.database.name, run: nil, dryRun: true,
            changes: try await ChatMigrations.runner.planDown(selection, session.database), left: [],
            durationMS: (ContinuousClock.now - start).milliseconds)
        result.steps = status.reversed().map {
            ChangeResult.Step(version: $0.version, name: $0.name, state: $0.state.rawValue, durationMS: 0)
        }
        return result
    }
}

/// Shows where every step stands.
struct MigrateStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show where every step stands: when, by whom, what it changed.")

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Exit 2 when steps are pending.")
    var exitCode = false

    func run() async throws {
        try await CommandSession.run("migrate status", options) { session in
            let start = ContinuousClock.now
            let status = try await ChatMigrations.runner.status(session.database)
            let pending = status.filter { $0.state != .applied }.count
            let result = StatusResult(
                database: session.database.name, pending: pending, steps: status.map(StatusResult.Step.init),
                durationMS: (ContinuousClock.now - start).milliseconds)
            try session.console.print(result, options.format)
            return exitCode && pending > 0 ? .pending : .done
        }
    }
}

/// The plans of pending steps.
enum StepPlans {
    static func make(_ session: CommandSession, to: Int64?, allowOutOfOrder: Bool) async throws -> PlanResult {
        let start = ContinuousClock.now
        let runner = ChatMigrations.runner
        let selection = try await runner.selection(.up(to: to), session.database, allowOutOfOrder: allowOutOfOrder)
        let states = try await runner.status(session.database)
        var steps: [PlanResult.Step] = []
        for step in selection {
            try session.interruption.check()
            let plan = try await step.plan(session.database)
            steps.append(
                PlanResult.Step(
                    version: step.version, name: step.name, summary: step.summary,
                    state: (states.first { $0.version == step.version }?.state ?? .pending).rawValue,
                    operations: plan.operations, blockers: try await step.blockers(session.database),
                    left: plan.leftovers))
        }
        return PlanResult(
            database: session.database.name, pending: steps.count, steps: steps,
            durationMS: (ContinuousClock.now - start).milliseconds)
    }

    static func plans(_ selection: [any Migration], _ database: Database) async throws -> [StepPlan] {
        var plans: [StepPlan] = []
        for step in selection { plans.append(try await step.plan(database)) }
        return plans
    }
}

extension ChangeResult.Step {
    init(_ result: StepResult) {
        self.init(
            version: result.version, name: result.name, state: result.state.rawValue,
            durationMS: result.duration.milliseconds)
    }
}

extension StatusResult.Step {
    init(_ status: StepStatus) {
        self.init(
            version: status.version, name: status.name, summary: status.summary, state: status.state.rawValue,
            problems: status.problems, startedAt: status.row?.startedAt.map(TimeText.iso8601),
            finishedAt: status.row?.finishedAt.map(TimeText.iso8601), durationMS: status.row?.durationMS,
            host: status.row?.host, user: status.row?.user, toolVersion: status.row?.toolVersion,
            changes: status.row?.changes ?? [], error: status.row?.error)
    }
}
