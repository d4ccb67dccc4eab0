internal import BSON
internal import MongoDriver

extension Run {
    /// The changes of references that followed a moved document, in one collection.
    typealias Child = (collection: String, changes: [FieldChange])

    /// The children of so many documents are held together.
    static let parentsTogether = 100

    /// Reads the changes of references that followed a moved document, those that were really made.
    func children(of key: JournalKey) async throws -> [Child] { try await children(of: [key])[key] ?? [] }

    /// The same for some documents at once, each by the entry that it moved by; those that nothing followed are absent.
    func children(of keys: [JournalKey]) async throws -> [JournalKey: [Child]] {
        var children: [JournalKey: [Child]] = [:]
        // A resumed move may have journalled a reference twice.
        var seen: Set<Referring> = []
        for (id, group) in Dictionary(grouping: keys, by: \.run) {
            let documents = try await database.findAll(
                StateCollection.journal,
                filter: [
                    "_id.r": .objectID(id), "parent": ["$in": .array(BSONArray(group.map { .int64($0.number) }))],
                ], options: ["sort": ["_id": 1]])
            for entry in try documents.map(JournalEntry.init(reading:)) {
                guard let parent = entry.parent else { continue }
                let missed = Set(entry.missed)
                let changes = entry.fieldChanges.filter { change in
                    !missed.contains(change.id)
                        && seen.insert(
                            Referring(
                                parent: parent, collection: entry.collection, id: change.id, fields: change.names)
                        ).inserted
                }
                children[JournalKey(run: id, number: parent), default: []].append((entry.collection, changes))
            }
        }
        return children
    }

    private struct Referring: Hashable {
        let parent: Int64
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
