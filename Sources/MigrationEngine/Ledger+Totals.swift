internal import BSON
internal import Journal

extension Ledger {
    /// Opens the totals of a step that a run is about to begin, or to resume.
    ///
    /// - Parameters:
    ///   - step: The step's version.
    ///   - row: What the ledger knows of the step.
    ///   - work: What is about to be done with it.
    ///   - run: The run.
    func openTotals(
        of step: Int64, _ row: LedgerRow?, _ work: StepWork, _ run: Run
    ) async throws -> StepTotals {
        guard let row, row.isHalfDone else {
            return StepTotals(step, StepTotals.Figures(), closed: StepTotals.Figures(), earlierMS: 0, run.totals)
        }
        let earlierMS = row.attempt.accounted == nil ? 0 : row.work.durationMS ?? 0
        var earlier = StepTotals.Figures()
        guard work.isAttempt, let checkpoint = row.attempt.checkpoint.flatMap(StepCheckpoint.init) else {
            if work == .applying { earlier.changes = try await changesWithoutCheckpoint(row, run) }
            return StepTotals(step, earlier, closed: StepTotals.Figures(), earlierMS: earlierMS, run.totals)
        }
        let totals = Totals()
        totals.changed(checkpoint.figures.changes)
        // The command at the checkpoint, as far as it came.
        let first = StepCheckpoint.numbers(ofCommand: checkpoint.position).lowerBound
        for id in row.attempt.runs where id != run.id {
            totals.changed(try await Undo.counted(database, run: id, step: row.version, from: first))
        }
        earlier.changes = totals.changes
        earlier.leftovers = checkpoint.figures.leftovers
        return StepTotals(step, earlier, closed: checkpoint.figures, earlierMS: earlierMS, run.totals)
    }

    /// Of runs that were stopped the row says it, of those that were killed, and where a part was reverted, the journal.
    private func changesWithoutCheckpoint(_ row: LedgerRow, _ run: Run) async throws -> [Change] {
        let known =
            row.state == .reverting ? nil : row.attempt.accounted.flatMap { row.attempt.runs.firstIndex(of: $0) }
        let totals = Totals()
        if known != nil { totals.changed(row.changes) }
        for id in row.attempt.runs.dropFirst(known.map { $0 + 1 } ?? 0) where id != run.id {
            totals.changed(try await Undo.recorded(database, run: id, step: row.version))
        }
        return totals.changes
    }
}
