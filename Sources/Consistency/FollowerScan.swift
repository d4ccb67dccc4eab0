internal import BSON
internal import Journal
internal import MongoDriver
internal import Synchronization

/// The documents of one collection that a plan would give another `_id`.
final class Moving {
    /// How many there are, by what is wrong with their `_id`s.
    private(set) var counts: [FindingCode: Int] = [:]
    /// A few of them.
    private(set) var samples: [FindingCode: [BSONDocument]] = [:]
    /// The `_id`s of those that can't move; they are rare.
    private(set) var staying: Set<BSONValue> = []

    func move(_ id: BSONValue) {
        let code = IdentityKind(id).code
        counts[code, default: 0] += 1
        if samples[code, default: []].count < PlannedOperation.mostSamples {
            samples[code, default: []].append(["_id": id])
        }
    }

    func stay(_ id: BSONValue) { staying.insert(id) }
}

/// Counts the references that would follow documents to their new `_id`s, in one pass over the text references of each
/// field, however many documents move.
struct FollowerScan: Sendable {
    let database: Database
    let schema: DatabaseSchema

    /// - Returns: How many references of each field would follow.
    /// - Throws: `MongoError`.
    func count(_ target: CollectionSchema, _ moving: Moving) async throws -> [Referrer: Int] {
        let present = try await database.collections()
        let fields = schema.references(to: target.name).filter { present[$0.holder.name]?.isOrdinary ?? false }
        guard !fields.isEmpty else { return [:] }
        let staying = moving.staying
        let counts = Mutex<[Referrer: Int]>([:])
        try await database.client.withSiblings(fields.count) { clients in
            let feeds = CursorFeeds(
                zip(clients, fields).map { client, field in
                    let namespace = database.namespace(field.holder.name)
                    return { try await Self.open(client, namespace, field.holder, field.reference) }
                }, batchSize: Run.batchSize)
            try await database.inWorkers(
                RepairSettings.defaultWorkers, next: { _ in try await feeds.next() },
                each: { worker, batch in
                    let (holder, reference) = fields[batch.feed]
                    let resolver = ReferenceCandidates(database: worker, reference: reference, target: target)
                    let followers = try await resolver.choices(for: batch.documents, in: holder).count { choice in
                        guard let chosen = choice?.chosen else { return false }
                        return chosen.id.type != .objectID && !staying.contains(chosen.id)
                    }
                    let referrer = Referrer(collection: holder.name, field: reference.field)
                    counts.withLock { $0[referrer, default: 0] += followers }
                })
        }
        return counts.withLock { $0.filter { $0.value > 0 } }
    }

    private static func open(
        _ client: MongoClient, _ namespace: Namespace, _ holder: CollectionSchema, _ reference: Reference
    ) async throws -> MongoCursor {
        var projection: BSONDocument = ["_id": 1, reference.field: 1]
        if let owner = holder.ownerField, owner != reference.field { projection.append(owner, 1) }
        return try await client.find(
            namespace, filter: [reference.field: ["$type": "string"]],
            options: ["projection": .document(projection), "batchSize": .int32(Int32(2 * Run.batchSize))])
    }
}
