internal import ArgumentParser
internal import Consistency
internal import Journal
internal import MigrationEngine
internal import Migrations

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
    @OptionGroup var series: SeriesOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var recount: RecountOptions
    @OptionGroup var danger: DangerOptions

    @Option(help: ArgumentHelp("Apply up to this step.", valueName: "version"))
    var to: Int64?

    @Flag(help: "Accept pending steps that are older than the newest applied one.")
    var allowOutOfOrder = false

    func run() async throws {
        try await MigrationSession.run(
            "migrate up", options, series, changes: true, isWhole: true, journalLimit: danger.journal.journalLimit.bytes
        ) { migration in
            let start = ContinuousClock.now
            let (session, runner) = (migration.session, migration.runner)
            var settings = recount.settings(maxTime: options.maxTime)
            danger.apply(to: &settings)
            let selection = try await runner.selection(
                .up(to: to), session.database, allowOutOfOrder: allowOutOfOrder)
            // A run that is at work may be building an index that looks like one in the way: then it is waited for, or
            // named, first.
            let isTaken = try await Lease.isTaken(session.database)
            if change.dryRun || !isTaken {
                try await runner.checkBlockers(selection, session.database, settings: settings)
            }
            if change.dryRun {
                var plans: [StepPlan] = []
                try await migration.plan(selection) { _, plan, _, _ in plans.append(plan) }
                var result = session.result(plans, since: start)
                result.newestDamage = try await damage(selection, migration)
                try session.console.print(result, options.format)
                return .done
            }
            let isThrough =
                selection.isEmpty && !isTaken ? try await !RunLifecycle.isUnfinished(session.database) : false
            let damage = isThrough ? nil : try await damage(selection, migration)
            let run = isThrough ? nil : try await apply(selection, isTaken: isTaken, damage, settings, migration)
            let rest =
                isThrough
                ? selection
                : try await runner.selection(.up(to: to), session.database, allowOutOfOrder: true)
            var mended = migration.mended(runner.status(rest))
            // Counting tells by itself what it left; a check would also see what the application is in the middle of.
            mended = mended.filter { !$0.isOfCounter }
            let left = try await session.leftovers(mended, run)
            var result = session.result(run, left: left, since: start)
            result.steps = session.trail.steps
            result.newestDamage = damage
            try session.console.print(result, options.format)
            // Something is still pending where time was up.
            return session.status(run, isWhole: left.isEmpty && rest.isEmpty)
        }
    }

    /// The newest damage that some steps mend, or keep out.
    private func damage(
        _ selection: MigrationSelection, _ migration: MigrationSession
    ) async throws -> DamageResult? {
        try await migration.newestDamage(selection.steps.map(\.version), isKnown: false)
    }

    /// Applies the pending steps.
    ///
    /// - Parameters:
    ///   - selection: Those that were pending a moment ago.
    ///   - isTaken: Whether another run had the lease then.
    ///   - damage: The newest damage by then.
    private func apply(
        _ selection: MigrationSelection, isTaken: Bool, _ damage: DamageResult?, _ settings: RepairSettings,
        _ migration: MigrationSession
    ) async throws -> Run {
        let (session, runner) = (migration.session, migration.runner)
        let versions = selection.steps.map(\.version)
        return try await session.change(
            change, asks: !selection.isEmpty, offline: settings.offline,
            remark: damage?.remark(setsGuard: versions.contains(Installed.guards.rawValue))
        ) {
            let plan = try await migration.plan(to: to)
            let changes = plan.steps.flatMap(\.operations).reduce(0) { $0 + $1.matched }
            return (max(changes, selection.count), plan.lines(TextStyle(usesColor: false)))
        } _: { run, description in
            // Chosen again under the lease: another run may have ended just now.
            let chosen = try await runner.selection(
                .up(to: to), session.database, allowOutOfOrder: allowOutOfOrder)
            if isTaken || !selection.stands(for: chosen) {
                try await runner.checkBlockers(chosen, session.database, settings: settings)
            }
            let context = StepContext(run: run, settings: settings)
            var stages = Stages(chosen, nil, migration)
            stages.next()
            try await runner.up(chosen, context, description) {
                session.trail.append($0)
                stages.finish($0)
            }
        }
    }
}

extension ChangeResult.Step {
    init(_ result: StepResult) {
        self.init(
            version: result.version, name: result.name, state: result.state.rawValue,
            durationMS: result.duration.milliseconds)
    }
}
