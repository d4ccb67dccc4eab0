internal import BSON
internal import MongoDriver

/// Commands that insert, update and delete: worked out, journalled, made by compare-and-set.
extension CommandRunner {
    /// A document that somebody else keeps changing is given up after so many tries.
    private static let attempts = 20

    func insert(_ documents: [BSONDocument], _ command: DatabaseCommand, _ place: CommandPlace) async throws {
        let collection = command.collection ?? ""
        try await run.recording("insert", in: collection) {
            var wanted = documents.map(Self.withID)
            if place.isResumed {
                let earlier = try await entries(place).flatMap { entry -> [BSONDocument] in
                    if case .insert(let documents) = entry.content { return documents }
                    return []
                }
                // What was inserted then, under the ids that it got then.
                if earlier.count == documents.count { wanted = earlier }
                let present = try await self.run.documents(wanted.map { $0["_id"] ?? .null }, in: collection)
                if !earlier.isEmpty { wanted.removeAll { present[$0["_id"] ?? .null] != nil } }
            }
            for batch in Run.batches(wanted) {
                try await run.insert(batch, into: collection, code: "insert", position: place.number)
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

    /// What earlier attempts, and this one, have in the journal of a command or a statement, oldest first.
    func entries(_ place: CommandPlace) async throws -> [JournalEntry] {
        var entries: [JournalEntry] = []
        for id in runs {
            var filter = Undo.filter(id, version)
            filter.append("position", .int64(place.number))
            let found = try await database.findAll(
                StateCollection.journal, filter: filter, options: ["sort": ["_id": 1]])
            entries += found.compactMap(JournalEntry.init)
        }
        return entries
    }

    /// Whether anything of the step is in the journal.
    func hasEntries() async throws -> Bool {
        for id in runs {
            let found = try await database.findAll(
                StateCollection.journal, filter: Undo.filter(id, version),
                options: ["limit": 1, "projection": ["_id": 1]])
            if !found.isEmpty { return true }
        }
        return false
    }

    /// The runs that have worked on the step, this one among them, oldest first.
    private var runs: [ObjectID] {
        let earlier = context.place?.runs ?? []
        return earlier.contains(run.id) ? earlier : earlier + [run.id]
    }

    /// Carries one statement out.
    func change(_ statement: ChangeStatement, _ command: DatabaseCommand, _ place: CommandPlace) async throws {
        let collection = command.collection ?? ""
        let earlier = place.isResumed ? try await entries(place) : []
        let done = earlier.flatMap { entry -> [BSONValue] in
            switch entry.content {
            case .documents(let changes): changes.map(\.id).filter { !entry.missed.contains($0) }
            case .insert(let documents): documents.compactMap { $0["_id"] }
            default: []
            }
        }
        if statement.isMulti {
            let missed = Set(earlier.flatMap(\.again)).subtracting(done)
            try await changeUntilRest(
                try await find(statement, collection, ids: Array(missed)), statement, collection, place)
            try await changeAll(statement, collection, place, after: done.last)
        } else if done.isEmpty {
            try await changeFirst(statement, collection, place)
        }
    }

    private func changeFirst(_ statement: ChangeStatement, _ collection: String, _ place: CommandPlace) async throws {
        for _ in 0..<Self.attempts {
            try await run.breathe()
            guard let first = try await find(statement, collection, limit: 1).first else {
                guard statement.isUpsert else { return }
                return try await upsert(statement, collection, place)
            }
            if try await change([first], statement, collection, place).isEmpty { return }
        }
        run.tally.left(code(statement), collection, 1, reason: "somebody else kept changing it")
    }

    /// Goes over every document that matches once, in the order of `_id`, whatever the update makes of it.
    private func changeAll(
        _ statement: ChangeStatement, _ collection: String, _ place: CommandPlace, after last: BSONValue?
    ) async throws {
        var options = statement.readOptions
        options.append("sort", ["_id": 1])
        options.append("allowDiskUse", true)
        if let last {
            guard statement.collation == nil || last.type != .string else {
                throw HalfApplied(
                    description: "it was begun and can't be gone on with, because its collation orders text _ids in "
                        + "another way than the index does")
            }
            options.append("hint", ["_id": 1])
            options.append("min", ["_id": last])
        }
        let cursor = try await database.client.find(
            database.namespace(collection), filter: statement.filter, options: options)
        var found = false
        do {
            while true {
                var batch = try await cursor.nextBatch(
                    maximum: Run.batchSize, maximumBytes: Run.documentsPerEntryBytes)
                if batch.isEmpty { break }
                found = true
                if let last { batch.removeAll { $0["_id"] == last } }
                try await changeUntilRest(batch, statement, collection, place)
                run.progress(
                    ProgressUpdate("\(code(statement)) \(collection)", done: run.tally.totalChanged))
            }
        } catch {
            await cursor.close()
            throw error
        }
        await cursor.close()
        if !found, last == nil, statement.isUpsert { try await upsert(statement, collection, place) }
    }

    /// Changes documents, and those again that had changed meanwhile, if they still match.
    private func changeUntilRest(
        _ documents: [BSONDocument], _ statement: ChangeStatement, _ collection: String, _ place: CommandPlace
    ) async throws {
        var rest = documents
        for _ in 0..<Self.attempts {
            guard !rest.isEmpty else { return }
            let missed = try await change(rest, statement, collection, place)
            guard !missed.isEmpty else { return }
            rest = try await find(statement, collection, ids: missed)
        }
        run.tally.left(code(statement), collection, rest.count, reason: "somebody else kept changing it")
    }

    /// - Returns: The `_id`s of documents that had changed meanwhile.
    private func change(
        _ documents: [BSONDocument], _ statement: ChangeStatement, _ collection: String, _ place: CommandPlace
    ) async throws -> [BSONValue] {
        let outcomes: [DocumentChange]
        if statement.update == nil {
            outcomes = documents.map { DocumentChange(id: $0["_id"] ?? .null, before: $0, after: .absent) }
        } else {
            outcomes = try await Scratch(run: run).outcomes(of: statement, on: documents)
        }
        var missed: [BSONValue] = []
        for batch in Self.entries(of: outcomes) {
            if let large = batch.first, large.journalledBytes > Self.largestEntry {
                throw EngineError.refused(
                    "a document of \(collection) is too large to be journalled (\(large.journalledBytes) bytes with its "
                        + "change), so it isn't changed")
            }
            missed += try await run.apply(
                documents: batch, in: collection, code: code(statement), position: place.number, context.settings)
        }
        return missed
    }

    /// The journal's entry holds a document before and after, and has to stay below 16 MiB.
    private static let largestEntry = 15 << 20

    private static func entries(of changes: [DocumentChange]) -> [[DocumentChange]] {
        var batches: [[DocumentChange]] = []
        var bytes = 0
        for change in changes {
            if !batches.isEmpty, bytes + change.journalledBytes <= 2 * Run.documentsPerEntryBytes {
                batches[batches.count - 1].append(change)
                bytes += change.journalledBytes
            } else {
                batches.append([change])
                bytes = change.journalledBytes
            }
        }
        return batches
    }

    private func upsert(_ statement: ChangeStatement, _ collection: String, _ place: CommandPlace) async throws {
        guard let made = try await Scratch(run: run).upserted(by: statement) else { return }
        try await run.insert([made], into: collection, code: "insert", position: place.number)
    }

    private func find(
        _ statement: ChangeStatement, _ collection: String, limit: Int? = nil, ids: [BSONValue]? = nil
    ) async throws -> [BSONDocument] {
        var options = statement.readOptions
        if let limit { options.append("limit", .int64(Int64(limit))) }
        if let sort = statement.sort { options.append("sort", .document(sort)) }
        var filter = statement.filter
        if let ids {
            filter = ["$and": [.document(statement.filter), ["_id": ["$in": .array(BSONArray(ids))]]]]
        }
        return try await database.findAll(collection, filter: filter, options: options)
    }

    private func code(_ statement: ChangeStatement) -> String { statement.update == nil ? "delete" : "update" }
}

extension DocumentChange {
    /// About the size of the change in the journal.
    fileprivate var journalledBytes: Int {
        var bytes = before?.byteCount ?? 0
        if case .document(let after) = after { bytes += after.byteCount }
        return bytes + 64
    }
}
