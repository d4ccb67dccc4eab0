internal import BSON
internal import Journal
internal import MongoDriver

/// Finds the one document that a reference can mean.
///
/// A reference may name several documents: everything that ever had the empty `_id`, or two whose `_id`s were the same
/// ObjectId as text and as itself. It follows one only if that provably is the one: the same owner, and no other
/// candidate with that owner.
struct ReferenceCandidates: Sendable {
    /// A document that a reference may mean.
    struct Candidate: Sendable, Equatable {
        /// Its `_id` now; not an ObjectId while it waits for its repair.
        let id: BSONValue
        let owner: ObjectID?
        /// Its time of creation, which tells it from another document that takes its `_id` later.
        let created: BSONValue?
    }

    let database: Database
    let reference: Reference
    let target: CollectionSchema

    /// Everything that each of these references can mean.
    ///
    /// - Parameter values: References as they are stored: the empty string, or text of ObjectIds.
    func candidates(for values: Set<BSONValue>) async throws -> [BSONValue: [Candidate]] {
        let former = try await formerIDs(values)
        var named: [BSONValue: Set<BSONValue>] = [:]
        for value in values {
            var ids: Set<BSONValue> = [value]
            if let id = value.string.flatMap({ ObjectID(hex: $0) }) { ids.insert(.objectID(id)) }
            named[value] = ids.union(former[value] ?? [])
        }
        let existing = try await existing(Set(named.values.joined()))
        return named.mapValues { ids in
            ids.compactMap { existing[$0] }
        }
    }

    /// The candidate that a reference provably means, or nil.
    ///
    /// - Parameters:
    ///   - value: The reference as it is stored.
    ///   - owner: The referring document's owner.
    ///   - candidates: What it can mean.
    func choose(_ value: BSONValue, owner: ObjectID?, among candidates: [Candidate]) -> Candidate? {
        // The text of an ObjectId names exactly one document; the empty string names none by itself.
        if value != .string(""), candidates.count == 1 { return candidates.first }
        guard reference.sharesOwner, let owner else { return nil }
        let own = candidates.filter { $0.owner == owner }
        return own.count == 1 ? own.first : nil
    }

    /// What documents' references are, and mean: the reference as it is stored, and the candidate that it provably means.
    ///
    /// - Parameter holder: The documents' collection.
    /// - Returns: One for each document in its order; nil where its reference is no text that can name a document.
    func choices(
        for documents: [BSONDocument], in holder: CollectionSchema
    ) async throws -> [(value: BSONValue, chosen: Candidate?)?] {
        let values = documents.map { Self.named($0[reference.field]) }
        let named = Set(values.compactMap { $0 })
        let candidates = named.isEmpty ? [:] : try await candidates(for: named)
        return zip(documents, values).map { document, value in
            guard let value else { return nil }
            let owner = holder.ownerField.flatMap { Identity.objectID(document[$0]) }
            return (value, choose(value, owner: owner, among: candidates[value] ?? []))
        }
    }

    /// A reference that can be repaired: the empty string, or the text of an ObjectId.
    static func named(_ value: BSONValue?) -> BSONValue? {
        guard let value, value.type == .string, IdentityKind(value).code != .foreignID else { return nil }
        return value
    }

    /// The `_id`s that documents got in earlier repairs, by the one they had before.
    private func formerIDs(_ values: Set<BSONValue>) async throws -> [BSONValue: Set<BSONValue>] {
        let entries = try await database.findAll(
            StateCollection.journal,
            filter: [
                "collection": .string(target.name), "oldId": ["$in": .array(BSONArray(values))],
                "kind": "rekey", "state": "done", "undone": ["$exists": false], "undoes": ["$exists": false],
            ], options: ["projection": ["oldId": 1, "newId": 1]])
        return entries.reduce(into: [:]) { result, entry in
            guard let old = entry["oldId"], let new = entry["newId"] else { return }
            result[old, default: []].insert(new)
        }
    }

    private func existing(_ ids: Set<BSONValue>) async throws -> [BSONValue: Candidate] {
        var projection: BSONDocument = ["_id": 1, target.createdField: 1]
        if let field = target.ownerField { projection.append(field, 1) }
        let found = try await database.findAll(
            target.name, filter: ["_id": ["$in": .array(BSONArray(ids))]],
            options: ["projection": .document(projection)])
        return found.reduce(into: [:]) { result, document in
            guard let id = document["_id"], ids.contains(id) else { return }
            result[id] = Candidate(
                id: id, owner: target.ownerField.flatMap { Identity.objectID(document[$0]) },
                created: document[target.createdField])
        }
    }
}
