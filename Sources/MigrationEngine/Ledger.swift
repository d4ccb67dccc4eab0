package import BSON
internal import Journal
package import MongoDriver

/// `chat_admin.migrations`: what is applied, by whom and when. A step's state is written before its work.
package struct Ledger: Sendable {
    let database: Database
    package let series: String

    private var namespace: Namespace { database.namespace(StateCollection.migrations) }

    func id(of version: Int64) -> BSONValue { .string("\(series)/\(version)") }

    /// Reads every row of the series, by version: what says that it is the series', and what is called so.
    ///
    /// - Throws: ``StateError`` where one can't be read; a step that is applied would look like one that is pending.
    func rows() async throws -> [Int64: LedgerRow] {
        guard try await database.collections()[StateCollection.migrations] != nil else { return [:] }
        // "0" follows "/".
        let isNamed: BSONValue = ["_id": ["$gte": .string("\(series)/"), "$lt": .string("\(series)0")]]
        let documents = try await database.findAll(
            StateCollection.migrations, filter: ["$or": [["series": .string(series)], isNamed]],
            options: ["sort": ["version": 1]])
        var rows: [Int64: LedgerRow] = [:]
        for document in documents {
            let row = try LedgerRow(reading: document)
            if row.series == series { rows[row.version] = row }
        }
        return rows
    }

    /// How a step's work ended.
    struct End {
        let version: Int64
        /// Where the step stands; nil where it stays what it is, because the run was asked to stop.
        let state: StepState?
        /// In milliseconds.
        let durationMS: Int64
        /// What was changed; nil where the step was reverted.
        let changes: [Change]?
        let leftovers: [Leftover]
        var error: (any Error)?
    }

    /// Notes durably that a step's work begins, and in the same round trip how the one before it ended.
    ///
    /// - Returns: Where the step stands, with what an earlier attempt saved.
    func begin(
        _ step: any Migration, _ work: StepWork, after row: LedgerRow?, run: Run, description: RunDescription,
        ending previous: End?
    ) async throws -> LedgerPosition {
        try await run.record.begin(run)
        let beginning = StepBeginning(
            work: work, version: step.version, checksum: step.checksum,
            firstCheckpoint: try step.firstCheckpoint(work.direction), row: row, run: run.id)
        let change = beginning.update
        var fields: BSONDocument = [
            "series": .string(series), "version": .int64(step.version), "name": .string(step.name),
            "state": .string(work.during.rawValue), "startedAt": WallClock.now, "host": .string(description.host),
            "user": .string(description.user), "toolVersion": .string(description.toolVersion),
        ]
        for element in Self.stamp(of: run).rawElements { fields.append(raw: element) }
        fields.append("finishedAt", .null)
        fields.append("error", .null)
        for element in change.set.rawElements { fields.append(raw: element) }
        var update: BSONDocument = ["$set": .document(fields), "$unset": .document(change.unset)]
        if !change.added.isEmpty { update.append("$addToSet", .document(change.added)) }
        // Not where a later holder of the lease has begun the step: the upsert then meets that row's `_id`.
        let query = notTakenOver(step.version, run)
        let begin: BSONValue = ["q": .document(query), "u": .document(update), "upsert": true]
        try await write((previous.map { [statement($0, run)] } ?? []) + [begin], run)
        let resumed = row.flatMap { $0.isHalfDone ? $0.attempt : nil }
        return LedgerPosition(
            ledger: self, version: step.version, checkpoint: resumed?.checkpoint, runs: resumed?.runs ?? [])
    }

    /// Takes over the rows of steps that another run has left half done: what it still sends, should it be alive, doesn't
    /// change them any more.
    ///
    /// - Parameters:
    ///   - versions: The steps.
    ///   - rows: The rows as they were read.
    /// - Returns: The rows as they are from now on.
    func claim(_ versions: [Int64], _ rows: [Int64: LedgerRow], _ run: Run) async throws -> [Int64: LedgerRow] {
        var rows = rows
        while true {
            let others = versions.filter { rows[$0].map { $0.isHalfDone && $0.lastRun != run.id } ?? false }
            guard !others.isEmpty else { return rows }
            try await run.record.begin(run)
            let statements = others.map { version -> BSONValue in
                ["q": .document(notTakenOver(version, run)), "u": ["$set": .document(Self.stamp(of: run))]]
            }
            try await write(statements, run)
            rows = try await self.rows()
        }
    }

    /// What says of a row that it is a run's: what an earlier one still sends doesn't match it any more.
    static func stamp(of run: Run) -> BSONDocument {
        var stamp: BSONDocument = ["lastRun": .objectID(run.id)]
        if let token = run.gate.token { stamp.append("token", .int64(token)) }
        return stamp
    }

    /// A row, but for one that a later holder of the lease has begun.
    func notTakenOver(_ version: Int64, _ run: Run) -> BSONDocument {
        var query: BSONDocument = ["_id": id(of: version)]
        if let token = run.notTakenOver { query.append("token", token) }
        return query
    }

    /// Notes durably how a step's work ended.
    func end(_ end: End, run: Run) async throws { try await write([statement(end, run)], run) }

    /// Saves how far a step has come.
    func save(_ checkpoint: BSONDocument, _ version: Int64, run: Run) async throws {
        try await write(
            [["q": .document(filter(version, run)), "u": ["$set": ["checkpoint": .document(checkpoint)]]]], run)
    }

    /// Notes that a step does something that the journal can't revert.
    ///
    /// - Returns: Whether that wasn't noted yet.
    func noteUnjournalled(_ version: Int64, run: Run) async throws -> Bool {
        try await write([["q": .document(filter(version, run)), "u": ["$set": ["unjournalled": true]]]], run) > 0
    }

    /// Withdraws that note.
    func retractUnjournalled(_ version: Int64, run: Run) async throws {
        try await write([["q": .document(filter(version, run)), "u": ["$unset": ["unjournalled": ""]]]], run)
    }

    /// Notes durably that reverting a step failed before it had an effect: it is applied, as it was.
    ///
    /// - Parameter row: The row as it stands, with what it said when the step was applied.
    func keepApplied(_ row: LedgerRow, error: any Error, run: Run) async throws {
        var fields: BSONDocument = [
            "state": .string(StepState.applied.rawValue), "error": .string(run.record.words(error)),
        ]
        let restoration = LedgerRow.Applied.restoration(row.applied?.fields)
        for element in restoration.set.rawElements { fields.append(raw: element) }
        let update: BSONDocument = [
            "$set": .document(fields), "$unset": .document(restoration.unset),
            "$pull": ["revertedBy": ["$in": .array(BSONArray(row.attempt.runs.map { .objectID($0) }))]],
        ]
        // Only where the step stands as it was looked at.
        var filter = filter(row.version, run)
        filter.append("checkpoint.position", 0)
        filter.append("checkpoint.begun", ["$exists": false])
        try await write([["q": .document(filter), "u": .document(update)]], run)
    }

    /// The row of a step that a run has begun, for as long as no other run has begun it since: what a dead run had sent may
    /// come late.
    func filter(_ version: Int64, _ run: Run) -> BSONDocument {
        ["_id": id(of: version), "lastRun": .objectID(run.id)]
    }

    /// Declares the state of steps that aren't run.
    func mark(_ steps: [MigrationPlanner.Step], _ state: StepState, run: Run, description: RunDescription) async throws
    {
        guard !steps.isEmpty else { return }
        try await run.record.begin(run)
        let rows = try await rows()
        let statements = steps.map { step -> BSONValue in
            var fields: BSONDocument = [
                "series": .string(series), "version": .int64(step.version), "name": .string(step.name),
                "state": .string(state.rawValue), "finishedAt": WallClock.now, "host": .string(description.host),
                "user": .string(description.user), "toolVersion": .string(description.toolVersion), "marked": true,
            ]
            for element in Self.stamp(of: run).rawElements { fields.append(raw: element) }
            fields.append("error", .null)
            if let checksum = step.checksum { fields.append("checksum", .string(checksum)) }
            if state == .applied, let row = rows[step.version], !row.runs.isEmpty, row.state != .applied {
                // What was finished by hand isn't in the journal.
                fields.append("unjournalled", true)
            }
            return [
                "q": .document(notTakenOver(step.version, run)),
                "u": [
                    "$set": .document(fields),
                    "$unset": [
                        "checkpoint": "", "attempt": "", "left": "", "accounted": "", "applied": "", "undecided": "",
                    ],
                ], "upsert": true,
            ]
        }
        try await write(statements, run)
    }

    private func statement(_ end: End, _ run: Run) -> BSONValue {
        var fields: BSONDocument = [
            "durationMS": .int64(end.durationMS), "accounted": .objectID(run.id),
            "left": .array(run.record.worded(end.leftovers)),
        ]
        if let changes = end.changes { fields.append("changes", .array(BSONArray(changes.map(\.bson)))) }
        if let state = end.state {
            fields.append("state", .string(state.rawValue))
            fields.append("finishedAt", WallClock.now)
            fields.append("error", end.error.map { .string(run.record.words($0)) } ?? .null)
            fields.append("undecided", .bool(end.error?.leavesUndecided ?? false))
        }
        var update: BSONDocument = ["$set": .document(fields)]
        if end.state == .applied {
            update.append("$unset", ["checkpoint": "", "applied": ""])
        } else if end.state == .reverted {
            // Should its reverting be undone, the step is applied as it was.
            update.append("$unset", ["checkpoint": ""])
        }
        return ["q": .document(filter(end.version, run)), "u": .document(update)]
    }

    /// One command, in order, durable.
    ///
    /// - Returns: How many rows weren't so yet.
    /// - Throws: ``EngineError/leaseLost`` when another run has begun a step since, `MongoError`.
    @discardableResult
    private func write(_ statements: [BSONValue], _ run: Run) async throws -> Int64 {
        let command: BSONDocument = [
            "update": .string(namespace.collection), "updates": .array(BSONArray(statements)), "ordered": true,
        ]
        let reply: BSONDocument
        do {
            reply = try await run.writer.run(command, on: namespace.database, concern: .majorityJournaled)
        } catch let error as MongoError where error.kind == .duplicateKey {
            throw EngineError.leaseLost
        }
        guard reply["n"]?.integer == Int64(statements.count) else { throw EngineError.leaseLost }
        return reply["nModified"]?.integer ?? 0
    }
}

/// The row of the ledger that a step at work writes to.
package struct LedgerPosition: Sendable {
    package let ledger: Ledger
    let version: Int64
    /// What an earlier attempt saved.
    let checkpoint: BSONDocument?
    /// The runs of earlier attempts, which may be this one's, oldest first.
    package let runs: [ObjectID]

    func save(_ checkpoint: BSONDocument, _ run: Run) async throws {
        try await ledger.save(checkpoint, version, run: run)
    }

    func noteUnjournalled(_ run: Run) async throws -> Bool { try await ledger.noteUnjournalled(version, run: run) }

    func retractUnjournalled(_ run: Run) async throws { try await ledger.retractUnjournalled(version, run: run) }

    /// The update that saves a checkpoint, for a transaction, which confirms the lease itself.
    package func update(_ checkpoint: BSONDocument) -> (namespace: Namespace, write: WriteModel) {
        (
            ledger.database.namespace(StateCollection.migrations),
            .updateOne(
                filter: ["_id": ledger.id(of: version)], update: ["$set": ["checkpoint": .document(checkpoint)]])
        )
    }
}
