internal import BSON
internal import Journal
internal import MongoDriver

/// Works out what an update makes of documents, by letting the server do it to copies of them in a collection of the
/// tool's own. The documents themselves are then changed by compare-and-set, with both images in the journal.
struct Preview {
    let run: Run
    /// The collection that the copies are put into: nobody else's, also not that of an attempt whose last command is still
    /// on its way to the server.
    let name: String
    /// The collation of the documents' own collection, which the copies' hasn't.
    let collation: BSONDocument?

    private var database: Database { run.database }
    private var namespace: Namespace { database.namespace(name) }

    /// A name that no attempt has had.
    static func makeName() -> String { "\(StateCollection.preview).\(ObjectID.now().hex)" }

    /// What an update makes of documents that match it; those that it leaves as they are, are left out.
    ///
    /// - Throws: `MongoError`: also where the statement can't be carried out on a copy, because it needs an index.
    func outcomes(of statement: ChangeStatement, on documents: [BSONDocument]) async throws -> [DocumentChange] {
        guard !documents.isEmpty else { return [] }
        for document in documents {
            // The server puts the present time into such a field of a document that is inserted or replaced.
            if document.elements.contains(where: { $0.value == .timestamp(BSONTimestamp(seconds: 0, increment: 0)) }) {
                throw EngineError.refused(
                    "a document has an empty timestamp, which the server would replace by the time")
            }
        }
        try await empty()
        try await run.writer.bulkWrite(namespace, documents.map { .insert($0) }, concern: .acknowledged)
        try await update(statement, isMulti: true, isUpsert: false)
        let after = try await run.documents(documents.map { $0["_id"] ?? .null }, in: name)
        try await empty()
        return try documents.compactMap { before in
            let id = before["_id"] ?? .null
            guard let after = after[id] else {
                throw EngineError.refused(
                    "a copy that the update was to be worked out on is gone: is another run at work here? Run the same "
                        + "command again")
            }
            guard after != before else { return nil }
            return DocumentChange(id: id, before: before, after: .document(after))
        }
    }

    /// The document that an update inserts where none matches; nil where it inserts none.
    func upserted(by statement: ChangeStatement) async throws -> BSONDocument? {
        try await empty()
        try await update(statement, isMulti: statement.isMulti, isUpsert: true)
        let made = try await database.findAll(name, filter: [:], options: ["limit": 1]).first
        try await empty()
        return made
    }

    private func update(_ statement: ChangeStatement, isMulti: Bool, isUpsert: Bool) async throws {
        var update: BSONDocument = ["q": .document(statement.filter), "u": statement.update ?? .null]
        // A replacement goes without `multi`; one that says it all the same is the server's to refuse.
        let isReplacement = statement.isReplacement && statement.update?.document != nil
        update.append("multi", .bool(isMulti && (statement.isMulti || !isReplacement)))
        update.append("upsert", .bool(isUpsert))
        if let collation = statement.collation ?? collation { update.append("collation", .document(collation)) }
        for element in statement.rest.rawElements { update.append(raw: element) }
        var command: BSONDocument = [
            "update": .string(name), "updates": [.document(update)], "writeConcern": ["w": 1],
        ]
        if let variables = statement.variables { command.append("let", variables) }
        try await run.writer.run(command, on: database.name)
    }

    private func empty() async throws {
        try await run.writer.bulkWrite(namespace, [.deleteMany(filter: [:])], concern: .acknowledged)
    }

    /// Removes the collection, and what earlier attempts have left behind.
    static func remove(_ run: Run) async throws {
        let present = try await run.database.client.listCollections(run.database.name)
        for name in present.keys where name.hasPrefix(StateCollection.preview) {
            do {
                try await run.writer.run(["drop": .string(name)], on: run.database.name)
            } catch let error as MongoError where error.code == MongoError.ServerCode.namespaceNotFound {
                continue
            }
        }
    }
}
