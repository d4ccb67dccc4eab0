internal import BSON
package import Journal
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
    /// What is wrong with it.
    public let problems: [StepProblem]
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

/// Applies the steps of a series, and reverts them.
package struct MigrationRunner: Sendable {
    /// The name of the series in the ledger.
    package let series: String
    /// The steps, by version.
    package let steps: [any Migration]

    /// Makes a runner.
    package init(series: String, steps: [any Migration]) {
        self.series = series
        self.steps = steps.sorted { $0.version < $1.version }
    }

    /// What the planner knows of the steps.
    package var known: [MigrationPlanner.Step] {
        steps.map {
            MigrationPlanner.Step(
                version: $0.version, name: $0.name, checksum: $0.checksum, formerChecksums: $0.formerChecksums,
                lowestVersion: type(of: $0).lowestVersion)
        }
    }

    /// Every step, and every row of the ledger that has no step any more.
    ///
    /// - Throws: `MongoError`.
    package func status(_ database: Database) async throws -> [StepStatus] {
        let rows = try await Ledger(database: database, series: series).rows()
        let problems = MigrationPlanner.problems(steps: known, ledger: rows.mapValues(\.record))
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
    package func selection(
        _ request: MigrationPlanner.Request, _ database: Database, allowOutOfOrder: Bool = false
    ) async throws -> [any Migration] {
        let rows = try await Ledger(database: database, series: series).rows()
        let versions = try MigrationPlanner.versions(
            steps: known, ledger: rows.mapValues(\.record), request: request, allowOutOfOrder: allowOutOfOrder)
        return versions.map { version in
            steps.first { $0.version == version }
                ?? UnknownStep(version: version, name: rows[version]?.name ?? "unknown")
        }
    }

    /// Those of some steps that are still to be reverted, newest first: an attempt that begins anew after a broken connection
    /// must not revert another step than the first one chose.
    ///
    /// - Throws: ``EngineError``, `MongoError`.
    package func selection(reverting chosen: Set<Int64>, _ database: Database) async throws -> [any Migration] {
        try await selection(.down(to: -1), database).filter { chosen.contains($0.version) }
    }

    /// What a step, one after another of a selection, would do, and what stands in its way. Changes nothing.
    ///
    /// - Parameters:
    ///   - selection: The steps, oldest first.
    ///   - database: The database.
    ///   - each: Called with each step, its plan, why it can't be applied, and how long looking took.
    /// - Throws: `MongoError`, and what the closure throws.
    package func plan(
        _ selection: [any Migration], _ database: Database,
        each: (any Migration, StepPlan, [Sentence], Duration) throws -> Void
    ) async throws {
        let rows = try await Ledger(database: database, series: series).rows()
        var forgotten = try await forgottenBaseline(selection, rows, database)
        var touched: Set<String> = []
        for step in selection {
            let start = ContinuousClock.now
            let row = rows[step.version]
            let situation = try await StepSituation(step, row, database, touched: touched)
            let plan = try await step.plan(database, situation)
            let looking = ContinuousClock.now - start
            var blockers = try await step.blockers(database, situation).map { Sentence($0) }
            if let row, row.isHalfDone {
                if row.isUndecided, let error = row.error { blockers.append(Sentence(error)) }
                blockers += try [step.objection(to: .up, row)].compactMap { $0 }
            }
            if let reason = forgotten { blockers.insert(reason, at: 0) }
            forgotten = nil
            try each(step, plan, blockers, looking)
            touched.formUnion(step.touched)
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
    package func up(
        _ selection: [any Migration], _ context: StepContext, _ description: RunDescription,
        finished: (StepResult) -> Void
    ) async throws {
        guard !selection.isEmpty else { return }
        // Also those that this run leaves pending: a later one may find data that are changed by then.
        let rows = try await Ledger(database: context.database, series: series).rows()
        for step in steps where rows[step.version]?.state != .applied { try await step.prepare(context) }
        try await work(
            selection, context, description, during: .applying, after: .applied, finished: finished
        ) { step, context, row in
            let isBegun = try await step.isBegun(row, context.database)
            let missing = isBegun ? [] : try await step.preconditions(context.database)
            guard missing.isEmpty else { throw ConditionsUnmet(when: "before it could begin", conditions: missing) }
            try await step.up(context)
            let broken = try await step.postconditions(context.database)
            guard broken.isEmpty else { throw ConditionsUnmet(when: "after it was applied", conditions: broken) }
        }
    }

    /// Reverts steps, newest first: by their own means where they have some, or else from the journal.
    ///
    /// - Parameters: as of ``up(_:_:_:finished:)``.
    /// - Throws: ``EngineError/stepFailed(version:name:underlying:)``; ``EngineError`` of an interruption.
    package func down(
        _ selection: [any Migration], _ context: StepContext, _ description: RunDescription,
        finished: (StepResult) -> Void
    ) async throws {
        try await work(
            selection, context, description, during: .reverting, after: .reverted, finished: finished
        ) { step, context, row in
            if try await Self.hasNoEffect(step, row, context.database) { return }
            guard step.usesOwnDown(row) else {  // From the journal, every attempt.
                for run in (row?.runs ?? []).reversed() {
                    try await Undo(run: context.run).revert(run: run, step: step.version)
                }
                if let row, row.isUnjournalled {
                    context.run.totals.left(
                        "step \(step.version)", StateCollection.migrations, 1,
                        reason:
                            "some of what it did isn't in the journal, and stands; revert it by hand, and "
                            + "\(EngineAdvice.declare(step.version, .reverted))")
                }
                return
            }
            try await step.down(context)
            // What the step had journalled is reverted with it, and not a second time.
            try await context.run.close(row?.runs ?? [], step: step.version)
        }
    }

    /// What reverting steps would change, by what the journal says, or the steps themselves. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    package func planDown(_ selection: [any Migration], _ database: Database) async throws -> [Change] {
        let rows = try await Ledger(database: database, series: series).rows()
        let totals = Totals()
        for step in selection where try await !Self.hasNoEffect(step, rows[step.version], database) {
            if step.usesOwnDown(rows[step.version]) {
                for operation in try await step.planDown(database).operations {
                    totals.changed(operation.code, operation.collection, operation.matched)
                }
                continue
            }
            for run in rows[step.version]?.runs ?? [] {
                totals.changed(try await Undo.plan(database, run: run, step: step.version))
            }
        }
        return totals.changes
    }

    private func work(
        _ selection: [any Migration], _ context: StepContext, _ description: RunDescription,
        during: StepState, after: StepState, finished: (StepResult) -> Void,
        _ body: (any Migration, StepContext, LedgerRow?) async throws -> Void
    ) async throws {
        guard !selection.isEmpty else { return }
        let ledger = Ledger(database: context.database, series: series)
        let run = context.run
        let rows = try await ledger.claim(selection.map(\.version), try await ledger.rows(), run)
        var ended: (end: Ledger.End, result: StepResult)?
        do {
            for step in selection {
                try run.checkpoint()
                let row = rows[step.version]
                // A run that has lost its lease may have come to the end meanwhile.
                if row?.state == after { continue }
                let direction = during == .applying ? MigrationDirection.up : .down
                let isOwnDown = direction == .down && step.usesOwnDown(row)
                run.step = step.version
                defer { run.step = nil }
                let stepTotals = try await stepTotals(of: step, row, direction, isOwnDown: isOwnDown, ledger, run)
                let end = { (state: StepState?, error: (any Error)?) in
                    let figures = stepTotals.figures(run.totals)
                    return Ledger.End(
                        version: step.version, state: state, durationMS: stepTotals.durationMS,
                        changes: direction == .up ? figures.changes : nil, leftovers: figures.leftovers, error: error)
                }
                var context = context
                context.position = try await ledger.begin(
                    step, during, after: row, isOwnDown: isOwnDown, run: run, description: description,
                    ending: ended?.end)
                if let ended { finished(ended.result) }
                ended = nil
                let left = run.totals.timesLeft
                do {
                    try await body(step, context, row)
                } catch {
                    throw try await fail(
                        step, as: direction == .up ? .failed : .reverting, isOwnDown: isOwnDown, ledger, run, end, error
                    )
                }
                // A step of which the journal's undo left something isn't reverted whole: it stays as it is for another
                // try. One's own way back has come to its end.
                let isPartial = after == .reverted && !isOwnDown && run.totals.timesLeft != left
                let state: StepState = isPartial ? .reverting : after
                ended = (
                    end(state, nil),
                    StepResult(version: step.version, name: step.name, state: state, duration: stepTotals.duration)
                )
            }
        } catch let error as EngineError {
            // What asks to stop between two steps must not leave the one that is done looking half done.
            guard let ended, case .interrupted = error else { throw error }
            try await ledger.end(ended.end, run: run)
            finished(ended.result)
            throw error
        }
        if let ended {
            try await ledger.end(ended.end, run: run)
            finished(ended.result)
        }
    }

    /// The totals of a step, opened with what earlier runs have changed and left.
    private func stepTotals(
        of step: any Migration, _ row: LedgerRow?, _ direction: MigrationDirection, isOwnDown: Bool, _ ledger: Ledger,
        _ run: Run
    ) async throws -> StepTotals {
        try await run.stepTotals(of: step.version) {
            let stepTotals = try await ledger.openTotals(of: step.version, row, direction, isOwnDown: isOwnDown, run)
            if let row, row.isHalfDone, direction == .up || isOwnDown {
                try await step.nameUnknown(of: row.attempt, run)
            }
            return stepTotals
        }
    }

    /// Writes down that a step failed. One that was interrupted keeps its state: it is resumed, not failed.
    private func fail(
        _ step: any Migration, as failed: StepState, isOwnDown: Bool, _ ledger: Ledger, _ run: Run,
        _ end: (StepState?, (any Error)?) -> Ledger.End, _ error: any Error
    ) async throws -> any Error {
        let isInterrupted: Bool
        switch error.asStop {
        case EngineError.leaseLost: return error
        case EngineError.interrupted: isInterrupted = true
        default: isInterrupted = false
        }
        let failure = { (isKept: Bool, underlying: any Error) in
            EngineError.stepFailed(version: step.version, name: step.name, isKept: isKept, underlying: underlying)
        }
        do {
            if isInterrupted {
                try await ledger.end(end(nil, nil), run: run)
                return error
            }
            if isOwnDown, let row = try await ledger.rows()[step.version], row.applied != nil,
                try await !step.hasEffect(row, run.database)
            {
                try await ledger.keepApplied(row, error: error, run: run)
                return failure(true, error)
            }
            try await ledger.end(end(failed, error), run: run)
        } catch let second {
            let both = UnrecordedFailure(first: error, second: second)
            return isInterrupted ? both : failure(false, both)
        }
        return failure(false, error)
    }
}

/// What a step asked for, or promised, and isn't so.
struct ConditionsUnmet: Error, CustomStringConvertible {
    let when: String
    let conditions: [String]

    var description: String { "\(when), this wasn't so: " + conditions.joined(separator: "; ") }
}

extension LedgerRow {
    /// The row as the planner sees it.
    var record: MigrationPlanner.Record { MigrationPlanner.Record(state, checksum: checksum) }
}

/// A step that only the ledger knows: it can be reverted from the journal, not applied.
private struct UnknownStep: Migration {
    let version: Int64
    let name: String
    let summary = ""

    func plan(_ database: Database) async throws -> StepPlan { StepPlan() }
    func up(_ context: StepContext) async throws {
        throw EngineError.ledger("Step \(version) is missing here, so it can't be applied.")
    }
}
