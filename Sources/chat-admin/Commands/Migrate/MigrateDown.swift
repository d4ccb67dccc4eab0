internal import ArgumentParser
internal import Journal
internal import MigrationEngine

/// Reverts applied steps.
struct MigrateDown: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Revert applied steps, newest first.",
        discussion: """
            Without --to, the newest applied step; --to 0 reverts all. The built-in steps are reverted from the \
            journal, a directory's by their .down.json, or from the journal where there is none. A document that has \
            changed since is reported and left alone, and the exit code is then 1.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var series: SeriesOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var recount: RecountOptions
    @OptionGroup var danger: DangerOptions

    @Option(help: ArgumentHelp("Revert every step above this one; 0 for all.", valueName: "version"))
    var to: Int64?

    func validate() throws {
        if let to, to < 0 { throw ValidationError("--to must be 0 or a step's version.") }
    }

    func run() async throws {
        try await MigrationSession.run(
            "migrate down", options, series, changes: true, journalLimit: danger.journal.journalLimit.bytes
        ) { migration in
            let start = ContinuousClock.now
            let (session, runner) = (migration.session, migration.runner)
            var settings = recount.settings(maxTime: options.maxTime)
            danger.apply(to: &settings)
            let selection = try await runner.selection(.down(to: to), session.database)
            let isTaken = try await Lease.isTaken(session.database)
            if change.dryRun || !isTaken {
                try await runner.checkDownBlockers(selection, session.database, settings: settings)
            }
            if change.dryRun {
                let result = try await MigrateDown.plan(selection, migration, since: start)
                try session.console.print(result, options.format)
                return .done
            }
            var chosen: Set<Int64>?
            let run = try await session.change(change, asks: !selection.isEmpty) {
                var result = try await MigrateDown.plan(selection, migration, since: start)
                result.isQuestion = true
                let changes = result.changes.reduce(0) { $0 + $1.changed }
                return (max(changes, selection.count), result.lines(TextStyle(usesColor: false)))
            } _: { run, description in
                let selection =
                    if let chosen {
                        try await runner.selection(reverting: chosen, session.database)
                    } else {
                        try await runner.selection(.down(to: to), session.database)
                    }
                chosen = Set(selection.steps.map(\.version))
                try await runner.checkDownBlockers(selection, session.database, settings: settings)
                let context = StepContext(run: run, settings: settings)
                var stages = Stages(selection, "reverting", migration)
                stages.next()
                try await runner.down(selection, context, description) {
                    session.trail.append($0)
                    stages.finish($0)
                }
            }
            var result = session.result(
                run, left: run.totals.leftovers.map { ChangeResult.Left($0, series.words) }, since: start)
            result.steps = session.trail.steps
            try session.console.print(result, options.format)
            // Something is still applied where time was up.
            let rest = try await runner.selection(reverting: chosen ?? [], session.database)
            return session.status(run, isWhole: run.totals.leftovers.isEmpty && rest.isEmpty)
        }
    }

    /// What reverting the steps would change: what the ledger says they changed.
    private static func plan(
        _ selection: MigrationSelection, _ migration: MigrationSession, since start: ContinuousClock.Instant
    ) async throws -> ChangeResult {
        let (session, runner) = (migration.session, migration.runner)
        session.console.enter(stage: "reading the journal")
        let versions = Set(selection.steps.map(\.version))
        let status = runner.status(selection).filter { versions.contains($0.version) }
        let planned = try await runner.planDown(selection, session.database) { try await session.preview(undoing: $0) }
        var result = ChangeResult(
            command: session.command, database: session.database.name, run: nil, dryRun: true,
            changes: planned.changes, left: planned.leftovers.map { ChangeResult.Left($0, session.words) },
            durationMS: (ContinuousClock.now - start).milliseconds)
        result.steps = status.reversed().map {
            ChangeResult.Step(version: $0.version, name: $0.name, state: $0.state.rawValue, durationMS: 0)
        }
        return result
    }
}
