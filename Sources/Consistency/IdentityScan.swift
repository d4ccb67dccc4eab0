internal import BSON
internal import Journal
internal import MongoDriver

/// Finds the `_id`s that aren't ObjectIds by reading them alone.
///
/// Two ranges of the `_id` index: everything that sorts before the smallest ObjectId and everything after the largest.
/// A query's comparisons are bracketed by type and never leave their own; an index's bounds (`min` and `max`) aren't
/// (https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/). The cost is that of the offenders,
/// however large the collection is.
struct IdentityScan: Sendable {
    let database: Database

    /// How the server finds them, by its own account.
    ///
    /// - Throws: `MongoError`.
    func access(_ collection: String) async throws -> Access {
        let find: BSONDocument = [
            "find": .string(collection), "filter": [:], "hint": ["_id": 1], "min": ["_id": .minKey],
            "max": ["_id": .objectID(.min)],
        ]
        return try await database.access(explaining: find) ?? .scan
    }

    /// The documents whose `_id` is empty or null, whole: at most one of each.
    func emptyOnes(_ collection: String) async throws -> [BSONDocument] {
        try await database.findAll(
            collection, filter: ["_id": ["$in": ["", .null]]],
            options: ["collation": .document(ExactMatch.collation)])
    }

    func forEachBatch(
        _ collection: String, maximum: Int = 1000, _ body: ([BSONValue]) async throws -> Void
    ) async throws {
        // `false` is the smallest value of the type that follows ObjectId.
        let ranges: [(filter: BSONDocument, bounds: BSONDocument)] = [
            ([:], ["min": ["_id": .minKey], "max": ["_id": .objectID(.min)]]),
            ([:], ["min": ["_id": false]]),
            // An index's upper bound is exclusive, and nothing is greater than the largest value.
            (["_id": ["$eq": .maxKey]], [:]),
        ]
        for (filter, bounds) in ranges {
            var options: BSONDocument = ["hint": ["_id": 1], "projection": ["_id": 1]]
            for element in bounds.rawElements { options.append(raw: element) }
            let cursor = try await database.client.find(
                database.namespace(collection), filter: filter, options: options,
                readPreference: database.readPreference)
            try await database.client.forEachBatch(of: cursor, maximum: maximum) { documents in
                try await body(documents.compactMap { $0["_id"] })
            }
        }
    }
}
