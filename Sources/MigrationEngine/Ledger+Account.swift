internal import BSON
internal import Journal

extension Ledger {
    /// Opens the account of a step that a run is about to begin, or to go on with.
    ///
    /// - Parameters:
    ///   - step: The step's version.
    ///   - row: What the ledger knows of the step.
    ///   - direction: Whether it is about to be applied or taken back.
    ///   - isOwnDown: Whether it is taken back by its own means.
    ///   - run: The run.
    func openAccount(
        of step: Int64, _ row: LedgerRow?, _ direction: MigrationDirection, isOwnDown: Bool, _ run: Run
    ) async throws -> StepAccount {
        guard let row, row.isHalfDone else {
            return StepAccount(step, StepAccount.Balance(), settled: StepAccount.Balance(), earlierMS: 0, run.tally)
        }
        let earlierMS = row.accounted == nil ? 0 : row.durationMS ?? 0
        var earlier = StepAccount.Balance()
        guard direction == .up || isOwnDown, let checkpoint = row.checkpoint.flatMap(StepCheckpoint.init) else {
            if direction == .up { earlier.changes = try await changesWithoutCheckpoint(row, run) }
            return StepAccount(step, earlier, settled: StepAccount.Balance(), earlierMS: earlierMS, run.tally)
        }
        let tally = Tally()
        tally.changed(checkpoint.balance.changes)
        // The command at the checkpoint, as far as it came.
        let first = StepCheckpoint.numbers(ofCommand: checkpoint.position).lowerBound
        for id in row.attempt where id != run.id {
            tally.changed(try await Undo.counted(database, run: id, step: row.version, from: first))
        }
        earlier.changes = tally.changes
        earlier.leftovers = checkpoint.balance.leftovers
        return StepAccount(step, earlier, settled: checkpoint.balance, earlierMS: earlierMS, run.tally)
    }

    /// Of runs that were stopped the row says it, of those that were killed, and where a part was taken back, the journal.
    private func changesWithoutCheckpoint(_ row: LedgerRow, _ run: Run) async throws -> [Change] {
        let known = row.state == .reverting ? nil : row.accounted.flatMap { row.attempt.firstIndex(of: $0) }
        let tally = Tally()
        if known != nil { tally.changed(row.changes) }
        for id in row.attempt.dropFirst(known.map { $0 + 1 } ?? 0) where id != run.id {
            tally.changed(try await Undo.plan(database, run: id, step: row.version))
        }
        return tally.changes
    }
}
