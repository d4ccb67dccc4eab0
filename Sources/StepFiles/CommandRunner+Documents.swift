internal import BSON
internal import Journal
internal import MigrationEngine
internal import MongoDriver

/// Commands that insert, update and delete: worked out, journalled, made by compare-and-set.
extension CommandRunner {
    /// A document that somebody else keeps changing is given up after so many tries.
    private static let attempts = 20

    func insert(_ documents: [BSONDocument], _ command: DatabaseCommand, _ position: CommandPosition) async throws {
        let collection = command.collection ?? ""
        try await run.recording("insert", in: collection) {
            let earlier = try await earlier(position)
            // What was tried then keeps the ids that it got then; what wasn't there at the end is tried again.
            let missing = earlier.inserted.filter { earlier.again.contains($0["_id"] ?? .null) }
            for batch in Run.batches(missing) {
                try await run.insert(batch, into: collection, code: "insert", position.journalPosition(isRetry: true))
            }
            for batch in Run.batches(documents.dropFirst(earlier.inserted.count).map(Self.withID)) {
                try await run.insert(batch, into: collection, code: "insert", position.journalPosition())
            }
        }
    }

    /// The document with an `_id` in front, as the server stores it.
    static func withID(_ document: BSONDocument) -> BSONDocument {
        guard let id = document["_id"] else {
            var result: BSONDocument = ["_id": .objectID(.now())]
            for element in document.rawElements { result.append(raw: element) }
            return result
        }
        guard document.keys.first != "_id" else { return document }
        var result: BSONDocument = ["_id": id]
        for element in document.removing("_id").rawElements { result.append(raw: element) }
        return result
    }

    /// What earlier attempts, and this one, have in the journal of a command or a statement, oldest first; what was taken
    /// back is among it.
    func entries(_ position: CommandPosition) async throws -> [JournalEntry] {
        var entries: [JournalEntry] = []
        try await forEachEntry(position) { entries.append($0) }
        return entries
    }

    /// Hands the same over one by one: an entry holds megabytes of documents.
    private func forEachEntry(_ position: CommandPosition, _ body: (JournalEntry) -> Void) async throws {
        for id in runs {
            let cursor = try await database.client.find(
                database.namespace(StateCollection.journal), filter: filter(id, ["position": .int64(position.number)]),
                options: ["sort": ["_id": 1], "batchSize": Run.firstReply])
            try await database.client.forEachBatch(of: cursor, maximum: 1) { documents in
                try documents.map(JournalEntry.init(reading:)).forEach(body)
            }
        }
    }

    private func earlier(_ position: CommandPosition) async throws -> Earlier {
        var earlier = Earlier()
        if position.isResumed { try await forEachEntry(position) { earlier.add($0) } }
        return earlier
    }

    /// Takes over what earlier attempts have in the journal of a command: this one goes on with their entries.
    func claimEntries(_ position: CommandPosition) async throws {
        try await run.claim(runs.filter { $0 != run.id }.map { filter($0, ["position": .int64(position.number)]) })
    }

    func filter(_ run: ObjectID, _ condition: BSONDocument) -> BSONDocument {
        var filter = Undo.filter(run, version)
        filter["undone"] = nil
        for element in condition.rawElements { filter.append(raw: element) }
        return filter
    }

    /// Whether a statement behind this one, of the same command, has anything in the journal.
    private func isFollowed(_ position: CommandPosition) async throws -> Bool {
        let end = StepCheckpoint.numbers(ofCommand: position.index).upperBound
        return try await hasEntries(["position": ["$gt": .int64(position.number), "$lt": .int64(end)]])
    }

    /// Whether a command has anything in the journal that wasn't reverted.
    func hasStanding(ofCommand index: Int) async throws -> Bool {
        let bounds = StepCheckpoint.numbers(ofCommand: index)
        return try await hasEntries([
            "position": ["$gte": .int64(bounds.lowerBound), "$lt": .int64(bounds.upperBound)],
            "undone": ["$exists": false],
        ])
    }

    /// Whether anything of the step is in the journal, reverted or not. The entries, which hold documents, stay there.
    func hasEntries(_ condition: BSONDocument = [:]) async throws -> Bool {
        for id in runs
        where try await !database.findAll(
            StateCollection.journal, filter: filter(id, condition), options: ["limit": 1, "projection": ["_id": 1]]
        ).isEmpty {
            return true
        }
        return false
    }

    /// The runs of this attempt at the step, this one among them, oldest first.
    var runs: [ObjectID] {
        let earlier = context.position?.runs ?? []
        return earlier.contains(run.id) ? earlier : earlier + [run.id]
    }

    /// Carries one statement out.
    func change(_ statement: ChangeStatement, _ command: DatabaseCommand, _ position: CommandPosition) async throws {
        let collection = command.collection ?? ""
        let earlier = try await earlier(position)
        // A later statement has been begun: this one came to its end, but for what was refused.
        let isPassed = position.isResumed ? try await isFollowed(position) : false
        if statement.isMulti || isPassed {
            try await changeUntilRest(
                try await find(statement, collection, ids: Array(earlier.again)), statement, collection, position)
            if isPassed { return }
            try await changeAll(statement, collection, position, after: earlier.last)
        } else if !earlier.hasSettled {
            try await changeFirst(statement, collection, position)
        }
    }

    /// What the journal holds of a statement that an earlier attempt had begun.
    private struct Earlier {
        /// The documents that were inserted, or tried to, in the order of the file.
        var inserted: [BSONDocument] = []
        /// The last document that the pass over all came to.
        var last: BSONValue?
        /// Those that certainly weren't changed, and are to be looked at again.
        var again: Set<BSONValue> = []
        /// Whether any document was changed, or may have been.
        var hasSettled = false

        /// Takes the next entry into account.
        mutating func add(_ entry: JournalEntry) {
            let ids: [BSONValue]
            switch entry.content {
            case .documents(let changes): ids = changes.map(\.id)
            case .fields(let changes): ids = changes.map(\.id)
            case .insert(let documents):
                ids = documents.map { $0["_id"] ?? .null }
                if !entry.isRetry { inserted += documents }
            default: return
            }
            if !entry.isRetry, let newest = ids.last { last = newest }
            again.subtract(ids)
            // What was reverted is to be done again.
            again.formUnion(entry.isUndone ? ids : entry.again)
            if !entry.isUndone, ids.contains(where: { !entry.again.contains($0) }) { hasSettled = true }
        }
    }

    private func changeFirst(_ statement: ChangeStatement, _ collection: String, _ position: CommandPosition)
        async throws
    {
        for _ in 0..<Self.attempts {
            try await run.breathe()
            guard let first = try await find(statement, collection, limit: 1).first else {
                guard statement.isUpsert else { return }
                do {
                    return try await upsert(statement, collection, position)
                } catch let error as MongoError where error.kind == .duplicateKey {
                    // Where somebody has inserted such a document just now, that one is changed.
                    guard try await !find(statement, collection, limit: 1).isEmpty else { throw error }
                    continue
                }
            }
            if try await change([first], statement, collection, position.journalPosition()).isEmpty { return }
        }
        try giveUp(1, collection)
    }

    /// Goes over every document that matches once, in the order of `_id`, whatever the update makes of it.
    private func changeAll(
        _ statement: ChangeStatement, _ collection: String, _ position: CommandPosition, after last: BSONValue?
    ) async throws {
        var options = statement.readOptions
        options.append("batchSize", Run.firstReply)
        options.append("sort", ["_id": 1])
        options.append("allowDiskUse", true)
        if let last {
            guard statement.collation == nil || last.type != .string else {
                throw HalfApplied(
                    sentence:
                        "it was begun and can't be resumed, because its collation orders text _ids in another way "
                        + "than the index does; \(StepFileAdvice.undoRun)")
            }
            options.append("hint", ["_id": 1])
            options.append("min", ["_id": last])
        }
        let cursor = try await database.client.find(
            database.namespace(collection), filter: statement.filter, options: options)
        var found = false
        try await database.client.forEachBatch(
            of: cursor, maximum: Run.batchSize, maximumBytes: Run.documentsPerEntryBytes
        ) { batch in
            var batch = batch
            found = true
            if let last { batch.removeAll { $0["_id"] == last } }
            let missed = try await changeFirstTime(batch, statement, collection, position.journalPosition())
            try await changeUntilRest(
                try await find(statement, collection, ids: missed), statement, collection, position)
            run.progress(ProgressUpdate("\(statement.code) \(collection)", done: run.totals.totalChanged))
        }
        if !found, last == nil, statement.isUpsert { try await upsert(statement, collection, position) }
    }

    private func changeFirstTime(
        _ documents: [BSONDocument], _ statement: ChangeStatement, _ collection: String, _ position: JournalPosition
    ) async throws -> [BSONValue] {
        if let missed = try await setAll(documents, statement, collection, position) { return missed }
        return try await change(documents, statement, collection, position)
    }

    /// Changes documents together where the update makes some fields of all of them the same: what becomes of them needs no
    /// working out.
    ///
    /// - Returns: The `_id`s of documents that weren't changed; nil where the update, or one of the documents, isn't of such a
    ///   form, and nothing was done.
    private func setAll(
        _ documents: [BSONDocument], _ statement: ChangeStatement, _ collection: String, _ position: JournalPosition
    ) async throws -> [BSONValue]? {
        guard let values = statement.plainValues,
            try await database.client.listCollections(database.name)[collection]?.collation == nil,
            documents.allSatisfy(values.canBeSet)
        else { return nil }
        let changes = documents.compactMap { values.change(of: $0) }
        // An old server couldn't take back what it was.
        guard changes.allSatisfy({ database.canUpdate(toHold: $0.before) }) else { return nil }
        var missed: [BSONValue] = []
        for batch in Run.batches(changes) {
            missed += try await run.set(batch, where: statement.filter, in: collection, code: statement.code, position)
        }
        return missed
    }

    /// Changes documents that had changed before they could be changed, if they still match.
    private func changeUntilRest(
        _ documents: [BSONDocument], _ statement: ChangeStatement, _ collection: String, _ position: CommandPosition
    ) async throws {
        var rest = documents
        for _ in 0..<Self.attempts {
            guard !rest.isEmpty else { return }
            let missed = try await change(rest, statement, collection, position.journalPosition(isRetry: true))
            rest = try await find(statement, collection, ids: missed)
        }
        if !rest.isEmpty { try giveUp(rest.count, collection) }
    }

    /// The step isn't done while a document of it isn't: the next run goes on with those.
    private func giveUp(_ count: Int, _ collection: String) throws {
        throw EngineError.refused(
            "somebody else keeps changing \(count) document\(count == 1 ? "" : "s") of \(collection); try again")
    }

    /// - Returns: The `_id`s of documents that had changed meanwhile.
    private func change(
        _ documents: [BSONDocument], _ statement: ChangeStatement, _ collection: String, _ position: JournalPosition
    ) async throws -> [BSONValue] {
        let outcomes: [DocumentChange]
        if statement.update == nil {
            outcomes = documents.map { DocumentChange(id: $0["_id"] ?? .null, before: $0, after: .absent) }
        } else {
            outcomes = try await preview(collection).outcomes(of: statement, on: documents)
        }
        var missed: [BSONValue] = []
        for batch in Run.batches(outcomes) {
            try checkSize(batch, collection)
            missed += try await run.apply(
                documents: batch, in: collection, code: statement.code, position, context.settings)
        }
        return missed
    }

    /// A batch of one document may be larger than a journal entry can be.
    func checkSize(_ batch: [DocumentChange], _ collection: String) throws {
        guard let large = batch.first(where: { $0.journalledBytes > Run.largestEntryBytes }) else { return }
        throw EngineError.refused(
            "a document of \(collection) is too large to be journalled (\(large.journalledBytes) bytes with its change), so it "
                + "isn't changed")
    }

    private func upsert(_ statement: ChangeStatement, _ collection: String, _ position: CommandPosition) async throws {
        guard let made = try await preview(collection).upserted(by: statement) else { return }
        try await run.insert([made], into: collection, code: "insert", position.journalPosition())
    }

    private func preview(_ collection: String) async throws -> Preview {
        Preview(
            run: run, name: previewName,
            collation: try await database.client.listCollections(database.name)[collection]?.collation)
    }

    private func find(
        _ statement: ChangeStatement, _ collection: String, limit: Int? = nil, ids: [BSONValue]? = nil
    ) async throws -> [BSONDocument] {
        var options = statement.readOptions
        if let limit { options.append("limit", .int64(Int64(limit))) }
        if let sort = statement.sort { options.append("sort", .document(sort)) }
        guard let ids else {
            return try await database.findAll(collection, filter: statement.filter, options: options)
        }
        guard !ids.isEmpty else { return [] }
        let filter: BSONDocument = [
            "$and": [.document(statement.filter), ["_id": ["$in": .array(BSONArray(ids))]]]
        ]
        // A collation may take other text for the same.
        let wanted = Set(ids)
        return try await database.findAll(collection, filter: filter, options: options).filter {
            wanted.contains($0["_id"] ?? .null)
        }
    }
}

extension ChangeStatement {
    /// What results call it.
    var code: String { update == nil ? "delete" : "update" }
}
