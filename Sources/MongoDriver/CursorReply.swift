internal import BSON

/// What a server says of a cursor: its number, the collection it belongs to, and its next documents.
struct CursorReply {
    /// The cursor's number; 0 where there is nothing more.
    let id: Int64
    /// The collection that `getMore` names, without its database.
    let collection: String
    /// The documents of the batch, read where they are in the reply.
    let batch: BSONNestedValues
    /// Of a stream of changes, the place after the batch.
    let token: ResumeToken?

    /// Reads the reply to a cursor's command.
    ///
    /// - Parameters:
    ///   - reply: What came.
    ///   - name: `firstBatch` or `nextBatch`.
    ///   - database: The database that the command ran on.
    /// - Throws: ``MongoError`` of kind `bson` when it isn't what a server says of a cursor.
    init(_ reply: BSONDocument, _ name: String, database: String) throws(MongoError) {
        guard let id = reply.value(at: "cursor", "id")?.integer else { throw Self.malformed("no cursor's number") }
        guard case .string(let namespace) = reply.value(at: "cursor", "ns"), namespace.hasPrefix(database + ".") else {
            throw Self.malformed("no name of the cursor's collection")
        }
        guard let batch = reply.nestedValues(at: "cursor", name) else {
            throw Self.malformed("no list '\(name)' of documents")
        }
        collection = String(namespace.dropFirst(database.count + 1))
        (self.id, self.batch) = (id, batch)
        token = reply.value(at: "cursor", "postBatchResumeToken")?.document.map(ResumeToken.init)
    }

    /// What is thrown when a reply isn't what a server says of a cursor.
    static func malformed(_ what: String) -> MongoError {
        MongoError(.bson, "The server answered a cursor's command with \(what).")
    }
}
