internal import ArgumentParser
internal import BSON
internal import Checks
internal import Journal
internal import MigrationEngine
internal import Migrations
internal import MongoDriver
internal import ReportPage
internal import StepFiles

/// Writes a page about recorded checks.
struct Report: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write an HTML page about recorded checks, runs and steps.",
        discussion: """
            One file that needs nothing else: no script, no network. It tells the verdict of the last recorded check, what is \
            new and right again, how findings, collections and checks grew, which run can be undone, where the steps stand, \
            and what is accepted until when. `check --record` records checks. No document's _id is in it without --samples.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var kept: RecordOptions

    @Argument(help: ArgumentHelp("Where to write it; - for standard output.", valueName: "file.html"))
    var file: String

    @Option(help: ArgumentHelp("How far back it goes, such as 90d or 36h.", valueName: "duration"))
    var since = Span(90 * 86_400)

    @Option(
        help: ArgumentHelp(
            "The moment to tell ages from, such as 2027-03-31 or 2027-03-31T09:00:00Z; by default what the server's clock says.",
            valueName: "date"))
    var now: String?

    @Flag(help: "Show the _ids of documents that are accepted one by one.")
    var samples = false

    /// So many runs are shown at most, the newest.
    private static let mostRuns = 200

    func validate() throws {
        if let objection = Seconds.objection("--since", to: since) { throw ValidationError(objection) }
        // Of 90 seconds there is no history: whoever leaves the unit out means days.
        if since.isBare {
            throw ValidationError("--since needs a unit, such as 90d or 36h: a number alone would be seconds.")
        }
        if let now, Self.time(now) == nil {
            throw ValidationError(
                "--now must be a date, such as 2027-03-31 or 2027-03-31T09:00:00Z; there is no `\(now)`.")
        }
        if file.isEmpty { throw ValidationError("The report needs a file; - stands for standard output.") }
        if file == "-", options.format == .json {
            throw ValidationError("Standard output is either the page or JSON; name a file for the page.")
        }
    }

    func run() async throws {
        try await CommandSession.run("report", options, requires: .chatDatabase) { session in
            let data = try await data(session)
            let page = try ReportPage(data).html
            if file == "-" {
                try session.console.result(raw: page)
            } else {
                try await AtomicFile.write(Array(page.utf8), to: file)
                try session.console.print(
                    ReportResult(
                        database: session.database.name, file: file, checks: data.checks.count, runs: data.runs.count),
                    options.format)
            }
            return .done
        }
    }

    private func data(_ session: CommandSession) async throws -> ReportData {
        let database = session.database
        // By the clock that recorded checks go by.
        let present = try await database.serverTime()
        let now = now.flatMap(Self.time) ?? present
        // What some clock has put into the future is shown, too, unless a moment was named.
        let end = self.now == nil ? .max : now
        let since = now - Int64(since.seconds * 1000)
        let store = kept.store(database)
        let records = try await store.summaries(since: since).filter { $0.at <= end }
        let accepted = try await store.acceptances().filter { $0.holds(at: now) }
        let runs = try await RunRecord.list(database, limit: Self.mostRuns)
            .filter { ($0.startedAt ?? now) >= since && $0.startedAt ?? now <= end }
        let steps = try await ChatMigrations.runner.status(database)
        let place = session.place.hosts.joined(separator: ", ") + ", MongoDB " + database.server.version
        return ReportData(
            database: database.name, server: place, now: now, since: since, checks: records.map(Self.check),
            runs: runs.map(Self.row),
            steps: steps.map { step in
                ReportData.Step(
                    version: "\(step.version)", name: step.name, state: step.state.rawValue,
                    at: step.row?.work.finishedAt)
            },
            accepted: accepted.map(row), recording: "chat-admin check \(kept.arguments)")
    }

    private static func check(_ record: CheckRecord) -> ReportData.Check {
        ReportData.Check(
            number: record.number, at: record.at, durationMS: record.durationMS, isComplete: record.isComplete,
            isBaseline: record.isBaseline,
            findings: record.items.map { item in
                ReportData.Finding(
                    code: item.name.code, place: Readable.place(item.name.collection, item.name.field),
                    isError: item.severity == "error", count: item.count, accepted: item.accepted,
                    since: item.since)
            },
            new: record.new, resolved: record.resolved, sizes: record.sizes,
            codes: record.isOfAllCodes ? nil : Set(record.codes))
    }

    private static func row(_ run: RunRecord) -> ReportData.Run {
        let changed = run.changes.reduce(0) { $0 + $1.changed }
        let canUndo = !run.isUndone && !run.isUndo && changed > 0
        return ReportData.Run(
            at: run.startedAt, command: run.command,
            state: run.isUndone ? "\(run.state), undone" : run.state, changed: Readable.count(changed),
            undo: canUndo ? "chat-admin runs undo \(run.id.hex)" : nil)
    }

    private func row(_ acceptance: Acceptance) -> ReportData.Accepted {
        let documents = acceptance.documents.map { subjects in
            samples
                ? subjects.map { JSONValue(of: $0).text }.joined(separator: ", ") : "\(subjects.count)\u{A0}by\u{A0}_id"
        }
        return ReportData.Accepted(
            number: "\(acceptance.number)", code: acceptance.code,
            place: acceptance.collection.map { Readable.place($0, acceptance.field) },
            until: acceptance.until.map(TimeText.lastDay) ?? "for ever",
            reason: acceptance.reason, user: acceptance.user, documents: documents)
    }

    /// A date, or a moment, in milliseconds since 1970.
    private static func time(_ text: String) -> Int64? {
        DateText.milliseconds(day: text) ?? DateText.milliseconds(text)
    }
}

/// What `report` prints when it has written a file.
struct ReportResult: CommandResult {
    let command = "report"
    let database: String
    let file: String
    let checks: Int
    let runs: Int

    private enum CodingKeys: String, CodingKey {
        case command, database, file, checks, runs
    }

    func lines(_ style: TextStyle) -> [String] {
        [
            "Wrote \(file): \(Readable.counted(checks, "recorded check")), \(Readable.counted(runs, "run")) of \(database)."
        ]
    }
}
