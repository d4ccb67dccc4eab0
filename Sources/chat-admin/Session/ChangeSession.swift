internal import BSON
internal import Chat
internal import Consistency
internal import Glibc
internal import Journal
internal import MongoDriver

/// What every command that changes the database has in common: limit, question, lease, resuming, the record's end.
extension CommandSession {
    /// Carries a change out as a recorded run.
    ///
    /// - Parameters:
    ///   - change: The change's options.
    ///   - asks: Whether the user is asked; seeding a local server isn't.
    ///   - offline: Whether nobody else writes meanwhile.
    ///   - plan: How many documents the change would touch, and the plan in words; computed only when it is needed.
    ///   - body: The change. Where the connection breaks it runs again from its start, so it looks at the data, not at
    ///     what was planned.
    /// - Returns: The run, for its results.
    func change(
        _ change: ChangeOptions, asks: Bool = true, offline: Bool = false,
        plan: () async throws -> (changes: Int, lines: [String]), _ body: (Run, RunDescription) async throws -> Void
    ) async throws -> Run {
        try await confirm(change, asks: asks, plan)
        let description = RunDescription(
            command: command, arguments: SecretArguments.recorded(Array(CommandLine.arguments.dropFirst())),
            toolVersion: ToolVersion.current, words: { [words] in words.words($0) })
        let lifecycle = RunLifecycle(
            database: database, pool: pool, source: SchemaReferenceSource(database: database, schema: .chat),
            interruption: interruption,
            throttle: Throttle(maxLag: change.maxLag?.duration, pause: pause), progress: progress,
            remark: { [console] in console.remark($0) }, acquired: { [stop] in stop.release() })
        if change.wait.seconds > 0 { stop.limit(change.wait.duration) }
        return try await lifecycle.perform(description, wait: change.wait.duration, offline: offline) { run in
            trail.begin(run)
            try await body(run, description)
        }
    }

    private func confirm(
        _ change: ChangeOptions, asks: Bool, _ plan: () async throws -> (changes: Int, lines: [String])
    ) async throws {
        let isAsked = asks && !change.yes
        if isAsked, !console.canAsk {
            throw Failure(
                .refused,
                "This changes the database, and there is no terminal to ask at: add --yes, or look first with "
                    + "--dry-run.")
        }
        guard isAsked || change.maxChanges != nil else { return }
        let planned = try await plan()
        if let limit = change.maxChanges {
            let total = try await documentCount()
            guard limit.allows(planned.changes, of: total) else {
                throw Failure(
                    .refused,
                    "The plan changes \(planned.changes) of \(total) documents, more than --max-changes allows. "
                        + "Nothing was changed.")
            }
        }
        guard isAsked, planned.changes > 0 else { return }
        console.error(planned.lines)
        try await ask()
    }

    private func ask() async throws {
        let hosts = database.client.connectionString.hosts.joined(separator: ",")
        let isLocal = database.isLocal
        let expected = isLocal ? "yes" : database.name
        let what = isLocal ? "Type yes to continue: " : "Type the database's name to continue: "
        guard try await console.ask("This changes `\(database.name)` at \(hosts). \(what)", interruption) == expected
        else {
            throw Failure(.refused, "Not confirmed. Nothing was changed.")
        }
    }

    private func documentCount() async throws -> Int {
        var total = 0
        let present = try await database.client.listCollections(database.name)
        for name in present.keys where !name.hasPrefix(StateCollection.prefix) && present[name]?.type != "view" {
            total += try await database.documentCount(of: name)
        }
        return total
    }

    /// What a run changed, and what it left; nil for none, because there was nothing to do.
    func result(_ run: Run?, left: [ChangeResult.Left], since start: ContinuousClock.Instant) -> ChangeResult {
        ChangeResult(
            command: command, database: database.name, run: run.flatMap { $0.record.exists ? $0.id.hex : nil },
            dryRun: false, changes: run?.totals.changes ?? [], left: left,
            isUnjournalled: run?.record.isUnjournalled ?? false,
            durationMS: (ContinuousClock.now - start).milliseconds)
    }

    /// The exit code of a run that has come to its end, or to that of its time.
    ///
    /// - Parameter isWhole: Whether nothing of what was asked for is left.
    func status(_ run: Run?, isWhole: Bool) -> ExitStatus {
        guard run?.circumstances.isCutShort != true else {
            console.remark("The time given by --max-time is over. Run the same command again to resume.")
            return .timeOver
        }
        if isWhole { return .done }
        // What never came to rest was waited for until time was up.
        return interruption.reason == .timeIsUp ? .timeOver : .findings
    }

    /// What a plan would change, and what it would leave.
    func result(_ plans: [StepPlan], since start: ContinuousClock.Instant) -> ChangeResult {
        ChangeResult(
            command: command, database: database.name, run: nil, dryRun: true,
            changes: Self.changes(plans.flatMap(\.operations)),
            left: plans.flatMap(\.leftovers).map { ChangeResult.Left($0, words) },
            durationMS: (ContinuousClock.now - start).milliseconds)
    }

    /// Adds a plan's operations up as a run's totals would.
    private static func changes(_ operations: [PlannedOperation]) -> [Change] {
        let totals = Totals()
        for operation in operations { totals.changed(operation.code, operation.collection, operation.matched) }
        return totals.changes
    }

    /// What is left of some findings after a repair: what the check finds, with the repair's own reasons where it gave
    /// one.
    func leftovers(_ codes: Set<FindingCode>, _ run: Run?) async throws -> [ChangeResult.Left] {
        // Where time was up there is none left to look.
        let told = run?.totals.leftovers ?? []
        guard !codes.isEmpty, run?.circumstances.isCutShort != true else {
            return told.map { ChangeResult.Left($0, words) }
        }
        let report = try await Checker(database: database, schema: .chat, progress: progress).check(codes)
        let rest = report.findings.filter { $0.severity == .error }.compactMap { found -> ChangeResult.Left? in
            let known = told.filter { $0.code == found.code.rawValue && $0.collection == found.collection }
                .reduce(0) { $0 + $1.count }
            guard found.count > known else { return nil }
            let leftover = Leftover(
                code: found.code.rawValue, collection: found.collection, count: found.count - known,
                // A recount fills one field, whatever was repaired here.
                reason: found.repair == found.code.repair
                    ? found.code.reasonLeft : found.repair.map { Sentence("`\($0)` sets it") } ?? found.code.reasonLeft)
            return ChangeResult.Left(leftover, words, samples: found.samples.map(JSONValue.init))
        }
        return told.map { ChangeResult.Left($0, words) } + rest
    }
}
