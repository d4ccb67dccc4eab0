package import BSON
package import MongoDriver
internal import Synchronization

/// What is known of a database's collections and indexes: asked for once, and again when it may have changed.
///
/// A phase of work asks the same questions many times over. A snapshot is forgotten when a run begins, after each
/// change of the catalogue by the run itself, and when it is three seconds old: others make collections and indexes, too.
/// Whatever is put back by an undo is read anew instead.
final class CatalogSnapshot: Sendable {
    private struct Known {
        var collections: [String: CollectionDescription]?
        var indexes: [String: [BSONDocument]] = [:]
        var since = ContinuousClock.now
        /// Grows whenever all is forgotten: an answer that was asked for before isn't kept.
        var generation = 0
    }

    private static let lifetime = Duration.seconds(3)
    private let known = Mutex(Known())

    /// Forgets everything.
    func forget() {
        known.withLock { $0 = Known(generation: $0.generation + 1) }
    }

    /// Forgets the indexes of a collection.
    func forgetIndexes(of collection: String) {
        known.withLock { known in
            // Whoever makes an index makes its collection, too.
            let isKnown = known.collections?[collection] != nil
            known.indexes[collection] = nil
            if !isKnown { known.collections = nil }
            known.generation += 1
        }
    }

    /// What is known, unless it is too old, and the generation that an answer belongs to.
    private func look<Answer>(_ read: (Known) -> Answer?) -> (answer: Answer?, generation: Int) {
        known.withLock { known in
            if ContinuousClock.now - known.since > Self.lifetime { known = Known(generation: known.generation + 1) }
            return (read(known), known.generation)
        }
    }

    func collections(_ database: Database) async throws -> [String: CollectionDescription] {
        let (answer, generation) = look(\.collections)
        if let answer { return answer }
        let found = try await database.client.listCollections(database.name)
        known.withLock { if $0.generation == generation { $0.collections = found } }
        return found
    }

    func indexes(of collection: String, _ database: Database) async throws -> [BSONDocument] {
        let (answer, generation) = look { $0.indexes[collection] }
        if let answer { return answer }
        let found = try await database.client.listIndexes(database.namespace(collection))
        known.withLock { if $0.generation == generation { $0.indexes[collection] = found } }
        return found
    }
}

extension Database {
    /// The database's collections, as they were at most three seconds ago.
    ///
    /// - Throws: `MongoError`.
    package func collections() async throws -> [String: CollectionDescription] { try await catalog.collections(self) }

    /// The indexes of a collection, as they were at most three seconds ago; none where there is no such collection.
    ///
    /// - Throws: `MongoError`; that of a view, which has none.
    package func indexes(of collection: String) async throws -> [BSONDocument] {
        guard try await collections()[collection] != nil else { return [] }
        return try await catalog.indexes(of: collection, self)
    }

    /// Forgets what is known of collections and indexes: a new phase of work begins.
    package func forgetCatalog() { catalog.forget() }

    /// Which of some collections hold a document just now. One command, however many they are.
    ///
    /// - Parameter collections: Their names; views and what isn't there hold nothing.
    /// - Throws: `MongoError`.
    package func holding(_ collections: some Sequence<String>) async throws -> Set<String> {
        let present = try await self.collections()
        let names = collections.filter { present[$0]?.isOrdinary ?? false }
        guard let first = names.first else { return [] }
        let look = { (name: String) -> [BSONDocument] in
            [["$limit": 1], ["$project": ["_id": 0, "name": ["$literal": .string(name)]]]]
        }
        let others = names.dropFirst().map { name -> BSONDocument in
            [
                "$unionWith": [
                    "coll": .string(name), "pipeline": .array(BSONArray(look(name).map { .document($0) })),
                ]
            ]
        }
        let found = try await client.all(
            client.aggregate(
                namespace(first), pipeline: look(first) + others, options: committed([:]),
                readPreference: readPreference))
        return Set(found.compactMap { $0["name"]?.string })
    }
}
