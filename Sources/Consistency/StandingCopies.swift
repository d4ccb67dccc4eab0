internal import BSON
internal import MigrationEngine
internal import MongoDriver

/// Copies of documents that stand already under their new `_id`s, though the documents are there again.
///
/// A move of theirs isn't known as open: the journal was restored from another moment than the data, or calls the move done.
/// To move such a document once more would double it. A copy is recognised by being the document, byte for byte, but for
/// its `_id`; what the journal says of a finished move of the very same image counts too, wherever its copy went.
struct StandingCopies: Sendable {
    let database: Database
    let collection: CollectionSchema

    /// The `_id`s under which documents stand already, or stood, by the `_id`s that they have now.
    ///
    /// - Throws: `MongoError`.
    func copies(of documents: [BSONDocument]) async throws -> [BSONValue: ObjectID] {
        var copies = try await known(documents)
        let texts = documents.filter { Identity.objectID($0["_id"]) != nil && copies[$0["_id"] ?? .null] == nil }
        let ids = texts.compactMap { Identity.objectID($0["_id"]).map { BSONValue.objectID($0) } }
        try await find(texts, where: ["$in": .array(BSONArray(ids))], &copies)
        for document in documents {
            guard let id = document["_id"], copies[id] == nil, Identity.objectID(id) == nil,
                let created = IdentityRepair.created(document, collection)
            else { continue }
            // Its new `_id` begins with its time of creation.
            let (first, next) = (ObjectID.smallest(at: created), ObjectID.smallest(at: created &+ 1))
            guard first < next else { continue }
            try await find([document], where: ["$gte": .objectID(first), "$lt": .objectID(next)], &copies)
        }
        return copies
    }

    /// What the journal says of finished moves of the same images.
    private func known(_ documents: [BSONDocument]) async throws -> [BSONValue: ObjectID] {
        let ids = documents.compactMap { $0["_id"] }
        guard !ids.isEmpty else { return [:] }
        let entries = try await database.findAll(
            StateCollection.journal,
            filter: [
                "collection": .string(collection.name), "oldId": ["$in": .array(BSONArray(ids))], "kind": "rekey",
                "state": "done", "undone": ["$exists": false], "undoes": ["$exists": false],
            ], options: ["projection": ["oldId": 1, "newId": 1, "before": 1]])
        let images = Dictionary(documents.map { ($0["_id"] ?? .null, $0) }, uniquingKeysWith: { first, _ in first })
        return entries.reduce(into: [:]) { result, entry in
            guard let old = entry["oldId"], let new = entry["newId"]?.objectID,
                let image = images[old], entry["before"]?.document == image
            else { return }
            result[old] = new
        }
    }

    private func find(
        _ documents: [BSONDocument], where condition: BSONDocument, _ copies: inout [BSONValue: ObjectID]
    ) async throws {
        guard !documents.isEmpty else { return }
        let images = Dictionary(
            documents.map { ($0.replacing("_id", with: .null), $0["_id"] ?? .null) },
            uniquingKeysWith: { first, _ in first })
        let cursor = try await database.client.find(
            database.namespace(collection.name), filter: ["_id": .document(condition)])
        var found = copies
        try await database.client.forEachBatch(of: cursor) { batch in
            for document in batch {
                guard let id = document["_id"]?.objectID, let old = images[document.replacing("_id", with: .null)]
                else { continue }
                found[old] = id
            }
        }
        copies = found
    }
}
