internal import ArgumentParser
internal import BSON
internal import Journal

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
