internal import ArgumentParser
internal import Chat
internal import Consistency
internal import Journal
internal import MigrationEngine
internal import Migrations
internal import MongoDriver

/// What the `migrate` commands work with: a connected database and the steps of a series.
struct MigrationSession {
    let session: CommandSession
    let runner: MigrationRunner
    /// What was passed over in the series' directory.
    let warnings: [String]
    /// Whether they are the steps of the chat database.
    let isBuiltIn: Bool

    var database: Database { session.database }
    var console: Console { session.console }

    /// Reads the steps, connects and runs a command; the steps come first, for a server has nothing to do with what is
    /// wrong with them.
    static func run(
        _ name: String, _ options: GlobalOptions, _ series: SeriesOptions,
        changes: Bool = false, isWhole: Bool = false, journalLimit: Int64 = RepairSettings.defaultJournalLimit,
        _ body: (MigrationSession) async throws -> ExitStatus
    ) async throws {
        var steps: SeriesOptions.Steps?
        let readSteps = { (_: ConnectionString) in steps = try series.read(journalLimit: journalLimit, isWhole: isWhole)
        }
        try await CommandSession.run(
            name, options, requires: series.areBuiltIn ? .chatDatabase : .nothing, changes: changes,
            words: series.words,
            beforeConnecting: readSteps
        ) { session in
            guard let steps else { throw Failure(.internalError, "The steps weren't read.") }
            for warning in steps.warnings { session.console.remark(warning) }
            return try await body(
                MigrationSession(
                    session: session, runner: steps.runner, warnings: steps.warnings, isBuiltIn: series.areBuiltIn))
        }
    }

    /// The plan of the pending steps, or of those up to a version.
    func plan(to version: Int64?) async throws -> PlanResult {
        let start = ContinuousClock.now
        // What is out of order is shown, and refused when it comes to applying it.
        let selection = try await runner.selection(.up(to: version), database, allowOutOfOrder: true)
        let states = runner.status(selection)
        var steps: [PlanResult.Step] = []
        try await self.plan(selection) { step, plan, blockers, looking in
            let status = states.first { $0.version == step.version }
            steps.append(
                PlanResult.Step(
                    version: step.version, name: step.name, summary: step.summary,
                    state: (status?.state ?? .pending).rawValue, problems: status?.problems ?? [],
                    operations: plan.operations.map(PlanResult.Operation.init),
                    blockers: blockers.map(session.words.text),
                    left: plan.leftovers.map { ChangeResult.Left($0, session.words) },
                    estimatedMS: plan.estimatedMS(looking: looking))
            )
        }
        return PlanResult(
            database: database.name, series: runner.series, pending: steps.count, steps: steps, warnings: warnings,
            newestApplied: states.filter { $0.state == .applied }.map(\.version).max(),
            durationMS: (ContinuousClock.now - start).milliseconds)
    }

    /// Plans steps, and shows at which it is.
    func plan(
        _ selection: MigrationSelection, each: (any Migration, StepPlan, [Sentence], Duration) throws -> Void
    ) async throws {
        var stages = Stages(selection, "planning", self)
        stages.next()
        try await runner.plan(selection, database) { step, plan, blockers, looking in
            try session.interruption.check()
            try each(step, plan, blockers, looking)
            stages.next()
        }
    }

    /// The newest damage, where one of some steps mends what the bug writes, or keeps it out.
    ///
    /// - Parameter isKnown: Whether there are references that are text.
    func newestDamage(_ versions: [Int64], isKnown: Bool) async throws -> DamageResult? {
        let mending = runner.steps.filter { $0.mends.contains("id.") || $0.version == Installed.guards.rawValue }
        guard isBuiltIn, mending.contains(where: { versions.contains($0.version) }) else { return nil }
        return try await DamageResult.newest(database, isKnown: isKnown)
    }

    /// The findings that the applied steps have mended as far as that is possible.
    func mended(_ status: [StepStatus]) -> Set<FindingCode> {
        guard isBuiltIn else { return [] }
        let applied = Set(status.filter { $0.state == .applied }.map(\.version))
        return FindingCode.beginning(with: runner.steps.filter { applied.contains($0.version) }.flatMap(\.mends))
    }
}

/// Shows at which of some steps the work is.
struct Stages {
    private let steps: [any Migration]
    /// Where each stands in its series, from 1 on, by version.
    private let numbers: [Int64: Int]
    private let verb: String?
    private let console: Console
    private var position = 0

    /// Counts the steps of a selection.
    ///
    /// - Parameter verb: What is done with them, such as `planning`; nil where that needs no saying.
    init(_ selection: MigrationSelection, _ verb: String?, _ migration: MigrationSession) {
        (steps, self.verb, console) = (selection.steps, verb, migration.console)
        let versions = migration.runner.steps.enumerated().map { ($1.version, $0 + 1) }
        numbers = Dictionary(versions, uniquingKeysWith: { first, _ in first })
    }

    /// The next one begins.
    mutating func next() {
        guard position < steps.count else { return }
        let step = steps[position]
        let number = numbers[step.version].map { " \($0) of \(numbers.count)" } ?? ""
        console.enter(stage: "\(verb.map { "\($0) " } ?? "")step\(number) (\(step.name))")
        position += 1
    }

    /// One has come to its end: it is told, and the next one begins.
    mutating func finish(_ result: StepResult) {
        let time = Readable.duration(milliseconds: result.duration.milliseconds)
        console.remark("Step \(result.version) (\(result.name)): \(result.state.rawValue), \(time)")
        next()
    }
}
