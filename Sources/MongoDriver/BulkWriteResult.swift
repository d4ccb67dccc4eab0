public import BSON

/// What a bulk write did, and what it couldn't do.
public struct BulkWriteResult: Sendable {
    /// One write of a bulk that the server refused.
    public struct WriteError: Sendable {
        /// The write's position in the list that was given.
        public let index: Int
        /// The server's error code.
        public let code: Int32
        /// The server's words.
        public let message: String
        /// What the server says of the failure beyond its words, such as the rule that a document broke.
        public let details: BSONDocument?
        /// For a duplicate key: the index's key pattern.
        public let keyPattern: BSONDocument?
    }

    /// The number of documents inserted.
    public var inserted = 0
    /// The number of documents an update's filter matched.
    public var matched = 0
    /// The number of documents that an update changed.
    public var modified = 0
    /// The number of documents deleted.
    public var removed = 0
    /// The number of documents inserted by upserts.
    public var upserted = 0
    /// The writes that the server refused, in the order of the list.
    public var writeErrors: [WriteError] = []

    /// Nothing done.
    public init() {}

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
