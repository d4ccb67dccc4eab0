package import BSON
package import Journal
internal import MongoDriver

extension MigrationRunner {
    /// Notes durably which steps are about to be reverted by an undo: should it be stopped, they are half reverted.
    ///
    /// - Parameters:
    ///   - id: The run that is about to be reverted.
    ///   - run: The run that does it.
    /// - Throws: `MongoError`.
    package static func noteUndoing(_ id: ObjectID, run: Run) async throws {
        try await checkUndoing(id, run.database)
        for row in try await rows(of: id, ["applied", "applying", "failed"], run.database) {
            guard try await count(Undo.filter(id, row.version), run.database) > 0 else { continue }
            try await run.record.begin(run)
            try await set(.reverting, row, run)
        }
    }

    /// Makes sure that the steps which a run has worked on can be undone with it.
    ///
    /// - Throws: ``EngineError/refused(_:)``, `MongoError`.
    private static func checkUndoing(_ id: ObjectID, _ database: Database) async throws {
        // Those concerned are chosen by what they hold: one that can't be read would be passed over.
        for row in try await database.findAll(StateCollection.migrations, filter: [:]) {
            _ = try LedgerRow(reading: row)
        }
        let reverting = try await database.findAll(
            StateCollection.migrations,
            filter: ["state": "reverting", "runs": .objectID(id), "checkpoint.direction": "down"])
        if let row = try reverting.map(LedgerRow.init(reading:)).first {
            throw EngineError.refused(
                "Step \(row.version) (\(row.name)) is half reverted by its own down. Finish that first: "
                    + "\(EngineAdvice.finishReverting(series: row.series))."
            )
        }
    }

    /// What undoing runs would leave, beyond what their journals tell. Changes nothing.
    ///
    /// - Parameters:
    ///   - ids: The runs, in the order in which they would be undone.
    ///   - preview: What undoing them would change and leave; what is left beyond that is added to its results.
    ///   - database: The database.
    /// - Throws: ``EngineError/refused(_:)`` where one of them can't be undone; `MongoError`.
    package static func addLeftovers(
        undoing ids: [ObjectID], to preview: UndoPreview, _ database: Database
    ) async throws {
        for (id, totals) in zip(ids, preview.results) {
            try await checkUndoing(id, database)
            for row in try await rows(of: id, ["applied", "applying", "failed", "reverting"], database)
            where row.attempt.isUnjournalled {
                leaveUnjournalled(row, totals)
            }
            for row in try await rowsReverted(by: id, database) {
                var rest = preview.leavesSomething(of: id, step: row.version) ? 1 : 0
                for attempt in attempts(of: row) where !ids.contains(attempt) {
                    rest += try await remains(of: attempt, row.version, database)
                }
                if row.attempt.isUnjournalled || rest > 0 { leaveReverted(row, totals) }
            }
        }
    }

    private static func leaveUnjournalled(_ row: LedgerRow, _ totals: Totals) {
        totals.left(
            "step \(row.version)", StateCollection.migrations, 1,
            reason: "some of what it did isn't in the journal, and stands")
    }

    private static func leaveReverted(_ row: LedgerRow, _ totals: Totals) {
        totals.left(
            "step \(row.version)", StateCollection.migrations, 1,
            reason:
                "not all that its down did could be undone; \(EngineAdvice.declareEither(row.version, series: row.series))"
        )
    }

    /// The rows of the steps that a run has reverted by their own means.
    private static func rowsReverted(by id: ObjectID, _ database: Database) async throws -> [LedgerRow] {
        try await database.findAll(
            StateCollection.migrations,
            filter: [
                "attempt": .objectID(id), "revertedBy": .objectID(id), "state": ["$in": ["reverted", "reverting"]],
            ]
        ).map(LedgerRow.init(reading:))
    }

    /// The runs that a step was reverted in by its own means: all of them have to be undone before it is there again.
    private static func attempts(of row: LedgerRow) -> Set<ObjectID> {
        Set(row.attempt.runs).intersection(row.revertedBy)
    }

    /// Brings the ledger up to date after a run was reverted.
    ///
    /// Steps that the run applied are reverted, or, where something of theirs was left, still being reverted. Steps that
    /// it reverted by their own means are applied again.
    ///
    /// - Parameters:
    ///   - id: The run that was reverted.
    ///   - run: The run that reverted it.
    /// - Throws: `MongoError`.
    package static func noteUndone(_ id: ObjectID, run: Run) async throws {
        let database = run.database
        for row in try await rows(of: id, ["applied", "applying", "failed", "reverting"], database) {
            var remaining = 0
            for other in row.attempt.runs.isEmpty ? row.runs : row.attempt.runs {
                remaining += try await remains(of: other, row.version, database)
            }
            if row.attempt.isUnjournalled {
                leaveUnjournalled(row, run.totals)
                continue
            }
            // Of a step that isn't reverted whole, `down` takes care.
            try await set(remaining == 0 ? .reverted : .reverting, row, run)
        }
        try await noteDownUndone(id, run)
    }

    /// The same for steps that the run had reverted by their own means.
    private static func noteDownUndone(_ id: ObjectID, _ run: Run) async throws {
        for row in try await rowsReverted(by: id, run.database) {
            let undone = try await count(
                ["_id.r": .objectID(id), "step": .int64(row.version), "undone": ["$exists": true]], run.database)
            // What was reverted in several attempts isn't there again before all of them are undone.
            var rest = 0
            for attempt in attempts(of: row).union([id]) {
                rest += try await remains(of: attempt, row.version, run.database)
            }
            if row.attempt.isUnjournalled || rest > 0 {
                leaveReverted(row, run.totals)
                if undone > 0 { try await set(.reverting, row, run) }
            } else if undone > 0 {
                try await setApplied(row, run)
                // What that run had closed for good can be reverted again.
                try await run.writer.bulkWrite(
                    run.journal,
                    [
                        .updateMany(
                            filter: ["undone": .objectID(id), "step": .int64(row.version)],
                            update: ["$unset": ["undone": ""]])
                    ])
            }
        }
    }

    /// The rows of the steps whose present attempt a run belongs to.
    private static func rows(of id: ObjectID, _ states: BSONArray, _ database: Database) async throws -> [LedgerRow] {
        try await database.findAll(
            StateCollection.migrations,
            filter: [
                "state": ["$in": .array(states)], "runs": .objectID(id),
                "$or": [["attempt": .objectID(id)], ["attempt": ["$exists": false]]],
            ]
        ).map(LedgerRow.init(reading:))
    }

    /// Whether any entry of the journal matches: 0 or 1.
    private static func count(_ filter: BSONDocument, _ database: Database) async throws -> Int {
        try await database.findAll(
            StateCollection.journal, filter: filter, options: ["limit": 1, "projection": ["_id": 1]]
        ).count
    }

    private static func remains(of run: ObjectID, _ step: Int64, _ database: Database) async throws -> Int {
        try await count(Undo.filter(run, step), database)
    }

    private static func set(_ state: StepState, _ row: LedgerRow, _ run: Run) async throws {
        try await update(
            row, set: ["state": .string(state.rawValue), "finishedAt": WallClock.now],
            unset: ["checkpoint": "", "applied": "", "accounted": "", "left": ""], run)
    }

    /// The step is applied again, as it was before it was reverted.
    private static func setApplied(_ row: LedgerRow, _ run: Run) async throws {
        var (fields, removed) = LedgerRow.Applied.restoration(row.applied?.fields)
        if row.applied?.fields == nil {  // Reverted by an earlier version.
            (fields, removed) = (["finishedAt": WallClock.now], ["checkpoint": ""])
            fields.append("attempt", .array(BSONArray(row.runs.map { .objectID($0) })))
        }
        fields.append("state", .string(StepState.applied.rawValue))
        try await update(row, set: fields, unset: removed, run)
    }

    /// - Throws: ``EngineError/leaseLost`` when a later holder of the lease has begun the step, `MongoError`.
    private static func update(
        _ row: LedgerRow, set: BSONDocument, unset: BSONDocument, _ run: Run
    ) async throws {
        var set = set
        for element in Ledger.stamp(of: run).rawElements { set.append(raw: element) }
        let ledger = Ledger(database: run.database, series: row.series)
        let result = try await run.writer.bulkWrite(
            run.database.namespace(StateCollection.migrations),
            [
                .updateOne(
                    filter: ledger.notTakenOver(row.version, run),
                    update: ["$set": .document(set), "$unset": .document(unset)])
            ])
        guard result.matched == 1 else { throw EngineError.leaseLost }
    }
}
