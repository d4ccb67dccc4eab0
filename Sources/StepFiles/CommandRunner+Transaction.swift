internal import BSON
internal import Journal
internal import MigrationEngine
internal import MongoDriver

/// All commands of a file in one transaction, with their journal and the checkpoint: either all of it happens, or nothing.
extension CommandRunner {
    /// More documents make a transaction that others wait for, and that may outlive the server's limit of a minute.
    private static let mostDocuments = 1000

    /// Whether the server has transactions, every command may belong to one, and the documents are few.
    func fitsTransaction() async throws -> Bool {
        guard database.server.topology == .replicaSet, !file.commands.isEmpty else { return false }
        let present = try await database.client.listCollections(database.name)
        var documents = 0
        for command in file.commands {
            // Neither a capped collection nor one of the tool's own takes part in one.
            guard let collection = command.collection, command.refusal(on: database.name) == nil,
                present[collection].map({ $0.isOrdinary && !$0.isCapped }) ?? true
            else { return false }
            switch command.kind {
            case .insert(let inserted): documents += inserted.count
            case .change(let statements):
                for statement in statements {
                    // The one field that `findAndModify` has no place for.
                    guard statement.rest["c"] == nil else { return false }
                    documents += try await count(statement, collection, atMost: Self.mostDocuments + 1)
                }
            case .create, .createIndexes, .drop, .aggregate, .other: return false
            }
            guard documents <= Self.mostDocuments else { return false }
        }
        return true
    }

    private func count(_ statement: ChangeStatement, _ collection: String, atMost limit: Int) async throws -> Int {
        guard statement.isMulti else { return 1 }
        var options = statement.readOptions
        options.append("limit", .int64(Int64(limit)))
        options.append("projection", ["_id": 1])
        return try await database.findAll(collection, filter: statement.filter, options: options).count
    }

    func executeInTransaction() async throws {
        try await run.breathe()
        let client = try run.writer
        let changes = try await client.withTransaction { session -> [Change] in
            try await run.confirmLease(session)
            var changes: [Change] = []
            for (index, command) in file.commands.enumerated() {
                try await attempt(index) {
                    changes += try await perform(command, CommandPosition(index: index, isResumed: false), session)
                }
            }
            if let row = context.position {
                let done = try file.checkpoint(
                    direction, position: file.commands.count, figures: StepTotals.Figures(changes: changes))
                let save = row.update(done.document)
                try await client.bulkWrite(save.namespace, [save.write], session: session)
            }
            return changes
        }
        for change in changes {
            try await run.recording(change.code, in: change.collection) {
                run.totals.changed(change.code, change.collection, change.changed)
            }
        }
    }

    private func perform(
        _ command: DatabaseCommand, _ position: CommandPosition, _ session: ClientSession
    ) async throws -> [Change] {
        let collection = command.collection ?? ""
        switch command.kind {
        case .insert(let documents):
            let documents = documents.map(Self.withID)
            try await journal(.insert(documents), "insert", collection, position, session)
            try await run.writer.bulkWrite(
                database.namespace(collection), documents.map { .insert($0) }, ordered: true, session: session)
            return [Change(code: "insert", collection: collection, changed: documents.count)]
        case .change(let statements):
            var changes: [Change] = []
            for (number, statement) in statements.enumerated() {
                changes += try await perform(statement, collection, position.statement(number), session)
            }
            return changes
        case .create, .createIndexes, .drop, .aggregate, .other: return []
        }
    }

    private func perform(
        _ statement: ChangeStatement, _ collection: String, _ position: CommandPosition, _ session: ClientSession
    ) async throws -> [Change] {
        guard statement.isMulti else { return try await performFirst(statement, collection, position, session) }
        let before = try await database.findAll(
            collection, filter: statement.filter, options: statement.readOptions.replacing("sort", with: ["_id": 1]),
            session: session)
        let reply = try await run.writer.run(statement.command(on: collection), on: database.name, session: session)
        let upserted = (reply["upserted"]?.array?.values ?? []).compactMap { $0.document?["_id"] }
        return try await journal(before, upserted: upserted, statement.code, collection, position, session)
    }

    /// Changes whichever document the server takes for the first, and learns from it which that was.
    private func performFirst(
        _ statement: ChangeStatement, _ collection: String, _ position: CommandPosition, _ session: ClientSession
    ) async throws -> [Change] {
        let reply = try await run.writer.run(
            statement.findAndModify(on: collection), on: database.name, session: session)
        let before = [reply["value"]?.document].compactMap { $0 }
        let upserted = [reply.value(at: "lastErrorObject", "upserted")].compactMap { $0 }
        return try await journal(before, upserted: upserted, statement.code, collection, position, session)
    }

    /// Journals what a statement made of some documents.
    private func journal(
        _ before: [BSONDocument], upserted: [BSONValue], _ code: String, _ collection: String,
        _ position: CommandPosition,
        _ session: ClientSession
    ) async throws -> [Change] {
        let ids = before.map { $0["_id"] ?? .null } + upserted
        let found = try await database.findAll(
            collection, filter: ["_id": ["$in": .array(BSONArray(ids))]], session: session)
        let after = Dictionary(found.map { ($0["_id"] ?? .null, $0) }, uniquingKeysWith: { first, _ in first })
        let documents = before.compactMap { image -> DocumentChange? in
            let id = image["_id"] ?? .null
            guard after[id] != image else { return nil }
            return DocumentChange(id: id, before: image, after: after[id].map { .document($0) } ?? .absent)
        }
        for batch in Run.batches(documents) {
            try checkSize(batch, collection)
            try await journal(.documents(batch), code, collection, position, session)
        }
        let made = upserted.compactMap { after[$0] }
        if !made.isEmpty { try await journal(.insert(made), "insert", collection, position, session) }
        return [
            Change(code: code, collection: collection, changed: documents.count),
            Change(code: "insert", collection: collection, changed: made.count),
        ].filter { $0.changed > 0 }
    }

    private func journal(
        _ content: JournalEntry.Content, _ code: String, _ collection: String, _ position: CommandPosition,
        _ session: ClientSession
    ) async throws {
        var entries = run.makeEntries([(collection, code, content, nil)], state: .done)
        entries[0].position = position.number
        try await run.writer.bulkWrite(run.journal, entries.map { .insert($0.document) }, session: session)
    }
}

extension ChangeStatement {
    /// How the documents that match are read.
    var readOptions: BSONDocument {
        var options: BSONDocument = [:]
        if let collation { options.append("collation", .document(collation)) }
        if let variables { options.append("let", variables) }
        return options
    }

    /// The statement as a command of its own.
    func command(on collection: String) -> BSONDocument {
        var statement: BSONDocument = ["q": .document(filter)]
        if let update {
            statement.append("u", update)
            statement.append("multi", .bool(isMulti))
            statement.append("upsert", .bool(isUpsert))
            for element in rest.rawElements { statement.append(raw: element) }
        } else {
            statement.append("limit", isMulti ? 0 : 1)
        }
        if let collation { statement.append("collation", .document(collation)) }
        let isUpdate = update != nil
        var command: BSONDocument = [
            isUpdate ? "update" : "delete": .string(collection),
            isUpdate ? "updates" : "deletes": [.document(statement)],
        ]
        if let variables { command.append("let", variables) }
        return command
    }

    /// The statement, which is about one document, as a command that returns the document as it was.
    func findAndModify(on collection: String) -> BSONDocument {
        var command: BSONDocument = ["findAndModify": .string(collection), "query": .document(filter)]
        if let sort { command.append("sort", .document(sort)) }
        if let update {
            command.append("update", update)
            command.append("upsert", .bool(isUpsert))
        } else {
            command.append("remove", true)
        }
        if let filters = rest["arrayFilters"] { command.append("arrayFilters", filters) }
        if let collation { command.append("collation", .document(collation)) }
        if let variables { command.append("let", variables) }
        return command
    }
}
