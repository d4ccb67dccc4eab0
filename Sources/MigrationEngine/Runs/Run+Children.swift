internal import BSON
internal import MongoDriver

extension Run {
    /// Reads the changes of references that followed a moved document, those that were really made.
    func children(of key: JournalKey) async throws -> [(collection: String, changes: [FieldChange])] {
        let documents = try await database.findAll(
            StateCollection.journal, filter: ["_id.r": .objectID(key.run), "parent": .int64(key.number)],
            options: ["sort": ["_id": 1]])
        // A resumed move may have journalled a reference twice.
        var seen: Set<Referring> = []
        return try documents.map(JournalEntry.init(reading:)).map { entry in
            let missed = Set(entry.missed)
            let changes = entry.fieldChanges.filter { change in
                !missed.contains(change.id)
                    && seen.insert(Referring(collection: entry.collection, id: change.id, fields: change.names))
                        .inserted
            }
            return (entry.collection, changes)
        }
    }

    private struct Referring: Hashable {
        let collection: String
        let id: BSONValue
        let fields: [String]
    }

    /// Puts back the references that followed a document whose move was given up.
    func revertChildren(of parent: JournalEntry) async throws {
        for (collection, changes) in try await children(of: parent.key) {
            let reversed = changes.map(\.reversed)
            let entries = makeEntries([(collection, "references", .fields(reversed), parent.key.number)])
            try await append(entries)
            try await execute(entries)
        }
    }
}
