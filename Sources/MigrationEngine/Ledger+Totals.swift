internal import BSON
internal import Journal

extension Ledger {
    /// Opens the totals of a step that a run is about to begin, or to resume.
    ///
    /// - Parameters:
    ///   - step: The step's version.
    ///   - row: What the ledger knows of the step.
    ///   - direction: Whether it is about to be applied or reverted.
    ///   - isOwnDown: Whether it is reverted by its own means.
    ///   - run: The run.
    func openTotals(
        of step: Int64, _ row: LedgerRow?, _ direction: MigrationDirection, isOwnDown: Bool, _ run: Run
    ) async throws -> StepTotals {
        guard let row, row.isHalfDone else {
            return StepTotals(step, StepTotals.Figures(), closed: StepTotals.Figures(), earlierMS: 0, run.totals)
        }
        let earlierMS = row.accounted == nil ? 0 : row.durationMS ?? 0
        var earlier = StepTotals.Figures()
        guard direction == .up || isOwnDown, let checkpoint = row.checkpoint.flatMap(StepCheckpoint.init) else {
            if direction == .up { earlier.changes = try await changesWithoutCheckpoint(row, run) }
            return StepTotals(step, earlier, closed: StepTotals.Figures(), earlierMS: earlierMS, run.totals)
        }
        let totals = Totals()
        totals.changed(checkpoint.figures.changes)
        // The command at the checkpoint, as far as it came.
        let first = StepCheckpoint.numbers(ofCommand: checkpoint.position).lowerBound
        for id in row.attempt where id != run.id {
            totals.changed(try await Undo.counted(database, run: id, step: row.version, from: first))
        }
        earlier.changes = totals.changes
        earlier.leftovers = checkpoint.figures.leftovers
        return StepTotals(step, earlier, closed: checkpoint.figures, earlierMS: earlierMS, run.totals)
    }

    /// Of runs that were stopped the row says it, of those that were killed, and where a part was reverted, the journal.
    private func changesWithoutCheckpoint(_ row: LedgerRow, _ run: Run) async throws -> [Change] {
        let known = row.state == .reverting ? nil : row.accounted.flatMap { row.attempt.firstIndex(of: $0) }
        let totals = Totals()
        if known != nil { totals.changed(row.changes) }
        for id in row.attempt.dropFirst(known.map { $0 + 1 } ?? 0) where id != run.id {
            totals.changed(try await Undo.plan(database, run: id, step: row.version))
        }
        return totals.changes
    }
}
