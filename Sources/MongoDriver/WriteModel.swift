package import BSON

/// One write of a bulk write.
package enum WriteModel: Sendable {
    /// Insert a document.
    case insert(BSONDocument)
    /// Update the first document that matches; `update` holds operators.
    case updateOne(filter: BSONDocument, update: BSONDocument)
    /// Update every document that matches; `update` holds operators.
    case updateMany(filter: BSONDocument, update: BSONDocument)
    /// Replace the first document that matches.
    case replaceOne(filter: BSONDocument, replacement: BSONDocument)
    /// Delete the first document that matches.
    case deleteOne(filter: BSONDocument)
    /// Delete every document that matches.
    case deleteMany(filter: BSONDocument)
}

/// How durable a write must be before the server answers
/// (https://www.mongodb.com/docs/manual/reference/write-concern/).
package enum WriteConcern: Sendable {
    /// Acknowledged by a majority of the members, and in their journals on disk; in that of a standalone server.
    case majorityJournaled
    /// Acknowledged by the server that took the write.
    case acknowledged
    /// Acknowledged by the server that took the write, and kept only with all that came before
    /// (``ServerDescription/losesOnlyEnd``).
    ///
    /// A standalone server begins again from a beginning of its journal, and members of a replica set go on from a beginning of
    /// the old primary's oplog: what a write builds on need not be durable before the write is sent, as long as the same
    /// process of the server takes both. A client sees to that: from its first write in order on, and until one is durable, it
    /// uses one connection alone, which isn't replaced by another. If it breaks, or another server has become the primary,
    /// all commands fail as with a broken connection until ``MongoClient/beginAnew()``. Driver and server repeat no
    /// write elsewhere then.
    case inOrder

    /// The document that commands carry.
    ///
    /// - Parameter isStandalone: Whether the server is known to be no member of anything. Newer ones (8.0, by their source) take
    ///   "majority" for a wait for other members, of which they have none, and don't wait for their own journal.
    func document(isStandalone: Bool) -> BSONDocument {
        switch self {
        case .majorityJournaled where isStandalone: ["w": 1, "j": true]
        // A majority that can't be reached is an error after this many milliseconds, not a wait for ever.
        case .majorityJournaled: ["w": "majority", "j": true, "wtimeout": 60_000]
        case .acknowledged, .inOrder: ["w": 1]
        }
    }
}
