public import BSON
internal import MongoDriver

/// `chat_admin.migrations`: what is applied, by whom and when. A step's state is written before its work.
struct Ledger: Sendable {
    let database: Database
    let series: String

    private var namespace: Namespace { database.namespace(StateCollection.migrations) }

    /// Reads every row of the series, by version.
    func rows() async throws -> [Int64: LedgerRow] {
        let documents = try await database.findAll(
            StateCollection.migrations, filter: ["series": .string(series)], options: ["sort": ["version": 1]])
        return documents.compactMap(LedgerRow.init).reduce(into: [:]) { $0[$1.version] = $1 }
    }

    /// Notes durably that a step's work begins.
    func begin(_ step: any Migration, _ state: StepState, run: Run, description: RunDescription) async throws {
        try await run.begin()
        var fields: BSONDocument = [
            "series": .string(series), "version": .int64(step.version), "name": .string(step.name),
            "state": .string(state.rawValue), "startedAt": WallClock.now, "host": .string(description.host),
            "user": .string(description.user), "toolVersion": .string(description.toolVersion),
        ]
        fields.append("finishedAt", .null)
        fields.append("error", .null)
        var update: BSONDocument = ["$set": .document(fields)]
        if state == .applying { update.append("$addToSet", ["runs": .objectID(run.id)]) }
        _ = try await run.writer.findAndModify(
            namespace, query: ["_id": .string("\(series)/\(step.version)")],
            ["update": .document(update), "upsert": true])
    }

    /// Notes durably how a step's work ended.
    func end(
        _ version: Int64, _ state: StepState, run: Run, duration: Duration, changes: [Change], error: (any Error)?
    ) async throws {
        var fields: BSONDocument = [
            "state": .string(state.rawValue), "finishedAt": WallClock.now,
            "durationMS": .int64(duration.milliseconds),
        ]
        if state == .applied { fields.append("changes", .array(BSONArray(changes.map(\.bson)))) }
        fields.append("error", error.map { .string(Redaction.redact("\($0)")) } ?? .null)
        let update: BSONDocument = ["$set": .document(fields)]
        try await run.writer.bulkWrite(
            namespace, [.updateOne(filter: ["_id": .string("\(series)/\(version)")], update: update)])
    }
}

extension Duration {
    /// Whole milliseconds.
    public var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}

extension MigrationRunner {
    /// Marks the steps that a run applied as reverted after the run was taken back, or, where something of theirs was
    /// left, as still being reverted.
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
            var remaining = 0
            for other in row.runs {
                remaining += try await database.findAll(
                    StateCollection.journal, filter: Undo.filter(other, row.version),
                    options: ["limit": 1, "projection": ["_id": 1]]
                ).count
            }
            // Of a step that isn't taken back whole, `up` and `down` both take care.
            let state: StepState = remaining == 0 ? .reverted : .reverting
            try await run.writer.bulkWrite(
                database.namespace(StateCollection.migrations),
                [
                    .updateOne(
                        filter: ["_id": .string(row.id)],
                        update: ["$set": ["state": .string(state.rawValue), "finishedAt": WallClock.now]])
                ])
        }
    }
}
