internal import ArgumentParser
internal import Journal
internal import MigrationEngine

/// Shows where every step stands.
struct MigrateStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show where every step stands: when, by whom, what it changed.",
        discussion: """
            Marked are steps that were edited since they were applied, that are missing here, and that are pending though \
            a newer one is applied (out-of-order).
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var series: SeriesOptions

    @Flag(help: "Exit 2 when steps are pending.")
    var exitCode = false

    func run() async throws {
        try await MigrationSession.run("migrate status", options, series) { session in
            let start = ContinuousClock.now
            let status = try await session.runner.status(session.database)
            let pending = status.filter { $0.state != .applied }.count
            let result = StatusResult(
                database: session.database.name, series: session.runner.series, pending: pending,
                steps: status.map { StatusResult.Step($0, series.words) },
                durationMS: (ContinuousClock.now - start).milliseconds)
            try session.console.print(result, options.format)
            return exitCode && pending > 0 ? .pending : .done
        }
    }
}

extension StatusResult.Step {
    init(_ status: StepStatus, _ words: AdviceWords) {
        self.init(
            version: status.version, name: status.name, summary: status.summary, state: status.state.rawValue,
            problems: status.problems, marked: status.row?.isMarked ?? false,
            startedAt: status.row?.work.startedAt.map(TimeText.iso8601),
            finishedAt: status.row?.work.finishedAt.map(TimeText.iso8601), durationMS: status.row?.work.durationMS,
            host: status.row?.work.host, user: status.row?.work.user, toolVersion: status.row?.work.toolVersion,
            changes: status.row?.changes ?? [],
            left: (status.row?.leftovers ?? []).map { ChangeResult.Left($0, words) },
            error: status.row?.failure?.words)
    }
}
