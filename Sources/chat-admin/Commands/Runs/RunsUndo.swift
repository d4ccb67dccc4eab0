internal import ArgumentParser
internal import BSON
internal import Journal
internal import MigrationEngine
internal import Migrations

/// Undoes one run, or one and the newer ones that built on it.
struct RunsUndo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Undo a run from the journal.",
        discussion: """
            A document that has changed since is reported and left alone, and the exit code is then 1. A run that newer \
            ones built on isn't undone before them: they are named, and --through undoes them with it. --dry-run shows \
            what would be changed and what left, looked up in the data. The undo is a recorded run itself.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var change: ChangeOptions

    @Argument(help: RunName.help)
    var run: String?

    @Option(
        help: ArgumentHelp(
            "Undo this run, and before it, newest first, every newer one that built on it.", valueName: "run"))
    var through: String?

    func validate() throws {
        switch (run, through) {
        case (nil, nil): throw ValidationError("Say which run to undo; `chat-admin runs list` shows them.")
        case (_?, _?): throw ValidationError("Say either a run or --through, not both.")
        default: return
        }
    }

    func run() async throws {
        try await CommandSession.run("runs undo", options, changes: true) { session in
            let start = ContinuousClock.now
            let later = try await LaterRuns(session.database)
            let order = try await order(later, session)
            var result = UndoResult(database: session.database.name, dryRun: change.dryRun, session.words)
            if change.dryRun {
                for (run, totals) in zip(order, try await preview(order, session).results) {
                    result.add(run, by: nil, totals)
                }
                try session.console.print(result.ended(since: start), options.format)
                return .done
            }
            for (number, item) in order.enumerated() {
                let undo = try await session.change(change, asks: number == 0) {
                    let rest = Array(order[number...])
                    let results = try await preview(rest, session).results
                    return (results.reduce(0) { $0 + $1.totalChanged }, Self.question(rest, results, session.words))
                } _: { undo, description in
                    session.console.enter(stage: "undoing run \(item.id.hex)")
                    try await later.check(again: item.id)
                    // Should it be stopped, the ledger says that these steps are half undone.
                    try await MigrationRunner.noteUndoing(item.id, run: undo)
                    try await Undo(run: undo).revert(run: item.id)
                    try await MigrationRunner.noteUndone(item.id, run: undo)
                }
                result.add(item, by: undo, undo.totals)
                if undo.circumstances.isCutShort || number == order.count - 1 {
                    let isWhole = result.left.isEmpty && number == order.count - 1
                    try session.console.print(result.ended(since: start), options.format)
                    return session.status(undo, isWhole: isWhole)
                }
            }
            return .done
        }
    }

    /// The runs to undo, in that order.
    private func order(_ later: LaterRuns, _ session: CommandSession) async throws -> [RunHeading] {
        let record = try await RunRecord.find(session.database, named: through ?? run ?? "")
        let asked = RunHeading(record)
        session.console.enter(stage: "looking for newer runs that built on it")
        guard through != nil else {
            try await later.check(undoing: record.id)
            return [asked]
        }
        return try await later.building(on: record.id) + [asked]
    }

    /// Works out what undoing each of some runs would change and leave.
    private func preview(_ order: [RunHeading], _ session: CommandSession) async throws -> UndoPreview {
        session.console.enter(stage: "looking what would be undone")
        let preview = try await session.preview(undoing: order.map { UndoPreview.Selection(run: $0.id) })
        try await MigrationRunner.addLeftovers(undoing: order.map(\.id), to: preview, session.database)
        return preview
    }

    private static func question(_ order: [RunHeading], _ results: [Totals], _ words: AdviceWords) -> [String] {
        zip(order, results).flatMap { run, totals in
            let left = totals.leftovers.map { ChangeResult.Left($0, words) }
            return ["This undoes run \(run.id.hex): \(run.command), \(Readable.count(totals.totalChanged)) changes."]
                + ChangeResult.Left.lines(left, TextStyle(usesColor: false))
        }
    }
}
