internal import ArgumentParser

/// Shows what `migrate up` would do.
struct MigratePlan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show what `migrate up` would do; change nothing.",
        discussion: "Exits 2 when steps are pending, 0 when none is.")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var series: SeriesOptions
    @OptionGroup var journal: JournalLimitOption

    @Option(help: ArgumentHelp("Plan up to this step.", valueName: "version"))
    var to: Int64?

    @Flag(help: "Accept pending steps that are older than the newest applied one.")
    var allowOutOfOrder = false

    func run() async throws {
        try await MigrationSession.run(
            "migrate plan", options, series, isWhole: true, journalLimit: journal.journalLimit.bytes
        ) { session in
            let freshness = try await Freshness(session.session, limit: options.maxStaleness)
            var result = try await session.plan(to: to)
            try await freshness.check()
            result.allowsOutOfOrder = allowOutOfOrder
            result.newestDamage = try await session.newestDamage(
                result.steps.map(\.version), isKnown: result.hasTextReferences)
            try session.console.print(result, options.format)
            return result.pending == 0 ? .done : .pending
        }
    }
}
