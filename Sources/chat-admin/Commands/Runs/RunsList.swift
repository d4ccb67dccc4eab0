internal import ArgumentParser
internal import Journal

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
