internal import BSON
internal import Chat
internal import Consistency
internal import Glibc
internal import Journal
internal import MongoDriver

/// What somebody has to know before a change.
struct Remark {
    let text: String
    /// What has to be typed to go on all the same; nil where it is enough to have read it.
    let answer: String?
}

/// What every command that changes the database has in common: limit, question, lease, resuming, the record's end.
extension CommandSession {
    /// Carries a change out as a recorded run.
    ///
    /// - Parameters:
    ///   - change: The change's options.
    ///   - asks: Whether the user is asked; seeding a local server isn't.
    ///   - offline: Whether nobody else writes meanwhile.
    ///   - showsProgress: Whether there is an end to be come to.
    ///   - remark: What the user has to know before the change, whether asked or not.
    ///   - plan: How many documents the change would touch, and the plan in words; computed only when it is needed.
    ///   - body: The change. Where the connection breaks it runs again from its start, so it looks at the data, not at
    ///     what was planned.
    /// - Returns: The run, for its results.
    func change(
        _ change: ChangeOptions, asks: Bool = true, offline: Bool = false, showsProgress: Bool = true,
        remark: Remark? = nil, plan: () async throws -> (changes: Int, lines: [String]),
        _ body: (Run, RunDescription) async throws -> Void
    ) async throws -> Run {
        try await self.change(
            change, asks: asks, offline: offline, showsProgress: showsProgress, remark: remark, plan: plan,
            handedOver: { _ in }, inTurn: { try await body($0.last, $1) })
    }

    /// Carries a change out in one recorded run after another.
    ///
    /// - Parameters:
    ///   - handedOver: Told of each run that has ended but the last.
    ///   - body: The change; the rest is as for the change in one run.
    /// - Returns: The last run, for its results.
    func change(
        _ change: ChangeOptions, asks: Bool, offline: Bool = false, showsProgress: Bool,
        remark: Remark? = nil, plan: () async throws -> (changes: Int, lines: [String]),
        handedOver: @escaping @Sendable (Run) throws -> Void,
        inTurn body: (RunLine, RunDescription) async throws -> Void
    ) async throws -> Run {
        try await confirm(change, asks: asks, remark, plan)
        let description = RunDescription(
            command: command, arguments: SecretArguments.recorded(Array(CommandLine.arguments.dropFirst())),
            toolVersion: ToolVersion.current, words: { [words] in words.words($0) })
        let nothing: ProgressReport = { _ in }
        let lifecycle = RunLifecycle(
            database: database, pool: pool, source: SchemaReferenceSource(database: database, schema: .chat),
            interruption: interruption,
            throttle: Throttle(maxLag: change.maxLag?.duration, pause: pause),
            progress: showsProgress ? progress : nothing,
            remark: { [console] in console.remark($0) }, acquired: { [stop] in stop.release() })
        if change.wait.seconds > 0 { stop.limit(change.wait.duration) }
        return try await lifecycle.perform(
            description, wait: change.wait.duration, offline: offline, handedOver: handedOver
        ) { line in
            trail.begin(line)
            try await body(line, description)
        }
    }

    /// Works out what undoing runs would change and leave. Changes nothing.
    func preview(undoing selections: [UndoPreview.Selection]) async throws -> UndoPreview {
        try await UndoPreview(
            database, undoing: selections, source: SchemaReferenceSource(database: database, schema: .chat),
            interruption: interruption, progress: progress)
    }

    private func confirm(
        _ change: ChangeOptions, asks: Bool, _ remark: Remark?,
        _ plan: () async throws -> (changes: Int, lines: [String])
    ) async throws {
        let isAsked = asks && !change.yes
        if isAsked, !console.canAsk {
            throw Failure(
                .refused,
                "This changes the database, and there is no terminal to ask at: add --yes, or look first with "
                    + "--dry-run.")
        }
        if !isAsked, let remark { console.remark(remark.text) }
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
        if let remark { try await ask(remark) }
        try await ask()
    }

    private func ask(_ remark: Remark) async throws {
        console.error(remark.text)
        guard let answer = remark.answer else { return }
        guard try await console.ask("Type \(answer) to do it all the same: ", interruption) == answer else {
            throw Failure(.refused, "Not confirmed. Nothing was changed.")
        }
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
    ///
    /// - Parameter changes: What was changed, where that isn't the run's alone.
    func result(
        _ run: Run?, changes: [Change]? = nil, left: [ChangeResult.Left], since start: ContinuousClock.Instant
    ) -> ChangeResult {
        ChangeResult(
            command: command, database: database.name, run: run.flatMap { $0.record.exists ? $0.id.hex : nil },
            dryRun: false, changes: changes ?? run?.totals.changes ?? [], left: left,
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
        console.enter(stage: "looking at what is left")
        let report = try await Checker(database: database, schema: .chat, progress: progress).check(codes)
        let rest = report.findings.filter { $0.severity == .error }.compactMap { found -> (Finding, count: Int)? in
            let known = told.filter { $0.code == found.code.rawValue && $0.collection == found.collection }
                .reduce(0) { $0 + $1.count }
            return found.count > known ? (found, found.count - known) : nil
        }
        let arrived = try await repairable(Set(rest.map(\.0.code)))
        let stuck =
            told.filter { Self.isEmptyID($0.code) }.map(\.collection)
            + rest.map(\.0).filter { Self.isEmptyID($0.code.rawValue) }.map(\.collection)
        return told.map { ChangeResult.Left($0, words) }
            + rest.flatMap { found, count in left(of: found, count, arrived: arrived, stuck: Set(stuck)) }
    }

    private static func isEmptyID(_ code: String) -> Bool {
        [FindingCode.emptyID, .nullID].contains { $0.rawValue == code }
    }

    /// Why a finding is left.
    ///
    /// - Parameter stuck: The collections in which a document is left with an empty `_id`.
    private static func reason(_ found: Finding, stuck: Set<String>) -> Sentence {
        let schema = DatabaseSchema.chat.collection(found.collection)
        if found.code == .emptyReference,
            let target = schema?.references.first(where: { $0.field == found.field })?.target, stuck.contains(target)
        {
            return "it may belong to the document of \(target) whose _id is left; mend that first"
        }
        // A recount fills one field, whatever was repaired here.
        return found.repair == found.code.repair
            ? found.code.reasonLeft : found.repair.map { Sentence("`\($0)` sets it") } ?? found.code.reasonLeft
    }

    /// What a repair would mend of some findings now: it wasn't there, or not so, when the repair looked.
    private func repairable(_ codes: Set<FindingCode>) async throws -> [PlannedOperation] {
        var operations: [PlannedOperation] = []
        if codes.contains(where: { $0.repair == FindingCode.emptyID.repair }) {
            operations += try await IdentityRepair(database: database, schema: .chat).plan().operations
        }
        if !codes.isDisjoint(with: [.emptyReference, .textReference, .missingField]) {
            operations +=
                try await FieldRepair(database: database, schema: .chat, [.references, .absentFields]).plan().operations
        }
        return operations
    }

    /// A finding's lines: what has arrived since, and what no repair mends.
    private func left(
        of found: Finding, _ count: Int, arrived: [PlannedOperation], stuck: Set<String>
    ) -> [ChangeResult.Left] {
        let mendable = arrived.filter {
            $0.code == found.code.rawValue && $0.collection == found.collection
                && ($0.field == nil || $0.field == found.field)
        }
        let since = min(count, mendable.reduce(0) { $0 + $1.matched })
        let reason = Self.reason(found, stuck: stuck)
        let parts: [(Int, Sentence, [JSONValue])] = [
            (
                since,
                Sentence("arrived, or changed, since it was repaired; `\(found.repair ?? "repair all")` mends it"),
                mendable.flatMap(\.samples).map(JSONValue.init)
            ),
            (count - since, reason, found.samples.map(JSONValue.init)),
        ]
        return parts.filter { $0.0 > 0 }.map { count, reason, samples in
            let leftover = Leftover(
                code: found.code.rawValue, collection: found.collection, count: count, reason: reason)
            return ChangeResult.Left(leftover, words, field: found.field, samples: samples)
        }
    }
}
