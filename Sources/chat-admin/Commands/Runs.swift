internal import ArgumentParser
internal import BSON
internal import Journal
internal import MigrationEngine
internal import Migrations

/// What earlier runs did.
struct Runs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List what earlier runs did, look into one, and undo one.",
        subcommands: [RunsList.self, RunsShow.self, RunsUndo.self, RunsPause.self, RunsResume.self])
}

/// How people name a run.
enum RunName {
    static let help: ArgumentHelp =
        "The run's id, as `runs list` shows it, or the beginning of it; `latest` is the newest."
}

/// Makes a run that is at work pause.
struct RunsPause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Ask a run that is at work to pause at its next batch boundary.",
        discussion: "It keeps its lease. SIGUSR1 does the same to its process, SIGUSR2 lets it continue.")

    @OptionGroup var options: GlobalOptions

    @Argument(help: RunName.help)
    var run: String

    func run() async throws { try await PauseRequest(command: "runs pause", pause: true).send(run, options) }
}

/// Lets a paused run go on.
struct RunsResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let a paused run continue.")

    @OptionGroup var options: GlobalOptions

    @Argument(help: RunName.help)
    var run: String

    func run() async throws { try await PauseRequest(command: "runs resume", pause: false).send(run, options) }
}

/// What both of them do.
private struct PauseRequest {
    let command: String
    let pause: Bool

    func send(_ run: String, _ options: GlobalOptions) async throws {
        try await CommandSession.run(command, options, changes: true) { session in
            let record = try await RunRecord.find(session.database, named: run)
            try await RunRecord.setPause(pause, session.database, id: record.id)
            let result = PauseResult(
                command: command, database: session.database.name, run: record.id.hex, paused: pause)
            try session.console.print(result, options.format)
            return .done
        }
    }
}

/// What `runs pause` and `runs resume` print.
private struct PauseResult: CommandResult {
    let command: String
    let database: String
    let run: String
    let paused: Bool

    func lines(_ style: TextStyle) -> [String] {
        [
            paused
                ? "Run \(run) pauses at its next batch boundary; `runs resume \(run)` lets it continue."
                : "Run \(run) continues."
        ]
    }
}

/// Lists runs.
struct RunsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the runs that changed the database, newest first.")

    @OptionGroup var options: GlobalOptions

    @Option(help: ArgumentHelp("The largest number of runs to list.", valueName: "n"))
    var limit = 50

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit must be 1 or more.") }
    }

    func run() async throws {
        try await CommandSession.run("runs list", options) { session in
            let records = try await RunRecord.list(session.database, limit: limit)
            try session.console.print(
                RunsResult(database: session.database.name, runs: records.map(RunsResult.Item.init)), options.format)
            return .done
        }
    }
}

/// Shows one run.
struct RunsShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one run: who, when, and what its journal holds.")

    @OptionGroup var options: GlobalOptions

    @Argument(help: RunName.help)
    var run: String

    func run() async throws {
        try await CommandSession.run("runs show", options) { session in
            let record = try await RunRecord.find(session.database, named: run)
            let result = RunResult(
                database: session.database.name, run: RunsResult.Item(record),
                arguments: record.arguments, error: record.error, changes: record.changes,
                left: record.leftovers.map { ChangeResult.Left($0, session.words) },
                operations: record.operations.map(RunResult.Operation.init),
                journal: try await record.journal(session.database))
            try session.console.print(result, options.format)
            return .done
        }
    }
}

/// Undoes one run.
struct RunsUndo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Undo a run from the journal.",
        discussion: """
            A document that has changed since is reported and left alone, and the exit code is then 1. The undo is a \
            recorded run itself.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var change: ChangeOptions

    @Argument(help: RunName.help)
    var run: String

    func run() async throws {
        try await CommandSession.run("runs undo", options, changes: true) { session in
            let start = ContinuousClock.now
            let record = try await RunRecord.find(session.database, named: run)
            session.console.enter(stage: change.dryRun ? "reading the journal" : "undoing run \(record.id.hex)")
            if change.dryRun {
                let result = ChangeResult(
                    command: session.command, database: session.database.name, run: nil, dryRun: true,
                    changes: try await Undo.plan(session.database, run: record.id), left: [],
                    durationMS: (ContinuousClock.now - start).milliseconds)
                try session.console.print(result, options.format)
                return .done
            }
            let undo = try await session.change(change) {
                let changes = try await Undo.plan(session.database, run: record.id).reduce(0) { $0 + $1.changed }
                return (changes, ["This undoes run \(record.id.hex): \(record.command), \(changes) changes."])
            } _: { undo, description in
                // Should it be stopped, the ledger says that these steps are half undone.
                try await MigrationRunner.noteUndoing(record.id, run: undo)
                try await Undo(run: undo).revert(run: record.id)
                try await MigrationRunner.noteUndone(record.id, run: undo)
            }
            let left = undo.totals.leftovers.map { ChangeResult.Left($0, session.words) }
            try session.console.print(session.result(undo, left: left, since: start), options.format)
            return session.status(undo, isWhole: left.isEmpty)
        }
    }
}
