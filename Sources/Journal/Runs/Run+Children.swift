internal import BSON
internal import MongoDriver

extension Run {
    /// Changes of references that followed a moved document, in one collection.
    struct Children {
        /// The entry that the document moved by.
        let parent: JournalKey
        let collection: String
        let changes: [FieldChange]
    }

    /// The children of so many documents are asked for together.
    static let parentsTogether = 100

    /// So many bytes of children are looked at together: a document may be followed by any number.
    fileprivate static let bytesTogether = 512 << 10

    /// Puts back the references that followed a document whose move was given up.
    func revertChildren(of parent: JournalEntry) async throws {
        try await database.forEachChildren(of: [parent.key]) { children in
            for group in children where !group.changes.isEmpty {
                let reversed = group.changes.map(\.reversed)
                let entries = makeEntries([(group.collection, "references", .fields(reversed), parent.key.number)])
                try await append(entries)
                try await execute(entries)
            }
        }
    }
}

extension Database {
    /// Reads the changes of references that followed moved documents, those that were really made, each once.
    ///
    /// - Parameters:
    ///   - keys: The entries that the documents moved by.
    ///   - body: Called with some of the changes at a time, in the order in which they were made.
    func forEachChildren(of keys: [JournalKey], _ body: ([Run.Children]) async throws -> Void) async throws {
        // A resumed move may have journalled a reference twice.
        var seen: [Followed: SeenIDs] = [:]
        for (id, group) in Dictionary(grouping: keys, by: \.run) {
            let filter: BSONDocument = [
                "_id.r": .objectID(id), "parent": ["$in": .array(BSONArray(group.map { .int64($0.number) }))],
            ]
            let cursor = try await StateCollection.naming(StateCollection.journal) {
                try await client.find(
                    namespace(StateCollection.journal), filter: filter,
                    options: ["sort": ["_id": 1], "batchSize": Run.firstReply])
            }
            try await client.forEachBatch(of: cursor, maximumBytes: Run.bytesTogether) { documents in
                var children: [Run.Children] = []
                for entry in try documents.map(JournalEntry.init(reading:)) {
                    guard let parent = entry.parent.map({ JournalKey(run: id, number: $0) }) else { continue }
                    let missed = Set(entry.missed)
                    let changes = entry.fieldChanges.filter { change in
                        let followed = Followed(parent: parent, collection: entry.collection, fields: change.names)
                        return !missed.contains(change.id) && seen[followed, default: SeenIDs()].insert(change.id)
                    }
                    children.append(Run.Children(parent: parent, collection: entry.collection, changes: changes))
                }
                try await body(children)
            }
        }
    }

    private struct Followed: Hashable {
        let parent: JournalKey
        let collection: String
        let fields: [String]
    }

    /// `_id`s that were seen. Most are ObjectIds, which need less than half the room by themselves.
    private struct SeenIDs {
        private var objectIDs: Set<ObjectID> = []
        private var others: Set<BSONValue> = []

        /// - Returns: Whether it is seen for the first time.
        mutating func insert(_ id: BSONValue) -> Bool {
            if let objectID = id.objectID { return objectIDs.insert(objectID).inserted }
            return others.insert(id).inserted
        }
    }
}
