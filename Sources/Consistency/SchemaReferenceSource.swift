package import BSON
package import Journal
internal import MongoDriver

/// The references that follow a document, as the schema declares them.
package struct SchemaReferenceSource: ReferenceSource {
    let database: Database
    let schema: DatabaseSchema

    /// Makes a source.
    package init(database: Database, schema: DatabaseSchema) {
        self.database = database
        self.schema = schema
    }

    /// One pass over each referring field for all moves together.
    package func forEachBatch(
        following moves: [RekeyMove], _ body: ([FollowingChange]) async throws -> Void
    ) async throws {
        for (target, group) in Dictionary(grouping: moves.indices, by: { targetName(moves[$0]) }) {
            guard let target, let targetSchema = schema.collection(target) else { continue }
            let byOldID = Dictionary(
                group.map { (moves[$0].oldID, $0) }, uniquingKeysWith: { first, _ in first }
            ).filter { $0.key.type == .string }
            guard !byOldID.isEmpty else { continue }
            // One that was made just now may refer to a document that is moved.
            let present = try await database.client.listCollections(database.name)
            for (holder, reference) in schema.references(to: target)
            where present[holder.name]?.isOrdinary ?? false {
                let resolver = ReferenceCandidates(database: database, reference: reference, target: targetSchema)
                try await scan(holder, reference, resolver, byOldID, moves, body)
            }
        }
    }

    /// The fields that name a time of creation and an owner never change: another value means another document.
    package func isSameDocument(_ first: BSONDocument, _ second: BSONDocument) -> Bool {
        let fields = Set(schema.collections.map(\.createdField))
        let owners = Set(schema.collections.compactMap(\.ownerField))
        return fields.allSatisfy { first[$0] == second[$0] }
            && owners.allSatisfy { Identity.objectID(first[$0]) == Identity.objectID(second[$0]) }
    }

    /// The collection that a move belongs to, by what refers to it.
    private func targetName(_ move: RekeyMove) -> String? {
        schema.collections.first { collection in
            !move.referrers.isEmpty && schema.referrers(to: collection.name) == move.referrers
        }?.name
    }

    private func scan(
        _ holder: CollectionSchema, _ reference: Reference, _ resolver: ReferenceCandidates,
        _ byOldID: [BSONValue: Int], _ moves: [RekeyMove], _ body: ([FollowingChange]) async throws -> Void
    ) async throws {
        var projection: BSONDocument = ["_id": 1, reference.field: 1]
        if let owner = holder.ownerField, owner != reference.field { projection.append(owner, 1) }
        let cursor = try await database.client.find(
            database.namespace(holder.name),
            filter: [reference.field: ["$in": .array(BSONArray(byOldID.keys))]],
            options: ["projection": .document(projection)])
        try await database.client.forEachBatch(of: cursor, maximum: Run.batchSize) { documents in
            // Looked at after the references were read: whatever one of them names exists by then.
            let candidates = try await resolver.candidates(for: Set(documents.compactMap { $0[reference.field] }))
            let changes = documents.compactMap { document -> FollowingChange? in
                guard let id = document["_id"], let value = document[reference.field], let index = byOldID[value]
                else { return nil }
                let owner = holder.ownerField.flatMap { Identity.objectID(document[$0]) }
                let means = Self.means(
                    moves[index], value, owner, resolver, candidates[value] ?? [])
                guard means else { return nil }
                return FollowingChange(
                    move: index, collection: holder.name,
                    change: FieldChange(
                        id: id, before: [reference.field: value], after: [reference.field: moves[index].newID]))
            }
            if !changes.isEmpty { try await body(changes) }
        }
    }

    /// Whether a reference provably means the document that moves, which stands under its old `_id`, its new one, or
    /// both.
    private static func means(
        _ move: RekeyMove, _ value: BSONValue, _ owner: ObjectID?, _ resolver: ReferenceCandidates,
        _ candidates: [ReferenceCandidates.Candidate]
    ) -> Bool {
        let own = resolver.target.ownerField.flatMap { Identity.objectID(move.image[$0]) }
        let created = move.image[resolver.target.createdField]
        let others = candidates.filter { candidate in
            // What stands under the old `_id` is the document itself, or already another one.
            let isItself = candidate.id == move.oldID && candidate.owner == own && candidate.created == created
            return !isItself && candidate.id != move.newID
        }
        let all = others + [ReferenceCandidates.Candidate(id: move.newID, owner: own, created: created)]
        return resolver.choose(value, owner: owner, among: all)?.id == move.newID
    }
}

extension DatabaseSchema {
    /// The fields that refer to a collection, as the journal names them.
    func referrers(to target: String) -> [Referrer] {
        references(to: target).map { Referrer(collection: $0.holder.name, field: $0.reference.field) }
    }
}
