internal import BSON
package import Journal

/// Declaring what is applied, without running anything.
extension MigrationRunner {
    /// The steps that ``mark(_:_:_:description:)`` has to declare applied for a database that has everything up to a version
    /// already.
    ///
    /// - Throws: ``EngineError/notFound(_:)`` for a version that no step has; ``EngineError/refused(_:)`` when a step is
    ///   half applied, or one above the version is applied; `MongoError`.
    package func baseline(upTo version: Int64, _ database: Database) async throws -> [MigrationPlanner.Step] {
        guard steps.contains(where: { $0.version == version }) else {
            throw EngineError.notFound("There is no step \(version). \(EngineAdvice.listSteps).")
        }
        let rows = try await Ledger(database: database, series: series).rows()
        for row in rows.values.sorted(by: { $0.version < $1.version }) where MigrationPlanner.isEffective(row.state) {
            if row.state != .applied {
                throw EngineError.refused(
                    "Step \(row.version) (\(row.name)) is \(row.state.rawValue). Finish it first, or "
                        + "\(EngineAdvice.declareEither(row.version)).")
            }
            if row.version > version {
                throw EngineError.refused(
                    "Step \(row.version) (\(row.name)) is applied and newer than the baseline \(version). A baseline is "
                        + "for a database that this tool hasn't migrated yet.")
            }
        }
        return known.filter { $0.version <= version && rows[$0.version]?.state != .applied }
    }

    /// The step that a version names: a known one, or one that only the ledger knows.
    ///
    /// - Throws: ``EngineError/notFound(_:)``, `MongoError`.
    package func step(_ version: Int64, _ database: Database) async throws -> MigrationPlanner.Step {
        if let step = known.first(where: { $0.version == version }) { return step }
        if let row = try await Ledger(database: database, series: series).rows()[version] {
            return MigrationPlanner.Step(version: version, name: row.name)
        }
        throw EngineError.notFound("There is no step \(version). \(EngineAdvice.listSteps).")
    }

    /// Declares the state of steps in the ledger. Nothing else is changed.
    ///
    /// - Parameters:
    ///   - steps: The steps.
    ///   - state: What they are declared to be: `applied`, with the checksum that they have now, or `reverted`.
    ///   - run: The run that does it.
    ///   - description: Who does it.
    /// - Throws: ``EngineError``, `MongoError`.
    package func mark(
        _ steps: [MigrationPlanner.Step], _ state: StepState, _ run: Run, description: RunDescription
    ) async throws {
        let ledger = Ledger(database: run.database, series: series)
        let rows = try await ledger.rows()
        try await ledger.mark(steps, state, run: run, description: description)
        // What was reverted by hand isn't to be reverted once more from the journal.
        for step in steps where state == .reverted {
            try await run.close(rows[step.version]?.runs ?? [], step: step.version)
        }
        run.totals.changed("mark \(state.rawValue)", StateCollection.migrations, steps.count)
    }
}
