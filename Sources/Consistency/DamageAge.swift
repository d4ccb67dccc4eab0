internal import BSON
package import Journal
internal import MongoDriver

/// The newest document that carries the bug's marks: an `_id` that isn't an ObjectId, or a reference that is text.
package struct NewestDamage: Sendable, Equatable {
    /// What is wrong with it.
    package let code: FindingCode
    /// Its collection.
    package let collection: String
    /// When it was made, in milliseconds since 1970.
    package let madeAt: Int64
    /// How long ago that was, in milliseconds; 0 where its time lies ahead, as local times without a zone may.
    package let ageMS: Int64

    /// Whether it is younger than a day: whoever wrote it may still be at it.
    package var isRecent: Bool { ageMS < DamageAge.day }
}

/// Finds out how old the newest damage is.
///
/// Documents with a wrong `_id` are few, and all of them are looked at. References that are text are looked for from the
/// newest document back, along the index of `_id`, for an ObjectId begins with its time: as far as a day, or as they are.
package struct DamageAge: Sendable {
    private let database: Database
    private let schema: DatabaseSchema

    /// In milliseconds.
    static let day: Int64 = 24 * 3600 * 1000

    /// Names what is to be looked at.
    package init(database: Database, schema: DatabaseSchema) {
        self.database = database
        self.schema = schema
    }

    /// The newest damage; nil where there is none, or none whose time is known. What says that it is of another day than
    /// today or an earlier one tells no time.
    ///
    /// - Parameters:
    ///   - codes: What counts as damage.
    ///   - isKnown: Whether there are such references, so that it pays to look further back than a day.
    /// - Throws: `MongoError`.
    package func newest(_ codes: Set<FindingCode>, isKnown: Bool) async throws -> NewestDamage? {
        let present = try await database.collections()
        let collections = schema.collections.filter { present[$0.name]?.isOrdinary ?? false }
        guard !collections.isEmpty else { return nil }
        let hello = try await database.client.run(["hello": 1], on: "admin")
        let now = hello["localTime"]?.date ?? 0
        var newest: NewestDamage?
        for collection in collections {
            var found = try await identities(collection, now)
            if let reference = try await reference(collection, codes, now, isKnown: isKnown) { found.append(reference) }
            for damage in found where codes.contains(damage.code) && damage.madeAt > newest?.madeAt ?? .min {
                newest = damage
            }
        }
        return newest
    }

    /// The newest document of each kind of wrong `_id`.
    private func identities(_ collection: CollectionSchema, _ now: Int64) async throws -> [NewestDamage] {
        var newest: [FindingCode: NewestDamage] = [:]
        // Empty and null, or text; comparisons stay within a type.
        let cursor = try await database.client.find(
            database.namespace(collection.name), filter: ["$or": [["_id": .null], ["_id": ["$gte": ""]]]],
            options: ["projection": .document(["_id": 1, collection.createdField: 1])],
            readPreference: database.readPreference)
        try await database.client.forEachBatch(of: cursor, maximum: 1000) { documents in
            for document in documents {
                guard let id = document["_id"] else { continue }
                let kind = IdentityKind(id)
                guard kind.code != .foreignID, let seconds = Self.made(kind, document, collection) else { continue }
                let madeAt = Int64(seconds) * 1000
                // A local time may lie hours ahead, and none a day.
                guard madeAt < now + Self.day, madeAt > newest[kind.code]?.madeAt ?? .min else { continue }
                newest[kind.code] = NewestDamage(
                    code: kind.code, collection: collection.name, madeAt: madeAt, ageMS: max(0, now - madeAt))
            }
        }
        return Array(newest.values)
    }

    /// When a document was made, in seconds since 1970: the text of an ObjectId tells it itself.
    private static func made(
        _ kind: IdentityKind, _ document: BSONDocument, _ collection: CollectionSchema
    ) -> UInt32? {
        if case .text(let id) = kind { return id.timestamp }
        return IdentityRepair.created(document, collection)
    }

    private func reference(
        _ collection: CollectionSchema, _ codes: Set<FindingCode>, _ now: Int64, isKnown: Bool
    ) async throws -> NewestDamage? {
        let fields = collection.references.map(\.field)
        guard !fields.isEmpty, !codes.isDisjoint(with: [.emptyReference, .textReference]) else { return nil }
        let start = isKnown ? ObjectID.min : ObjectID.smallest(at: UInt32(clamping: (now - Self.day) / 1000))
        let end = ObjectID.smallest(at: UInt32(clamping: (now + Self.day) / 1000))
        let isText = fields.map { BSONValue.document([$0: ["$type": "string"]]) }
        let found = try await database.client.all(
            database.client.find(
                database.namespace(collection.name),
                filter: [
                    "_id": ["$gte": .objectID(start), "$lt": .objectID(end)], "$or": .array(BSONArray(isText)),
                ],
                options: [
                    "sort": ["_id": -1], "limit": 1, "hint": ["_id": 1],
                    "projection": BSONValue.document(BSONDocument(fields.map { ($0, 1) })),
                ], readPreference: database.readPreference))
        guard let document = found.first, let id = document["_id"]?.objectID else { return nil }
        let madeAt = Int64(id.timestamp) * 1000
        let isEmpty = fields.contains { document[$0] == .string("") }
        return NewestDamage(
            code: isEmpty ? .emptyReference : .textReference, collection: collection.name, madeAt: madeAt,
            ageMS: max(0, now - madeAt))
    }
}
