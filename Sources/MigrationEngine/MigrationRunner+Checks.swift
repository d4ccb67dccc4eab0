internal import BSON
package import Journal

/// What is looked at before the first step is touched.
extension MigrationRunner {
    /// Looks whether every step can be applied, before the first one is.
    ///
    /// - Throws: ``EngineError/blocked(version:name:reasons:before:)``, ``EngineError/dangerous(version:name:reasons:)``.
    package func checkBlockers(
        _ selection: MigrationSelection, _ database: Database, settings: RepairSettings
    ) async throws {
        let (steps, rows) = (selection.steps, selection.rows)
        for step in steps {
            let refusals = step.refusals(database)
            guard refusals.isEmpty else { throw Self.blocked(step, refusals, in: steps) }
        }
        try Self.checkDangers(steps, .up, settings)
        if let reason = try await forgottenBaseline(selection, database) {
            throw EngineError.refused("\(reason). Nothing was touched.")
        }
        try Self.checkCheckpoints(steps, .up, rows)
        var touched: Set<String> = []
        for step in steps {
            let situation = try await StepSituation(step, rows[step.version], database, touched: touched)
            let reasons = try await step.blockers(database, situation)
            guard reasons.isEmpty else { throw Self.blocked(step, reasons, in: steps) }
            try await Self.checkDangers(step, .up, situation, database, settings)
            touched.formUnion(step.touched)
        }
    }

    /// Says that another tool has applied some of the steps, of which this tool's ledger knows nothing; nil where none has.
    func forgottenBaseline(
        _ selection: MigrationSelection, _ database: Database
    ) async throws -> Sentence? {
        guard selection.rows.isEmpty else { return nil }
        for step in selection.steps {
            if let reason = try await step.appliedElsewhere(database) { return reason }
        }
        return nil
    }

    private static func blocked(
        _ step: any Migration, _ reasons: [String], in selection: [any Migration]
    ) -> EngineError {
        let before = selection.last { $0.version < step.version }?.version
        return .blocked(
            version: step.version, name: step.name, reasons: reasons.map { Sentence($0) }, before: before)
    }

    /// Looks whether every step can be reverted, before the first one is.
    ///
    /// - Throws: ``EngineError/refused(_:)``, ``EngineError/dangerous(version:name:reasons:)``.
    package func checkDownBlockers(
        _ selection: MigrationSelection, _ database: Database, settings: RepairSettings
    ) async throws {
        try Self.checkDangers(selection.steps, .down, settings)
        let rows = selection.rows
        var selection = selection.steps
        for step in selection where try await Self.hasNoEffect(step, rows[step.version], database) {
            selection.removeAll { $0.version == step.version }
        }
        try Self.checkCheckpoints(selection, .down, rows)
        for step in selection {
            let row = rows[step.version]
            guard step.usesOwnDown(row), row?.state != .reverting else { continue }
            let situation = try await StepSituation(step, row, database, touched: [])
            try await Self.checkDangers(step, .down, situation, database, settings)
        }
        for step in selection {
            // What an undo has begun to revert is reverted as far as the journal goes.
            let isUndone = rows[step.version]?.state == .reverting && !step.usesOwnDown(rows[step.version])
            // Of what failed, or was killed, on its way the ledger knows whether it did what the journal doesn't hold.
            let isPartial = step.notesUnjournalled && rows[step.version]?.state != .applied
            var reasons = isUndone || isPartial ? [] : try await step.downBlockers(database)
            if let row = rows[step.version], !step.usesOwnDown(row) {
                if reasons.isEmpty,
                    row.attempt.isUnjournalled && row.state != .reverting || row.applied?.isUnjournalled ?? false
                {
                    reasons.append("the journal doesn't hold all that it did")
                }
                if row.isMarked, row.runs.isEmpty {
                    reasons.append("it was declared applied and never run, so the journal holds nothing of it")
                }
            }
            guard reasons.isEmpty else {
                throw EngineError.refusedFor(
                    reasons.map { Sentence($0) },
                    what: "Step \(step.version) (\(step.name)) can't be reverted, so nothing was touched:",
                    advice: "Revert it by hand, and \(EngineAdvice.declare(step.version, .reverted))"
                        + (step.downAdvice.map { ", or \($0)." } ?? "."))
            }
        }
    }

    /// Whether a step failed before it changed anything, so that there is nothing to revert.
    static func hasNoEffect(_ step: any Migration, _ row: LedgerRow?, _ database: Database) async throws -> Bool {
        guard let row, row.state == .failed else { return false }
        return try await !step.hasEffect(row, database)
    }

    /// Looks whether steps that are half done can be resumed in this direction.
    private static func checkCheckpoints(
        _ selection: [any Migration], _ direction: MigrationDirection, _ rows: [Int64: LedgerRow]
    ) throws {
        for step in selection {
            guard let row = rows[step.version], MigrationPlanner.isEffective(row.state), row.state != .applied,
                let objection = try step.objection(to: direction, row)
            else { continue }
            throw EngineError.halfApplied(version: step.version, name: step.name, reason: objection)
        }
    }

    private static func checkDangers(
        _ selection: [any Migration], _ direction: MigrationDirection, _ settings: RepairSettings
    ) throws(EngineError) {
        guard !settings.allowsDangerous else { return }
        for step in selection {
            let dangers = step.dangers(direction)
            guard dangers.isEmpty else { throw dangerous(step, dangers) }
        }
    }

    /// What a step does to the data as they are.
    private static func checkDangers(
        _ step: any Migration, _ direction: MigrationDirection, _ situation: StepSituation, _ database: Database,
        _ settings: RepairSettings
    ) async throws {
        guard !settings.allowsDangerous else { return }
        let dangers = try await step.dangers(database, direction, situation)
        guard dangers.isEmpty else { throw dangerous(step, dangers) }
    }

    private static func dangerous(_ step: any Migration, _ dangers: [String]) -> EngineError {
        .dangerous(version: step.version, name: step.name, reasons: dangers.map { Sentence($0) })
    }
}
