internal import BSON
internal import Journal
internal import MongoDriver

/// Documents that have moved already, and are there again under the `_id`s that they had before.
///
/// The journal was restored from another moment than the data, or the data from before a move that it calls done. To move
/// such a document as if it were new would double it, or orphan what refers to it.
struct StandingCopies: Sendable {
    /// What became of a document's earlier move.
    enum Earlier: Sendable, Equatable {
        /// It is to get this `_id` again: what stands there is its copy, byte for byte, or nothing does.
        case moved(ObjectID)
        /// Something else stands under the `_id` that it had got: one of the two has changed since.
        case differs(ObjectID)
        /// A document that equals it but for the `_id` stands there, and nothing tells a copy from a twin.
        case twin(ObjectID)

        /// Why the document can't move, if it can't.
        var objection: String? {
            switch self {
            case .moved: nil
            case .differs(let other):
                "it had moved to \(other.hex) before, and what stands there has changed since; compare the two, and "
                    + "delete one"
            case .twin(let other):
                "\(other.hex) is equal but for its _id: a copy that a run has left, or a twin; keep both by changing "
                    + "one, or delete one"
            }
        }
    }

    let database: Database
    let collection: CollectionSchema
    let source: SchemaReferenceSource

    /// Finds earlier moves, by the `_id`s that the documents have now.
    ///
    /// - Parameter guesses: Whether a document that equals another but for its `_id` is its copy though the journal knows
    ///   nothing of it: after a run that hasn't come to its end.
    /// - Throws: `MongoError`.
    func earlier(_ documents: [BSONDocument], guesses: Bool) async throws -> [BSONValue: Earlier] {
        var result = try await known(documents)
        let texts = documents.filter { Identity.objectID($0["_id"]) != nil && result[$0["_id"] ?? .null] == nil }
        let ids = texts.compactMap { Identity.objectID($0["_id"]).map { BSONValue.objectID($0) } }
        try await find(texts, where: ["$in": .array(BSONArray(ids))], &result) {
            guesses ? .moved($0) : .twin($0)
        }
        for document in documents {
            guard let id = document["_id"], result[id] == nil, Identity.objectID(id) == nil,
                let created = IdentityRepair.created(document, collection)
            else { continue }
            // Its new `_id` begins with its time of creation.
            let (first, next) = (ObjectID.smallest(at: created), ObjectID.smallest(at: created &+ 1))
            guard first < next else { continue }
            try await find([document], where: ["$gte": .objectID(first), "$lt": .objectID(next)], &result) {
                guesses ? .moved($0) : .twin($0)
            }
        }
        return result
    }

    /// What the journal says of finished moves of the same documents.
    private func known(_ documents: [BSONDocument]) async throws -> [BSONValue: Earlier] {
        let ids = documents.compactMap { $0["_id"] }
        guard !ids.isEmpty else { return [:] }
        let entries = try await database.findAll(
            StateCollection.journal,
            filter: [
                "collection": .string(collection.name), "oldId": ["$in": .array(BSONArray(ids))], "kind": "rekey",
                "state": "done", "undone": ["$exists": false], "undoes": ["$exists": false],
            ], options: ["sort": ["_id": 1], "projection": ["oldId": 1, "newId": 1, "before": 1]])
        let images = Dictionary(documents.map { ($0["_id"] ?? .null, $0) }, uniquingKeysWith: { first, _ in first })
        var moved: [BSONValue: ObjectID] = [:]
        for entry in entries {
            guard let old = entry["oldId"], let new = entry["newId"]?.objectID, let image = images[old],
                let before = entry["before"]?.document, source.isSameDocument(before, image)
            else { continue }
            moved[old] = new
        }
        guard !moved.isEmpty else { return [:] }
        let found = try await database.findAll(
            collection.name, filter: ["_id": ["$in": .array(BSONArray(moved.values.map { .objectID($0) }))]])
        let standing = Dictionary(found.map { ($0["_id"] ?? .null, $0) }, uniquingKeysWith: { first, _ in first })
        return moved.reduce(into: [:]) { result, move in
            let copy = images[move.key]?.replacing("_id", with: .objectID(move.value))
            let isAsCopied = standing[.objectID(move.value)].map { $0 == copy } ?? true
            result[move.key] = isAsCopied ? .moved(move.value) : .differs(move.value)
        }
    }

    private func find(
        _ documents: [BSONDocument], where condition: BSONDocument, _ result: inout [BSONValue: Earlier],
        _ meaning: (ObjectID) -> Earlier
    ) async throws {
        guard !documents.isEmpty else { return }
        let images = Dictionary(
            documents.map { (WithoutID(document: $0), $0["_id"] ?? .null) }, uniquingKeysWith: { first, _ in first })
        let cursor = try await database.client.find(
            database.namespace(collection.name), filter: ["_id": .document(condition)])
        var found = result
        try await database.client.forEachBatch(of: cursor) { batch in
            for document in batch {
                guard let id = document["_id"]?.objectID, let old = images[WithoutID(document: document)]
                else { continue }
                found[old] = meaning(id)
            }
        }
        result = found
    }
}

/// A document but for its `_id`, to be compared without being copied: it may have 16 MB.
private struct WithoutID: Hashable {
    let document: BSONDocument

    private var elements: some Sequence<BSONRawElement> { document.rawElements.lazy.filter { $0.key != "_id" } }

    static func == (first: WithoutID, second: WithoutID) -> Bool { first.elements.elementsEqual(second.elements) }

    func hash(into hasher: inout Hasher) { for element in elements { hasher.combine(element) } }
}
