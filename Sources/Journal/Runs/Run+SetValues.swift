package import BSON
internal import MongoDriver

/// Setting fields of many documents to the same values, as an update with `$set` does: journalled, by compare-and-set, with
/// one statement for a hundred documents.
extension Run {
    /// The lookup of what was observed goes through a statement's list: see ``changeTogether(_:in:bypassesValidation:)``.
    private static let perStatement = 100

    /// Sets the fields of documents that still match a filter, and whose fields are as they were observed.
    ///
    /// - Parameters:
    ///   - changes: What to change: a batch that fits one journal entry. All set the same fields to the same values.
    ///   - filter: What every one of the documents has to match. Text is compared by its bytes.
    ///   - collection: The documents' collection.
    ///   - code: What is done, for the counts.
    ///   - position: Which command of a step's file it belongs to.
    /// - Returns: The `_id`s of documents that certainly weren't changed: they had changed meanwhile, or the server refused.
    /// - Throws: ``EngineError``, `MongoError`.
    package func set(
        _ changes: [FieldChange], where filter: BSONDocument, in collection: String, code: String,
        _ position: JournalPosition
    ) async throws -> [BSONValue] {
        guard !changes.isEmpty else { return [] }
        var entry = makeEntries([(collection, code, .fields(changes), nil)])[0]
        entry.note(position)
        entry.filter = filter
        try await append([entry])
        return try await execute(setting: entry, where: filter)
    }

    /// Makes the changes of an entry that is in the journal; doing it twice does no harm.
    ///
    /// The server tells how many it made, not which. Where some are missing the documents are looked at.
    ///
    /// - Parameter isResumed: An earlier attempt may have made them, and others may have changed the documents since.
    /// - Returns: The `_id`s of documents that certainly weren't changed.
    @discardableResult
    func execute(
        setting entry: JournalEntry, where filter: BSONDocument, isResumed: Bool = false
    ) async throws -> [BSONValue] {
        let changes = entry.fieldChanges
        let made = try await send(changes, where: filter, in: entry.collection)
        var missed: [BSONValue] = []
        var unknown: [BSONValue] = []
        if made != changes.count {
            let current = try await fields(of: changes, in: entry.collection)
            let others = changes.filter { change in !(current[change.id].map(change.isAfter) ?? false) }
            if isResumed || made == nil {
                for change in others {
                    let isBefore = current[change.id].map(change.isBefore) ?? false
                    if isBefore { missed.append(change.id) } else { unknown.append(change.id) }
                }
            } else if others.count == changes.count - (made ?? 0) {
                missed = others.map(\.id)
            } else {
                // Others have written to some since. To what doesn't match any more there is nothing to be done.
                let matching = try await matching(others, filter, in: entry.collection)
                for change in others {
                    if matching.contains(change.id) { unknown.append(change.id) } else { missed.append(change.id) }
                }
            }
        }
        try await close(entry, missed: missed, unknown: unknown, changed: changes.count - missed.count - unknown.count)
        return missed
    }

    private func matching(
        _ changes: [FieldChange], _ filter: BSONDocument, in collection: String
    ) async throws -> Set<BSONValue> {
        let ids = BSONValue.array(BSONArray(changes.map(\.id)))
        let found = try await database.findAll(
            collection, filter: ["$and": [["_id": ["$in": ids]], .document(filter)]],
            options: ["projection": ["_id": 1]])
        return Set(found.compactMap { $0["_id"] })
    }

    /// - Returns: How many were changed; nil where the server refused one of them, and others may have been changed.
    private func send(
        _ changes: [FieldChange], where filter: BSONDocument, in collection: String
    ) async throws -> Int? {
        let statements = Self.statements(makingAlike: changes[...], filter)
        // Acknowledged only: the entry's end, which is written after them, is durable no sooner than they are.
        let command: BSONDocument = [
            "update": .string(collection), "updates": .array(BSONArray(statements)), "ordered": false,
            "writeConcern": .document(WriteConcern.acknowledged.document),
        ]
        do {
            return Int(try await writer.run(command, on: database.name)["n"]?.integer ?? 0)
        } catch let error as MongoError where error.isRefusal && error.kind != .unauthorized {
            return nil
        }
    }

    /// The statements that make changes by compare-and-set, where all make the same of their documents.
    ///
    /// Where what they observed is the same, too, one comparison serves them all.
    static func statements(makingAlike changes: ArraySlice<FieldChange>, _ filter: BSONDocument) -> [BSONValue] {
        let groups = Dictionary(grouping: changes, by: \.before).values
        guard groups.count * perStatement > changes.count else {
            return groups.map { group in
                statement(makingAlike: group[...], filter) { names, _ in isAsObserved(group[0].before, names) }
            }
        }
        return stride(from: changes.startIndex, to: changes.endIndex, by: perStatement).map { start in
            let some = changes[start..<min(start + perStatement, changes.endIndex)]
            return statement(makingAlike: some, filter) { names, ids in areAsObserved(some, names, ids) }
        }
    }

    private static func statement(
        makingAlike changes: ArraySlice<FieldChange>, _ filter: BSONDocument,
        _ condition: (_ names: [String], _ ids: BSONValue) -> BSONValue
    ) -> BSONValue {
        let values = changes.first?.after ?? [:]
        let names = Set(changes.flatMap(\.names)).sorted()
        let ids = BSONValue.array(BSONArray(changes.map(\.id)))
        let query: BSONValue = ["$and": [["_id": ["$in": ids]], .document(filter), ["$expr": condition(names, ids)]]]
        return [
            "q": query, "u": .document(FieldChange.update(of: names, to: values)), "multi": true, "hint": ["_id": 1],
            "collation": .document(ExactMatch.collation),
        ]
    }

    /// The fields of the documents that changes are about, as they are now.
    private func fields(of changes: [FieldChange], in collection: String) async throws -> [BSONValue: BSONDocument] {
        let names = Set(changes.flatMap(\.names)).sorted()
        let found = try await database.findAll(
            collection, filter: ["_id": ["$in": .array(BSONArray(changes.map(\.id)))]],
            options: ["projection": .document(BSONDocument(names.map { ($0, BSONValue.int32(1)) }))])
        return Dictionary(found.map { ($0["_id"] ?? .null, $0) }, uniquingKeysWith: { first, _ in first })
    }
}
