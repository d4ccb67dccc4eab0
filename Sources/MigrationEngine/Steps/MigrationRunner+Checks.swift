internal import BSON

/// What is looked at before the first step is touched.
extension MigrationRunner {
    /// Looks whether every step can be applied, before the first one is.
    ///
    /// - Throws: ``EngineError/blocked(version:name:reasons:before:)``, ``EngineError/dangerous(version:name:reasons:)``.
    public func checkBlockers(
        _ selection: [any Migration], _ database: Database, settings: RepairSettings
    ) async throws {
        for case let step as FileStep in selection {
            let refusals = step.refusals(database)
            guard refusals.isEmpty else { throw Self.blocked(step, refusals, in: selection) }
        }
        try Self.checkDangers(selection, .up, settings)
        guard selection.contains(where: { $0 is FileStep }) else { return try await checkBlockers(selection, database) }
        let rows = try await Ledger(database: database, series: series).rows()
        if let reason = try await forgottenBaseline(selection, rows, database) {
            throw EngineError.refused(reason + ", so nothing was touched.")
        }
        try Self.checkCheckpoints(selection, .up, rows)
        var touched: Set<String> = []
        for case let step as FileStep in selection {
            // A step that was begun is half there: what it finds of its own isn't in its way.
            let isBegun = try await step.isBegun(rows[step.version], database)
            let reasons = isBegun ? [] : try await step.blockers(database, ignoring: touched)
            guard reasons.isEmpty else {
                throw Self.blocked(step, reasons, in: selection)
            }
            if !settings.allowsDangerous, !isBegun {
                let dangers = try await step.dangers(database, ignoring: touched)
                guard dangers.isEmpty else {
                    throw EngineError.dangerous(version: step.version, name: step.name, reasons: dangers)
                }
            }
            touched.formUnion(step.touched)
        }
        try await checkBlockers(selection, database)
    }

    /// Says that golang-migrate has applied some of the steps of a directory that this tool's ledger knows nothing of; nil
    /// where it hasn't.
    func forgottenBaseline(
        _ selection: [any Migration], _ rows: [Int64: LedgerRow], _ database: Database
    ) async throws -> String? {
        guard rows.isEmpty, let first = selection.first(where: { $0 is FileStep }),
            let version = try await GolangMigrate.recorded(database), version >= first.version
        else { return nil }
        return
            "golang-migrate has brought `\(database.name)` to version \(version) (\(GolangMigrate.collection)), and this "
            + "tool's ledger knows nothing of it: its steps would run again. Declare them applied with `migrate baseline "
            + "--from golang-migrate`; or, if these steps are none of its, say so with `migrate mark \(first.version) "
            + "reverted`"
    }

    private func checkBlockers(_ selection: [any Migration], _ database: Database) async throws {
        for step in selection where !(step is FileStep) {
            let reasons = try await step.blockers(database)
            guard reasons.isEmpty else {
                throw Self.blocked(step, reasons, in: selection)
            }
        }
    }

    private static func blocked(
        _ step: any Migration, _ reasons: [String], in selection: [any Migration]
    ) -> EngineError {
        let before = selection.last { $0.version < step.version }?.version
        return .blocked(version: step.version, name: step.name, reasons: reasons, before: before)
    }

    /// Looks whether every step can be taken back, before the first one is.
    ///
    /// - Throws: ``EngineError/refused(_:)``, ``EngineError/dangerous(version:name:reasons:)``.
    public func checkDownBlockers(
        _ selection: [any Migration], _ database: Database, settings: RepairSettings
    ) async throws {
        try Self.checkDangers(selection, .down, settings)
        let rows = try await Ledger(database: database, series: series).rows()
        var selection = selection
        for step in selection where try await Self.hasNoEffect(step, rows[step.version], database) {
            selection.removeAll { $0.version == step.version }
        }
        try Self.checkCheckpoints(selection, .down, rows)
        for case let step as FileStep in selection where !settings.allowsDangerous {
            let row = rows[step.version]
            guard step.usesOwnDown(row), row?.state != .reverting else { continue }
            let dangers = try await step.dangers(database, .down)
            guard dangers.isEmpty else {
                throw EngineError.dangerous(version: step.version, name: step.name, reasons: dangers)
            }
        }
        for step in selection {
            // What an undo has begun to take back is taken back as far as the journal goes.
            let isUndone = rows[step.version]?.state == .reverting && !step.usesOwnDown(rows[step.version])
            // Of what failed, or was killed, on its way the ledger knows whether it did what the journal doesn't hold.
            let isPartial = step is FileStep && !step.hasOwnDown && rows[step.version]?.state != .applied
            var reasons = isUndone || isPartial ? [] : try await step.downBlockers(database)
            if let row = rows[step.version], !step.usesOwnDown(row) {
                if reasons.isEmpty, row.isUnjournalled && row.state != .reverting || row.isAppliedUnjournalled {
                    reasons.append("the journal doesn't hold all that it did")
                }
                if row.isMarked, row.runs.isEmpty {
                    reasons.append("it was declared applied and never run, so the journal holds nothing of it")
                }
            }
            guard reasons.isEmpty else {
                throw EngineError.refusedFor(
                    reasons,
                    what: "Step \(step.version) (\(step.name)) can't be taken back, so nothing was touched:",
                    advice: "Take it back by hand, and say so with `migrate mark \(step.version) reverted`"
                        + (step is FileStep && !step.hasOwnDown ? ", or write its .down.json." : "."))
            }
        }
    }

    /// Whether a step failed before it changed anything, so that there is nothing to take back.
    static func hasNoEffect(_ step: any Migration, _ row: LedgerRow?, _ database: Database) async throws -> Bool {
        guard let file = step as? FileStep, let row, row.state == .failed else { return false }
        return try await !file.hasEffect(row, database)
    }

    /// Looks whether steps that are half done can be gone on with in this direction.
    private static func checkCheckpoints(
        _ selection: [any Migration], _ direction: MigrationDirection, _ rows: [Int64: LedgerRow]
    ) throws {
        for case let step as FileStep in selection {
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
            if !dangers.isEmpty { throw .dangerous(version: step.version, name: step.name, reasons: dangers) }
        }
    }
}
