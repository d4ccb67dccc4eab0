internal import ArgumentParser
internal import BSON
internal import Chat
internal import Checks
internal import Consistency
internal import InputFiles
import Journal
internal import MigrationEngine
internal import Migrations
internal import MongoDriver

/// Looks for findings.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look for damage; change nothing.",
        discussion: """
            Exits 0 when nothing is wrong, or only warnings were found, and 1 when something is wrong. Each finding names its code, \
            where it is, how many documents it concerns, and the command that mends it.

            With --record each check is compared with the last one: what is new, what is known since when, what is right \
            again. --fail-on new fails for what is new alone; `check accept` keeps a finding from failing until a date.
            With --incremental it looks at what has changed since then alone, and keeps what it knows of the rest. With --watch \
            it stays and tells what is new.
            """, subcommands: [CheckAccept.self, CheckAccepted.self, CheckUnaccept.self, CheckHistory.self])

    @OptionGroup var options: GlobalOptions
    @OptionGroup var recording: RecordingOptions
    @OptionGroup var increment: IncrementalOptions
    @OptionGroup var watching: WatchOptions
    @OptionGroup var telling: TellingOptions

    @Option(
        help: ArgumentHelp(
            "Look for these findings alone, such as id.empty,count.wrong; a prefix such as ref stands for all of its "
                + "kind.", valueName: "code,…"))
    var only: String?

    @Option(
        help: ArgumentHelp(
            "How long counts that look wrong are left alone before they are looked at again, for a request may be between "
                + "its two writes; 0 looks once.", valueName: "duration"))
    var settle = Span(10)

    @Flag(help: "Count warnings as findings.")
    var strict = false

    func validate() throws {
        _ = try codes()
        if let path = telling.clash(with: recording.kept.recordFile) {
            throw ValidationError("`\(path)` is named twice; each output, and the records, need a file of their own.")
        }
        if telling.nagios, options.format == .json {
            throw ValidationError("--nagios prints one line; --output json=FILE writes the JSON beside it.")
        }
        if let objection = Seconds.objection("--settle", to: settle) { throw ValidationError(objection) }
        guard watching.watch else { return }
        let others = [
            ("--nagios", telling.nagios), ("--output", !telling.output.isEmpty),
            ("--metrics-file", telling.metricsFile != nil), ("--notify", telling.notify != nil),
            ("--fail-on", recording.failOn != .any), ("--strict", strict), ("--slice", increment.slice != nil),
        ]
        if let other = others.first(where: \.1) {
            throw ValidationError("\(other.0) is about the end of a check, and --watch has none.")
        }
    }

    func run() async throws {
        guard !watching.watch else { return try await stay() }
        let telling = CheckTelling(telling, failOn: recording.failOn, database: options.database)
        do {
            // Without --record a check changes nothing, and may ask a secondary.
            try await CommandSession.run(
                "check", options, requires: .chatDatabase,
                changes: recording.record && recording.kept.recordFile == nil, ended: telling.ended
            ) { try await look($0, telling) }
        } catch let code as ExitCode {
            throw ExitCode(telling.exitCode(code.rawValue))
        }
        let code = telling.exitCode(ExitStatus.done.rawValue)
        if code != 0 { throw ExitCode(code) }
    }

    /// Watches until a signal comes, or the time is up: an orderly end, also where the server doesn't answer.
    private func stay() async throws {
        let end = OrderlyEnd()
        try await CommandSession.run(
            "check", options, requires: .chatDatabase,
            changes: recording.record && recording.kept.recordFile == nil, ended: end.exitCode
        ) { session in
            let codes = try codes()
            let store = recording.kept.store(session.database)
            if recording.isRecorded { try await prune(store) }
            var watch = CheckWatch(
                session, codes, settle: settle.duration, every: watching.interval.duration, options.format,
                recording.isRecorded ? store : nil, acceptances: store.acceptances
            ) { records in
                try await look(
                    codes, records, since: try await session.database.serverTime(), CheckSoFar(), session)
            }
            let records = try await recording.kept.records(session.database, limit: Self.comparedRecords)
            try await watch.run(records, begun: end.begin)
            return .done
        }
    }

    private func look(_ session: CommandSession, _ telling: CheckTelling) async throws -> ExitStatus {
        let start = ContinuousClock.now
        let soFar = CheckSoFar()
        let codes = try codes()
        let database = session.database
        let store = recording.kept.store(database)
        // Before the check, which may take long: what can't be read is said at once.
        if recording.isRecorded { try await prune(store) }
        let records = try await recording.kept.records(database, limit: Self.comparedRecords)
        let accepted = try await store.acceptances()
        let freshness = try await Freshness(session, limit: options.maxStaleness)
        let made = try await Self.made(codes, database)
        let compare = { @Sendable (report: CheckReport) throws in
            try CheckComparison(report, codes: codes, records: records, accepted: accepted, now: WallClock.milliseconds)
        }
        if recording.failOn == .new, !recording.isRecorded {
            let uncompared = try compare(soFar.report).uncompared
            guard uncompared.isEmpty else {
                throw Failure(
                    .usage,
                    "--fail-on new: no recorded check has looked for \(uncompared.count == codes.count ? "this" : uncompared.map(\.rawValue).joined(separator: ", ")) in the same way, so nothing of it can be new. --record, or --record-file FILE, records one."
                )
            }
        }
        let resultSoFar = { @Sendable (report: CheckReport) in
            CheckResult(
                report, database, freshness, made: made, comparison: try? compare(report),
                duration: ContinuousClock.now - start)
        }
        let news = { @Sendable [self] (report: CheckReport, comparison: CheckComparison, result: CheckResult) throws in
            CheckTelling.News(
                outcome: outcome(report, comparison, database.name, codes, result.durationMS),
                json: try session.console.json(result), isCompared: !comparison.isBaseline)
        }
        session.soFar.tell { resultSoFar(soFar.report) }
        telling.tellAtDeadline {
            guard soFar.hasBegun else { return nil }
            let report = soFar.report
            return try? news(report, compare(report), resultSoFar(report))
        }
        let looked = try await look(codes, records, since: freshness.began, soFar, session)
        let report = looked.report
        if !report.isCutShort { try await freshness.check() }
        let damage = report.isCutShort ? nil : try await Self.damage(report, database)
        let comparison = try compare(report)
        let status = status(report, comparison, session)
        let kept = await keep(looked, comparison, codes, status, since: start, in: store, session)
        var result = CheckResult(
            report, database, freshness, made: made, damage: damage, comparison: comparison,
            record: try? kept.get(), duration: ContinuousClock.now - start)
        result.coverage = looked.coverage
        var told = try news(report, comparison, result)
        if self.telling.metricsFile != nil, !report.isCutShort {
            told.outcome.state = await Self.state(database, session.console)
        }
        if case .failure(let error) = kept { told.outcome.failure = "The check wasn't recorded: \(error)" }
        let changed = try await telling.tell(told, session.console, session.interruption) {
            try session.console.print(result, options.format)
        }
        // What was found is told all the same.
        if case .failure(let error) = kept {
            session.console.error("chat-admin: The check wasn't recorded: \(error)")
            return ExitStatus(error)
        }
        return status == .done || status == .findings ? changed ?? status : status
    }

    /// What a check has looked at, what it has found, and what a later one has to know of it.
    struct LookedAt {
        let report: CheckReport
        /// Nil where everything was to be looked at.
        var coverage: CheckResult.Coverage?
        var plan: IncrementalPlan?
        var basis: CheckBasis?
    }

    /// Looks at what has changed, or at everything.
    ///
    /// - Parameter begun: When the check began, by the server's clock, in milliseconds since 1970.
    private func look(
        _ codes: Set<FindingCode>, _ records: [CheckRecord], since begun: Int64, _ soFar: CheckSoFar,
        _ session: CommandSession
    ) async throws -> LookedAt {
        let database = session.database
        let checker = Checker(database: database, schema: .chat, settle: settle.duration, progress: session.progress)
        var coverage: CheckResult.Coverage?
        if increment.incremental || watching.watch {
            // A secondary may not have yet what the stream of changes has told.
            let primary = database.onPrimary
            let checker = Checker(database: primary, schema: .chat, settle: settle.duration, progress: session.progress)
            let choice = try await IncrementalPlan.choose(
                primary, .chat, codes, records, toolVersion: ToolVersion.current, share: increment.slice?.value,
                begun: begun, session.interruption)
            switch choice {
            case .incremental(let plan):
                let found = try await checker.check(
                    codes, of: plan.touched, orphaned: plan.carried.orphaned, interruption: session.interruption,
                    soFar: soFar, looked: plan.carried.note)
                // Of a check that was cut short it isn't known what still holds.
                let report = found.isCutShort ? found : plan.carried.added(to: found, plan.touched.slices)
                return LookedAt(
                    report: report, coverage: CheckResult.Coverage(plan.coverage), plan: plan, basis: plan.basis)
            case .full(let reason):
                session.progress(.note("Looking at everything: \(reason)."))
                coverage = CheckResult.Coverage(fullBecause: reason)
            }
        }
        let basis =
            recording.isRecorded || watching.watch
            ? try await IncrementalPlan.basis(database, .chat, begun: begun) : nil
        let report = try await checker.check(codes, interruption: session.interruption, soFar: soFar)
        return LookedAt(report: report, coverage: coverage, basis: basis)
    }

    private func outcome(
        _ report: CheckReport, _ comparison: CheckComparison, _ database: String, _ codes: Set<FindingCode>,
        _ durationMS: Int64
    ) -> CheckOutcome {
        var outcome = CheckOutcome(database: database)
        outcome.hasLooked = true
        outcome.found = zip(report.findings, comparison.items).map { finding, item in
            CheckOutcome.Found(finding, item, fails: counts(finding) && fails(item))
        }
        outcome.codes = FindingCode.allCases.filter(codes.contains)
        outcome.unchecked = report.unchecked
        outcome.resolved = comparison.isBaseline ? 0 : comparison.resolved.reduce(0) { $0 + $1.count }
        outcome.sizes = report.sizes
        outcome.durationMS = durationMS
        return outcome
    }

    /// What stands beside the findings.
    private static func state(_ database: Database, _ console: Console) async -> CheckOutcome.State? {
        do {
            let steps = try await ChatMigrations.runner.status(database)
            let isLeaseHeld = if case .held = try await Lease.holding(database) { true } else { false }
            return CheckOutcome.State(
                pendingSteps: steps.count { $0.state != .applied },
                openEntries: try await Resumer.openEntries(database), isLeaseHeld: isLeaseHeld)
        } catch {
            console.error("chat-admin: Pending steps, journal and lease aren't among the metrics: \(error)")
            return nil
        }
    }

    /// The last record may have looked for something else: so many are looked through.
    static let comparedRecords = 50

    /// The exit code: 1 for what is wrong and isn't accepted, as --fail-on says.
    private func status(
        _ report: CheckReport, _ comparison: CheckComparison, _ session: CommandSession
    ) -> ExitStatus {
        if report.isCutShort, let reason = session.interruption.reason {
            return ExitStatus(EngineError.interrupted(reason))
        }
        // What nobody has looked at isn't clean.
        guard report.unchecked.isEmpty else { return .findings }
        let isFailing = zip(report.findings, comparison.items).contains { counts($0) && fails($1) }
        return isFailing ? .findings : .done
    }

    private func counts(_ finding: Finding) -> Bool { strict || finding.severity == .error }

    private func fails(_ item: CheckComparison.Item) -> Bool {
        recording.failOn.count(new: item.new, known: item.known) > 0
    }

    private func prune(_ store: any CheckStore) async throws {
        do {
            try await store.prune(keepingDays: recording.keep)
        } catch let error as MongoError where error.kind == .unauthorized {
            throw Failure(
                .notAllowed,
                "This user may not record a check: that takes find, insert, update and remove in `\(StateCollection.checks)`, "
                    + "as the role readWrite has them. --record-file FILE keeps records in a file, and needs the role read "
                    + "alone.")
        }
    }

    /// - Returns: What was kept; nil without --record.
    private func keep(
        _ looked: LookedAt, _ comparison: CheckComparison, _ codes: Set<FindingCode>, _ status: ExitStatus,
        since start: ContinuousClock.Instant, in store: any CheckStore, _ session: CommandSession
    ) async -> Result<CheckRecord?, any Error> {
        guard recording.isRecorded else { return .success(nil) }
        do {
            return .success(try await record(looked, comparison, codes, status, since: start, in: store, session))
        } catch {
            return .failure(error)
        }
    }

    private func record(
        _ looked: LookedAt, _ comparison: CheckComparison, _ codes: Set<FindingCode>, _ status: ExitStatus,
        since start: ContinuousClock.Instant, in store: any CheckStore, _ session: CommandSession
    ) async throws -> CheckRecord {
        var record = try CheckRecord(
            looked.report, codes: codes, durationMS: (ContinuousClock.now - start).milliseconds,
            toolVersion: ToolVersion.current, serverVersion: session.database.server.version,
            now: WallClock.milliseconds, coverage: looked.plan?.coverage)
        record.basis = looked.basis
        for (index, item) in comparison.items.enumerated() {
            if let since = item.since { record.items[index].since = since }
            record.items[index].accepted = item.accepted
            record.items[index].unconfirmed = looked.plan?.carried.unconfirmed(item.name)
        }
        record.exitCode = status.rawValue
        record.new = comparison.items.reduce(0) { $0 + $1.new }
        record.resolved = comparison.resolved.reduce(0) { $0 + $1.count }
        record.isBaseline = comparison.isBaseline
        return try await store.append(record)
    }

    /// The newest of the damage that was found.
    private static func damage(_ report: CheckReport, _ database: Database) async throws -> DamageResult? {
        let found = Set(report.findings.map(\.code)).intersection(FindingCode.ofBug)
        guard !found.isEmpty else { return nil }
        do {
            return try await DamageResult.newest(database, found, isKnown: true)
        } catch is StateError {
            return nil  // As below.
        }
    }

    /// What applied steps have made, where somebody asks for it: what then isn't there got lost.
    private static func made(_ codes: Set<FindingCode>, _ database: Database) async throws -> Set<Installed> {
        guard !codes.isDisjoint(with: [.missingGuard, .missingIndex]) else { return [] }
        do {
            return try await Installed.made(in: database)
        } catch is StateError {
            // `migrate up` then says what is wrong with the ledger.
            return []
        }
    }

    private func codes() throws -> Set<FindingCode> {
        guard let only else { return Set(FindingCode.allCases) }
        var codes: Set<FindingCode> = []
        for name in only.split(separator: ",", omittingEmptySubsequences: false) {
            codes.formUnion(try FindingCode.named(String(name)))
        }
        return codes
    }
}

extension FindingCode {
    /// The codes that a name stands for: a code itself, or all of a kind, such as `ref`.
    ///
    /// - Throws: `ValidationError` with the codes where there is none.
    static func named(_ name: String) throws -> [FindingCode] {
        let matching = allCases.filter { $0.rawValue == name || $0.rawValue.hasPrefix("\(name).") }
        guard matching.isEmpty else { return matching }
        let codes = allCases.map(\.rawValue)
        let near = NearestName.of(name, among: codes).map { "Did you mean `\($0)`? " } ?? ""
        throw ValidationError("There is no finding `\(name)`. \(near)The codes are \(codes.joined(separator: ", ")).")
    }
}
