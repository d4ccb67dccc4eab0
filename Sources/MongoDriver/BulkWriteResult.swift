package import BSON

/// What a bulk write did, and what it couldn't do.
package struct BulkWriteResult: Sendable {
    /// One write of a bulk that the server refused.
    package struct WriteError: Sendable {
        /// The write's position in the list that was given.
        package let index: Int
        /// The server's error code.
        package let code: Int32
        /// The server's words.
        package let message: String
        /// What the server says of the failure beyond its words, such as the rule that a document broke.
        package let details: BSONDocument?
        /// For a duplicate key: the index's key pattern.
        package let keyPattern: BSONDocument?
    }

    /// The number of documents inserted.
    package var inserted = 0
    /// The number of documents an update's filter matched.
    package var matched = 0
    /// The number of documents that an update changed.
    package var modified = 0
    /// The number of documents deleted.
    package var removed = 0
    /// The number of documents inserted by upserts.
    package var upserted = 0
    /// The writes that the server refused, in the order of the list.
    package var writeErrors: [WriteError] = []

    /// Nothing done.
    package init() {}

    /// Adds what one command did.
    ///
    /// - Parameters:
    ///   - reply: What libmongoc says of the command.
    ///   - start: The position of the command's first write in the list that was given.
    mutating func add(_ reply: BSONDocument, from start: Int) {
        inserted += Self.count(reply, "nInserted")
        matched += Self.count(reply, "nMatched")
        modified += Self.count(reply, "nModified")
        removed += Self.count(reply, "nRemoved")
        upserted += Self.count(reply, "nUpserted")
        writeErrors += (reply["writeErrors"]?.array?.values ?? []).compactMap(\.document).map { error in
            WriteError(
                index: start + Int(error["index"]?.integer ?? 0),
                code: Int32(truncatingIfNeeded: error["code"]?.integer ?? 0),
                message: error["errmsg"]?.string ?? "", details: error["errInfo"]?.document,
                keyPattern: error["keyPattern"]?.document)
        }
    }

    private static func count(_ reply: BSONDocument, _ key: String) -> Int { Int(reply[key]?.integer ?? 0) }
}
