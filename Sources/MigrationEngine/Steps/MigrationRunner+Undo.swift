public import BSON
internal import MongoDriver

extension MigrationRunner {
    /// Brings the ledger up to date after a run was taken back.
    ///
    /// Steps that the run applied are reverted, or, where something of theirs was left, still being reverted. Steps that
    /// it took back by their own means are applied again.
    ///
    /// - Parameters:
    ///   - id: The run that was taken back.
    ///   - run: The run that took it back.
    /// - Throws: `MongoError`.
    public static func noteUndone(_ id: ObjectID, run: Run) async throws {
        let database = run.database
        let rows = try await database.findAll(
            StateCollection.migrations,
            filter: ["runs": .objectID(id), "state": ["$in": ["applied", "applying", "failed", "reverting"]]])
        for row in rows.compactMap(LedgerRow.init) {
            if row.isUnjournalled {
                let undone = try await count(
                    ["_id.r": .objectID(id), "step": .int64(row.version), "undone": .objectID(run.id)], database)
                run.tally.left(
                    "step \(row.version)", StateCollection.migrations, 1,
                    reason: "some of what it did isn't in the journal, and stands")
                // Taken back in part: `up` does what was taken back again, `down` takes back the rest.
                if undone > 0 { try await set(.reverting, row, run) }
                continue
            }
            var remaining = 0
            for other in row.runs { remaining += try await remains(of: other, row.version, database) }
            // Of a step that isn't taken back whole, `up` and `down` both take care.
            try await set(remaining == 0 ? .reverted : .reverting, row, run)
        }
        let reverted = try await database.findAll(
            StateCollection.migrations,
            filter: ["revertedBy": .objectID(id), "state": ["$in": ["reverted", "reverting", "failed"]]])
        for row in reverted.compactMap(LedgerRow.init) {
            let undone = try await count(
                ["_id.r": .objectID(id), "step": .int64(row.version), "undone": .objectID(run.id)], database)
            if row.isUnjournalled {
                run.tally.left(
                    "step \(row.version)", StateCollection.migrations, 1,
                    reason: "some of what its down did isn't in the journal, and stands")
                if undone > 0 { try await set(.reverting, row, run) }
                continue
            }
            let rest = try await remains(of: id, row.version, database)
            guard undone > 0, rest == 0 else { continue }
            try await set(.applied, row, run)
            // What that run had closed for good can be taken back again.
            try await run.writer.bulkWrite(
                run.journal,
                [.updateMany(filter: ["undone": .objectID(id)], update: ["$unset": ["undone": ""]])])
        }
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
        try await run.writer.bulkWrite(
            run.database.namespace(StateCollection.migrations),
            [
                .updateOne(
                    filter: ["_id": .string(row.id)],
                    update: [
                        "$set": ["state": .string(state.rawValue), "finishedAt": WallClock.now],
                        "$unset": ["checkpoint": ""],
                    ])
            ])
    }
}
