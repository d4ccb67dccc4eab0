package import BSON

/// A change of a reference that follows a moved document.
package struct FollowingChange: Sendable {
    /// The position of the move in the list that was asked about.
    package let move: Int
    /// The collection of the document that refers.
    package let collection: String
    /// The change of its reference.
    package let change: FieldChange

    /// Describes a change that follows a move.
    package init(move: Int, collection: String, change: FieldChange) {
        self.move = move
        self.collection = collection
        self.change = change
    }
}

/// Knows which references follow a document that gets another `_id`.
package protocol ReferenceSource: Sendable {
    /// Hands over, batch by batch, the references that have still to follow the moves.
    ///
    /// - Parameters:
    ///   - moves: The moves.
    ///   - body: Called with at most ``Run/batchSize`` changes at a time.
    func forEachBatch(
        following moves: [RekeyMove], _ body: ([FollowingChange]) async throws -> Void
    ) async throws

    /// Whether two documents found under one `_id` at different times are one and the same, changed, or one is another
    /// that took the first one's place.
    func isSameDocument(_ first: BSONDocument, _ second: BSONDocument) -> Bool
}
