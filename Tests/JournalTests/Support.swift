import BSON
import Journal
import MongoDriver
import TestSupport

/// References that follow by their value alone.
struct ValueSource: ReferenceSource {
    let database: TestDatabase
    let referrer: Referrer
    /// Called between the copy and the deletion of a document, where an application may write.
    var meanwhile: @Sendable () async throws -> Void = {}

    func forEachBatch(
        following moves: [RekeyMove], _ body: ([FollowingChange]) async throws -> Void
    ) async throws {
        try await meanwhile()
        for (index, move) in moves.enumerated() {
            let found = try await database.find(referrer.collection, [referrer.field: ["$eq": move.oldID]])
            let changes = found.map { document in
                FollowingChange(
                    move: index, collection: referrer.collection,
                    change: FieldChange(
                        id: document["_id"] ?? .null, before: [referrer.field: move.oldID],
                        after: [referrer.field: move.newID]))
            }
            if !changes.isEmpty { try await body(changes) }
        }
    }

    func isSameDocument(_ first: BSONDocument, _ second: BSONDocument) -> Bool {
        first["created"] == second["created"]
    }
}
