internal import ArgumentParser
internal import Journal
internal import MigrationEngine
internal import StepFiles

/// Declares that a database has everything up to a version already.
struct MigrateBaseline: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "baseline",
        abstract: "Declare the steps up to a version applied, without running them.",
        discussion: """
            For a database that came to its present state by other means. --from golang-migrate takes the version from \
            golang-migrate's own record, and refuses one that it left dirty. Only the ledger is written; the journal knows \
            nothing of what these steps did.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var series: SeriesOptions
    @OptionGroup var change: ChangeOptions

    @Argument(help: "The newest step that the database has.")
    var version: Int64?

    @Option(help: ArgumentHelp("Take the version from another tool's record.", valueName: "golang-migrate"))
    var from: OtherTool?

    @Option(help: ArgumentHelp("Where golang-migrate keeps its version.", valueName: "collection"))
    var fromCollection = GolangMigrate.collection

    enum OtherTool: String, ExpressibleByArgument, CaseIterable {
        case golangMigrate = "golang-migrate"
    }

    func validate() throws {
        if (version == nil) == (from == nil) {
            throw ValidationError("Say the version, or --from golang-migrate.")
        }
        if from != nil, series.areBuiltIn {
            throw ValidationError("--from golang-migrate is about a directory of steps: say which with --steps.")
        }
    }

    func run() async throws {
        try await MigrationSession.run("migrate baseline", options, series, changes: true) { migration in
            let database = migration.database
            let target: Int64
            if let version {
                target = version
            } else {
                target = try await GolangMigrate.version(database, collection: fromCollection)
            }
            return try await Marking(migration: migration, change: change, format: options.format).mark(.applied) {
                try await migration.runner.baseline(upTo: target, database)
            }
        }
    }
}

/// Declares the state of one step.
struct MigrateMark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mark", abstract: "Declare a step applied or reverted, without running it.",
        discussion: """
            For a step that was finished, or reverted, by hand; and to accept a step that was edited after it was \
            applied. Only the ledger is written.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var series: SeriesOptions
    @OptionGroup var change: ChangeOptions

    @Argument(help: "The step's version.")
    var version: Int64

    @Argument(help: "What it is: applied, or reverted (pending means the same).")
    var state: DeclaredState

    enum DeclaredState: String, ExpressibleByArgument, CaseIterable {
        case applied
        case reverted
        case pending
    }

    func run() async throws {
        try await MigrationSession.run("migrate mark", options, series, changes: true) { migration in
            let marking = Marking(migration: migration, change: change, format: options.format)
            return try await marking.mark(state == .applied ? .applied : .reverted) {
                [try await migration.runner.step(version, migration.database)]
            }
        }
    }
}

/// What `migrate baseline` and `migrate mark` have in common.
private struct Marking {
    let migration: MigrationSession
    let change: ChangeOptions
    let format: OutputFormat

    func mark(
        _ state: StepState, _ choose: () async throws -> [MigrationPlanner.Step]
    ) async throws -> ExitStatus {
        let start = ContinuousClock.now
        let session = migration.session
        let chosen = try await choose()
        var result = ChangeResult(
            command: session.command, database: session.database.name, run: nil, dryRun: change.dryRun,
            changes: [
                Change(
                    code: "mark \(state.rawValue)", collection: StateCollection.migrations, changed: chosen.count)
            ].filter { $0.changed > 0 }, left: [], durationMS: (ContinuousClock.now - start).milliseconds)
        result.steps = steps(chosen, state)
        if !change.dryRun {
            result.isQuestion = true
            let question = result.lines(TextStyle(usesColor: false))
            let run = try await session.change(change, asks: !chosen.isEmpty) {
                (chosen.count, question)
            } _: { run, description in
                try await migration.runner.mark(try await choose(), state, run, description: description)
            }
            result = session.result(run, left: [], since: start)
            result.steps = steps(chosen, state)
        }
        try session.console.print(result, format)
        return .done
    }

    private func steps(_ steps: [MigrationPlanner.Step], _ state: StepState) -> [ChangeResult.Step] {
        steps.map { ChangeResult.Step(version: $0.version, name: $0.name, state: state.rawValue, durationMS: 0) }
    }
}
