internal import ArgumentParser
internal import Checks
internal import Journal

/// Lists recorded checks.
struct CheckHistory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "List recorded checks, newest first.")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var kept: RecordOptions

    @Option(help: ArgumentHelp("The largest number of checks to list.", valueName: "n"))
    var limit = 50

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit must be 1 or more.") }
    }

    func run() async throws {
        try await CommandSession.run("check history", options, requires: .chatDatabase) { session in
            let records = try await kept.store(session.database).records(limit: limit)
            try session.console.print(
                CheckHistoryResult(database: session.database.name, records, recording: kept.arguments), options.format)
            return .done
        }
    }
}
