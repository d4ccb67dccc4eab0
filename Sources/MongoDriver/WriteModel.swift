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
    /// Acknowledged by a majority of the members, and in their journals on disk.
    case majorityJournaled
    /// Acknowledged by the server that took the write.
    case acknowledged

    /// The document that commands carry.
    package var document: BSONDocument {
        switch self {
        // A majority that can't be reached is an error after this many milliseconds, not a wait for ever.
        case .majorityJournaled: ["w": "majority", "j": true, "wtimeout": 60_000]
        case .acknowledged: ["w": 1]
        }
    }
}
