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
        status(try await Ledger(database: database, series: series).rows())
    }

    /// The same by the ledger of a selection.
    package func status(_ selection: MigrationSelection) -> [StepStatus] { status(selection.rows) }

    private func status(_ rows: [Int64: LedgerRow]) -> [StepStatus] {
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
    ) async throws -> MigrationSelection {
        let rows = try await Ledger(database: database, series: series).rows()
        let versions = try MigrationPlanner.versions(
            steps: known, ledger: rows.mapValues(\.record), request: request, allowOutOfOrder: allowOutOfOrder)
        let chosen = versions.map { version -> any Migration in
            steps.first { $0.version == version }
                ?? UnknownStep(version: version, name: rows[version]?.name ?? "unknown")
        }
        return MigrationSelection(chosen, rows: rows)
    }

    /// Those of some steps that are still to be reverted, newest first: an attempt that begins anew after a broken connection
    /// must not revert another step than the first one chose.
    ///
    /// - Throws: ``EngineError``, `MongoError`.
    package func selection(reverting chosen: Set<Int64>, _ database: Database) async throws -> MigrationSelection {
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
        _ selection: MigrationSelection, _ database: Database,
        each: (any Migration, StepPlan, [Sentence], Duration) throws -> Void
    ) async throws {
        let rows = selection.rows
        var forgotten = try await forgottenBaseline(selection, database)
        var touched: Set<String> = []
        for step in selection.steps {
            let start = ContinuousClock.now
            let row = rows[step.version]
            let situation = try await StepSituation(step, row, database, touched: touched)
            let plan = try await step.plan(database, situation)
            let looking = ContinuousClock.now - start
            var blockers = try await step.blockers(database, situation).map { Sentence($0) }
            if let row, row.isHalfDone {
                if let failure = row.failure, failure.isUndecided { blockers.append(Sentence(failure.words)) }
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
        _ selection: MigrationSelection, _ context: StepContext, _ description: RunDescription,
        finished: (StepResult) -> Void
    ) async throws {
        guard !selection.isEmpty else { return }
        // Also those that this run leaves pending: a later one may find data that are changed by then.
        for step in steps where selection.rows[step.version]?.state != .applied { try await step.prepare(context) }
        try await work(selection, .up, context, description, finished: finished) { step, _, context, row in
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
        _ selection: MigrationSelection, _ context: StepContext, _ description: RunDescription,
        finished: (StepResult) -> Void
    ) async throws {
        try await work(selection, .down, context, description, finished: finished) { step, work, context, row in
            if try await Self.hasNoEffect(step, row, context.database) { return }
            guard work == .revertingByOwnMeans else {  // From the journal, every attempt.
                for run in (row?.runs ?? []).reversed() {
                    try await Undo(run: context.run).revert(run: run, step: step.version)
                }
                if let row, row.attempt.isUnjournalled {
                    Self.leaveUnjournalled(step.version, context.run.totals)
                }
                return
            }
            try await step.down(context)
            // What the step had journalled is reverted with it, and not a second time.
            try await context.run.close(row?.runs ?? [], step: step.version)
        }
    }

    private static func leaveUnjournalled(_ version: Int64, _ totals: Totals) {
        totals.left(
            "step \(version)", StateCollection.migrations, 1,
            reason:
                "some of what it did isn't in the journal, and stands; revert it by hand, and "
                + "\(EngineAdvice.declare(version, .reverted))")
    }

    /// What reverting steps would change, by what the journal says, or the steps themselves. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    ///
    /// - Parameters:
    ///   - selection: The steps, newest first.
    ///   - database: The database.
    ///   - preview: Works out what undoing runs would change and leave.
    /// - Returns: What would be changed, and what left.
    /// - Throws: ``EngineError``, `MongoError`.
    package func planDown(
        _ selection: MigrationSelection, _ database: Database,
        preview: ([UndoPreview.Selection]) async throws -> UndoPreview
    ) async throws -> (changes: [Change], leftovers: [Leftover]) {
        let rows = selection.rows
        let totals = Totals()
        var undone: [UndoPreview.Selection] = []
        for step in selection.steps where try await !Self.hasNoEffect(step, rows[step.version], database) {
            if step.usesOwnDown(rows[step.version]) {
                for operation in try await step.planDown(database).operations {
                    totals.changed(operation.code, operation.collection, operation.matched)
                }
                continue
            }
            undone += (rows[step.version]?.runs ?? []).reversed().map {
                UndoPreview.Selection(run: $0, step: step.version)
            }
            if rows[step.version]?.attempt.isUnjournalled == true { Self.leaveUnjournalled(step.version, totals) }
        }
        totals.add(try await preview(undone).all)
        return (totals.changes, totals.leftovers)
    }

    /// A step whose work is done, and isn't written down as done yet.
    private struct Ended {
        let end: Ledger.End
        let result: StepResult
    }

    /// What the steps of one run have in common.
    private struct Common {
        let ledger: Ledger
        let context: StepContext
        let description: RunDescription
        var run: Run { context.run }
    }

    private func work(
        _ selection: MigrationSelection, _ direction: MigrationDirection, _ context: StepContext,
        _ description: RunDescription, finished: (StepResult) -> Void,
        _ body: (any Migration, StepWork, StepContext, LedgerRow?) async throws -> Void
    ) async throws {
        guard !selection.isEmpty else { return }
        let common = Common(
            ledger: Ledger(database: context.database, series: series), context: context, description: description)
        let rows = try await common.ledger.claim(selection.steps.map(\.version), selection.rows, common.run)
        var last: Ended?
        /// Tells of the last step, whose end is written down by now.
        func tell() {
            if let last { finished(last.result) }
            last = nil
        }
        do {
            // A run that has lost its lease may have come to the end of one meanwhile.
            for step in selection.steps where rows[step.version]?.state != direction.end {
                try common.run.checkpoint()
                last = try await perform(
                    step, direction, rows[step.version], common, ending: last?.end, begun: tell, body)
            }
        } catch let error as EngineError {
            // What asks to stop between two steps must not leave the one that is done looking half done.
            guard let last, case .interrupted = error else { throw error }
            try await common.ledger.end(last.end, run: common.run)
            tell()
            throw error
        }
        if let last { try await common.ledger.end(last.end, run: common.run) }
        tell()
    }

    /// Does the work on one step.
    ///
    /// - Parameters:
    ///   - previous: How the step before it ended: written down together with this one's beginning.
    ///   - begun: Called when that is written down.
    private func perform(
        _ step: any Migration, _ direction: MigrationDirection, _ row: LedgerRow?, _ common: Common,
        ending previous: Ledger.End?, begun: () -> Void,
        _ body: (any Migration, StepWork, StepContext, LedgerRow?) async throws -> Void
    ) async throws -> Ended {
        let (run, work) = (common.run, StepWork(direction, step, row))
        run.totals.step = step.version
        defer { run.totals.step = nil }
        let stepTotals = try await stepTotals(of: step, row, work, common.ledger, run)
        let end = { (state: StepState?, error: (any Error)?) in
            let figures = stepTotals.figures(run.totals)
            return Ledger.End(
                version: step.version, state: state, durationMS: stepTotals.durationMS,
                changes: direction == .up ? figures.changes : nil, leftovers: figures.leftovers, error: error)
        }
        var context = common.context
        context.position = try await common.ledger.begin(
            step, work, after: row, run: run, description: common.description, ending: previous)
        begun()
        let left = run.totals.timesLeft
        do {
            try await body(step, work, context, row)
        } catch {
            throw try await fail(step, work, common.ledger, run, end, error)
        }
        // A step of which the journal's undo left something isn't reverted whole: it stays as it is for another try. One's
        // own way back has come to its end.
        let isPartial = work == .revertingFromJournal && run.totals.timesLeft != left
        let state: StepState = isPartial ? .reverting : work.after
        return Ended(
            end: end(state, nil),
            result: StepResult(
                version: step.version, name: step.name, state: state, duration: stepTotals.duration))
    }

    /// The totals of a step, opened with what earlier runs have changed and left.
    private func stepTotals(
        of step: any Migration, _ row: LedgerRow?, _ work: StepWork, _ ledger: Ledger, _ run: Run
    ) async throws -> StepTotals {
        try await run.steps.totals(of: step.version) {
            let totals = try await ledger.openTotals(of: step.version, row, work, run)
            if let row, row.isHalfDone, work.isAttempt { try await step.nameUnknown(of: row.attempt.runs, run) }
            return totals
        }
    }

    /// Writes down that a step failed. One that was interrupted keeps its state: it is resumed, not failed.
    private func fail(
        _ step: any Migration, _ work: StepWork, _ ledger: Ledger, _ run: Run,
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
            if work == .revertingByOwnMeans, let row = try await ledger.rows()[step.version],
                row.applied?.fields != nil, try await !step.hasEffect(row, run.database)
            {
                try await ledger.keepApplied(row, error: error, run: run)
                return failure(true, error)
            }
            try await ledger.end(end(work.failed, error), run: run)
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
