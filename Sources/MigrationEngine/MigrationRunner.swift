internal import BSON
internal import MongoDriver

/// One step as `migrate status` and the results of `up` and `down` show it.
public struct StepStatus: Sendable {
    /// The step's version.
    public let version: Int64
    /// The step's name.
    public let name: String
    /// What it does; empty for a step that only the ledger knows.
    public let summary: String
    /// Where it stands.
    public let state: StepState
    /// What the ledger knows of it.
    public let row: LedgerRow?
    /// `edited`, `missing`, `out-of-order`.
    public let problems: [String]
}

/// A step that was worked on.
public struct StepResult: Sendable {
    /// The step's version.
    public let version: Int64
    /// The step's name.
    public let name: String
    /// Where it stands now.
    public let state: StepState
    /// How long it took.
    public let duration: Duration
}

/// Applies the steps of a series, and takes them back.
public struct MigrationRunner: Sendable {
    /// The name of the series in the ledger.
    public let series: String
    /// The steps, by version.
    public let steps: [any Migration]

    /// Makes a runner.
    public init(series: String, steps: [any Migration]) {
        self.series = series
        self.steps = steps.sorted { $0.version < $1.version }
    }

    private var known: [MigrationPlanner.Step] {
        steps.map { MigrationPlanner.Step(version: $0.version, name: $0.name) }
    }

    /// Every step, and every row of the ledger that has no step any more.
    ///
    /// - Throws: `MongoError`.
    public func status(_ database: Database) async throws -> [StepStatus] {
        let rows = try await Ledger(database: database, series: series).rows()
        let problems = MigrationPlanner.problems(steps: known, ledger: rows.mapValues(\.state))
        let present = steps.map { step in
            StepStatus(
                version: step.version, name: step.name, summary: step.summary,
                state: rows[step.version]?.state ?? .pending, row: rows[step.version],
                problems: problems[step.version] ?? [])
        }
        let known = Set(steps.map(\.version))
        let gone = rows.values.filter { !known.contains($0.version) && $0.state != .reverted }.map { row in
            StepStatus(
                version: row.version, name: row.name, summary: "", state: row.state, row: row,
                problems: problems[row.version] ?? [])
        }
        return (present + gone).sorted { $0.version < $1.version }
    }

    /// The steps that a request is about, in the order in which they will be worked on.
    ///
    /// - Throws: ``EngineError``, `MongoError`.
    public func selection(
        _ request: MigrationPlanner.Request, _ database: Database, allowOutOfOrder: Bool = false
    ) async throws -> [any Migration] {
        let rows = try await Ledger(database: database, series: series).rows()
        let versions = try MigrationPlanner.versions(
            steps: known, ledger: rows.mapValues(\.state), request: request, allowOutOfOrder: allowOutOfOrder)
        return versions.map { version in
            steps.first { $0.version == version }
                ?? UnknownStep(version: version, name: rows[version]?.name ?? "unknown")
        }
    }

    /// Looks whether every step can be applied, before the first one is.
    ///
    /// - Throws: ``EngineError/blocked(version:name:reasons:)``.
    public func checkBlockers(_ selection: [any Migration], _ database: Database) async throws {
        for step in selection {
            let reasons = try await step.blockers(database)
            guard reasons.isEmpty else {
                throw EngineError.blocked(version: step.version, name: step.name, reasons: reasons)
            }
        }
    }

    /// Applies steps, oldest first.
    ///
    /// - Parameters:
    ///   - selection: The steps, as ``selection(_:_:allowOutOfOrder:)`` chose them.
    ///   - context: What they work with.
    ///   - description: Who runs them, for the ledger.
    ///   - finished: Called after each step.
    /// - Throws: ``EngineError/stepFailed(version:name:underlying:)``; ``EngineError`` of an interruption.
    public func up(
        _ selection: [any Migration], _ context: StepContext, _ description: RunDescription,
        finished: (StepResult) -> Void
    ) async throws {
        try await work(
            selection, context, description, during: .applying, after: .applied, finished: finished
        ) { step in try await step.up(context) }
    }

    /// Takes steps back, newest first, from the journal.
    ///
    /// - Parameters: as of ``up(_:_:_:finished:)``.
    /// - Throws: ``EngineError/stepFailed(version:name:underlying:)``; ``EngineError`` of an interruption.
    public func down(
        _ selection: [any Migration], _ context: StepContext, _ description: RunDescription,
        finished: (StepResult) -> Void
    ) async throws {
        let rows = try await Ledger(database: context.database, series: series).rows()
        try await work(
            selection, context, description, during: .reverting, after: .reverted, finished: finished
        ) { step in
            for run in (rows[step.version]?.runs ?? []).reversed() {
                try await Undo(run: context.run).revert(run: run, step: step.version)
            }
        }
    }

    /// What taking steps back would change, by what the journal says. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    public func planDown(_ selection: [any Migration], _ database: Database) async throws -> [Change] {
        let rows = try await Ledger(database: database, series: series).rows()
        let tally = Tally()
        for step in selection {
            for run in rows[step.version]?.runs ?? [] {
                for change in try await Undo.plan(database, run: run, step: step.version) {
                    tally.changed(change.code, change.collection, change.changed)
                }
            }
        }
        return tally.changes
    }

    private func work(
        _ selection: [any Migration], _ context: StepContext, _ description: RunDescription,
        during: StepState, after: StepState, finished: (StepResult) -> Void,
        _ body: (any Migration) async throws -> Void
    ) async throws {
        let ledger = Ledger(database: context.database, series: series)
        for step in selection {
            try context.run.checkpoint()
            let start = ContinuousClock.now
            let before = context.run.baseline(of: step.version)
            let left = context.run.tally.timesLeft
            try await ledger.begin(step, during, run: context.run, description: description)
            context.run.step = step.version
            do {
                try await body(step)
            } catch {
                context.run.step = nil
                throw try await fail(step, ledger, context.run, since: start, error)
            }
            context.run.step = nil
            let duration = ContinuousClock.now - start
            let changes = Self.difference(context.run.tally.changes, before)
            // A step of which something was left isn't taken back whole: it stays as it is for another try.
            let isPartial = after == .reverted && context.run.tally.timesLeft != left
            let state: StepState = isPartial ? .reverting : after
            try await ledger.end(
                step.version, state, run: context.run, duration: duration, changes: changes, error: nil)
            finished(StepResult(version: step.version, name: step.name, state: state, duration: duration))
        }
    }

    /// Writes down that a step failed. One that was interrupted keeps its state: it is resumed, not failed.
    private func fail(
        _ step: any Migration, _ ledger: Ledger, _ run: Run, since start: ContinuousClock.Instant, _ error: any Error
    ) async throws -> any Error {
        switch error {
        case EngineError.interrupted, EngineError.leaseLost: return error
        default: break
        }
        do {
            try await ledger.end(
                step.version, .failed, run: run, duration: ContinuousClock.now - start, changes: [], error: error)
        } catch let second {
            return EngineError.stepFailed(
                version: step.version, name: step.name, underlying: FailureTwice(first: error, second: second))
        }
        return EngineError.stepFailed(version: step.version, name: step.name, underlying: error)
    }

    private static func difference(_ after: [Change], _ before: [Change]) -> [Change] {
        after.compactMap { change in
            let earlier =
                before.first { $0.code == change.code && $0.collection == change.collection }?.changed ?? 0
            guard change.changed > earlier else { return nil }
            return Change(code: change.code, collection: change.collection, changed: change.changed - earlier)
        }
    }
}

/// A step that only the ledger knows: it can be taken back from the journal, not applied.
private struct UnknownStep: Migration {
    let version: Int64
    let name: String
    let summary = ""

    func plan(_ database: Database) async throws -> StepPlan { StepPlan() }
    func up(_ context: StepContext) async throws {
        throw EngineError.ledger("Step \(version) isn't known to this version of the tool.")
    }
}
