internal import BSON
package import Journal
internal import MongoDriver

/// What seeding has made in a database, by its journal.
package struct SeededDocuments: Sendable {
    /// The `_id`s of the users that it made and that aren't undone.
    private let users: Set<BSONValue>
    private let database: Database

    /// Reads it.
    ///
    /// - Throws: `StateError`, `MongoError`.
    package init(_ database: Database) async throws {
        self.database = database
        var users: Set<BSONValue> = []
        for entry in try await RunRecord.insertions(by: "seed", into: ChatCollection.users, database) {
            users.formUnion(entry)
        }
        self.users = users
    }

    /// How many users there are that it didn't make.
    ///
    /// - Throws: `MongoError`.
    package func foreignUsers() async throws -> Int {
        let all = try await database.documentCount(of: ChatCollection.users)
        guard all > 0, !users.isEmpty else { return all }
        var own = 0
        let ids = Array(users)
        for start in stride(from: 0, to: ids.count, by: Self.together) {
            let some = BSONArray(ids[start..<min(start + Self.together, ids.count)])
            let counted = try await database.aggregateAll(
                ChatCollection.users, [["$match": ["_id": ["$in": .array(some)]]], ["$count": "n"]])
            own += Int(counted.first?["n"]?.integer ?? 0)
        }
        return max(all - own, 0)
    }

    private static let together = 1_000
}
