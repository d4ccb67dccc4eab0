package import BSON
internal import MongoDriver

/// Documents to be inserted under consecutive `_id`s.
package struct NumberedDocuments: Sendable {
    /// The collection.
    package let collection: String
    /// What their inserting counts as.
    package let code: String
    /// How the journal knows them.
    package let range: InsertedRange
    /// The command that inserts them.
    let command: BSONDocument

    /// Begins the command that inserts documents; a command, as every document, is no larger than 16 MiB.
    ///
    /// - Parameters:
    ///   - collection: Where to.
    ///   - isUnvalidated: Whether a validator may refuse them.
    ///   - capacity: The bytes to make room for.
    package static func rows(into collection: String, isUnvalidated: Bool = false, capacity: Int) -> BSONRows {
        var command: BSONDocument = [
            "insert": .string(collection), "ordered": false, "writeConcern": ["w": 1],
        ]
        if isUnvalidated { command.append("bypassDocumentValidation", true) }
        return BSONRows(in: command, as: "documents", capacity: capacity)
    }

    /// Describes rows that ``rows(into:capacity:)`` began, and that are closed.
    ///
    /// - Parameters:
    ///   - rows: The documents, whose `_id`s are consecutive.
    ///   - first: The first `_id`.
    ///   - collection: Where to.
    ///   - code: What is inserted, for the counts.
    package init(_ rows: BSONRows, first: ObjectID, into collection: String, code: String) {
        self.collection = collection
        self.code = code
        range = InsertedRange(first: first, rows)
        command = rows.command
    }
}

extension Run {
    /// Inserts documents, journalled by their range. None of their `_id`s may be taken.
    ///
    /// - Throws: `MongoError` when the server refuses one of them; ``EngineError``.
    package func insert(numbered documents: NumberedDocuments) async throws {
        guard !documents.range.marks.isEmpty else { return }
        let entry = makeEntries([(documents.collection, documents.code, .range(documents.range), nil)])[0]
        try await append([entry])
        defer { database.catalog.forgetIndexes(of: documents.collection) }
        do {
            // Where that isn't enough the command has to be copied.
            let concern = followed
            let command = documents.command
            try await writer.run(
                concern == .inOrder ? command : command.removing("writeConcern"), on: database.name, concern: concern)
        } catch let error as MongoError where error.isRefusal {
            _ = try await close(range: entry, documents.range)
            throw error
        }
        counts.count(entry, documents.range.marks.count)
        try await setState(.done, of: [entry], concern: followed)
    }

    /// Closes an entry by what there is of its documents: whoever wants the others inserts them anew.
    ///
    /// - Returns: How many there are.
    @discardableResult
    func close(range entry: JournalEntry, _ range: InsertedRange) async throws -> Int {
        let counted = try await database.aggregateAll(
            entry.collection, [["$match": .document(range.filter)], ["$count": "n"]])
        let standing = Int(counted.first?["n"]?.integer ?? 0)
        if standing > 0 { try await amend(open: entry, ["$set": ["count": .int64(Int64(standing))]]) }
        counts.count(entry, standing)
        try await setState(standing > 0 ? .done : .abandoned, of: [entry])
        return standing
    }
}
