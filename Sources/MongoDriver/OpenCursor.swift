internal import BSON
internal import CMongoC

/// What a client keeps of a cursor that isn't closed.
struct OpenCursor {
    /// How far it has come.
    enum Position {
        /// Nothing was sent yet.
        case unsent
        /// The server holds more under this number.
        case open(Int64)
        /// The server has sent everything.
        case complete
        /// It failed, and gives the same error whenever it is asked again.
        case failed(MongoError)
    }

    /// What belongs to a stream of changes.
    struct Changes {
        /// At most so many events come at once.
        let batchSize: Int
        /// How long the server waits for an event, in milliseconds.
        var waitMS: Int64 = 1
        /// The place after the last reply.
        var token: ResumeToken?
    }

    /// The command that opens it.
    let request: CursorRequest
    var position = Position.unsent
    /// The documents that have come and weren't given out yet; nil where there are none.
    var batch: BSONNestedValues?
    /// How many documents were given out so far, and their bytes.
    private var given = (count: 0, bytes: 0)
    /// The collection that the server keeps it under.
    var collection = ""
    /// The server that has it, by libmongoc's number; nil where its session decides.
    var server: UInt32?
    /// The session that all its commands belong to, where the caller gave none: a server gives a cursor to the session
    /// alone that opened it.
    var session: OpaquePointer?

    /// Where it is a stream of changes.
    var changes: Changes?

    init(_ request: CursorRequest) { self.request = request }

    /// Gives out one of the documents that have come; nil when there are no more of them.
    ///
    /// - Throws: ``MongoError`` of kind `bson` when there is something else than a document.
    mutating func take() throws(MongoError) -> BSONDocument? {
        switch batch?.next() {
        case .document(let document):
            given.count += 1
            given.bytes += document.byteCount
            return document
        case nil:
            // The reply takes memory that the next one may need.
            batch = nil
            return nil
        default: throw CursorReply.malformed("something else where a document should be")
        }
    }

    /// How many documents the next reply should have, for a caller who takes so many, and so many bytes, at once: by the
    /// size of those that have come.
    func size(_ maximum: Int, _ maximumBytes: Int) -> Int {
        guard given.count > 0 else { return maximum }
        return max(1, min(maximum, maximumBytes / max(1, given.bytes / given.count)))
    }

    /// Ends the session of its own.
    mutating func endSession() {
        if let session { mongoc_client_session_destroy(session) }
        session = nil
    }
}
