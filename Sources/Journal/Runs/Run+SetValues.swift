package import BSON
internal import MongoDriver

/// Setting fields of many documents to the same values, as an update with `$set` does: journalled, by compare-and-set, with
/// one statement for a hundred documents.
extension Run {
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
        return try await execute(setting: entry)
    }

    /// Makes the changes of an entry that is in the journal; doing it twice does no harm.
    ///
    /// The server tells how many it made, not which. Where some are missing the documents are looked at.
    ///
    /// - Parameter isResumed: An earlier attempt may have made them, and others may have changed the documents since.
    /// - Returns: The `_id`s of documents that certainly weren't changed.
    @discardableResult
    func execute(setting entry: JournalEntry, isResumed: Bool = false) async throws -> [BSONValue] {
        let changes = entry.fieldChanges
        let filter = entry.filter ?? [:]
        let reply = try await update(
            Self.statements(makingAlike: changes, filter), in: entry.collection, followed)
        // How many were changed; nil where the server refused one of them, and others may have been changed.
        let made = reply.map { Int($0["n"]?.integer ?? 0) }
        var missed: [BSONValue] = []
        var unknown: [BSONValue] = []
        if made != changes.count {
            let current = try await database.fields(of: changes, in: entry.collection)
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

    /// The statements that make changes by compare-and-set, where all make the same of their documents.
    ///
    /// Where what they observed is the same, too, one comparison serves them all.
    static func statements(makingAlike changes: [FieldChange], _ filter: BSONDocument) -> [BSONValue] {
        let names = Set(changes.flatMap(\.names)).sorted()
        let update = FieldChange.update(of: names, to: changes.first?.after ?? [:])
        func statement(
            _ some: ArraySlice<FieldChange>, _ condition: (_ ids: BSONValue) -> BSONValue
        ) -> BSONValue {
            let ids = BSONValue.array(BSONArray(some.map(\.id)))
            let query: BSONValue = ["$and": [["_id": ["$in": ids]], .document(filter), ["$expr": condition(ids)]]]
            return [
                "q": query, "u": .document(update), "multi": true, "hint": ["_id": 1],
                "collation": .document(ExactMatch.collation),
            ]
        }
        let groups = Dictionary(grouping: changes, by: \.before).values
        guard groups.count * perStatement > changes.count else {
            return groups.map { group in statement(group[...]) { _ in isAsObserved(group[0].before, names) } }
        }
        return stride(from: 0, to: changes.count, by: perStatement).map { start in
            let some = changes[start..<min(start + perStatement, changes.count)]
            return statement(some) { ids in areAsObserved(some, names, ids) }
        }
    }
}
