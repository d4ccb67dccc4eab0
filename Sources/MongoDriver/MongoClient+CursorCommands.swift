internal import BSON
internal import CMongoC

extension MongoClient {
    /// Asks the server for a cursor's next documents.
    ///
    /// libmongoc has cursors of its own, which end this process where a reply's `ns` is missing or isn't a string
    /// (`bson_strndup`, mongoc-cursor.c). Here libmongoc carries commands, and what comes back is looked at before it is
    /// used.
    ///
    /// - Returns: Whether there may be more; the documents themselves may be none.
    /// - Throws: ``MongoError``.
    func advance(_ cursor: inout OpenCursor, asking size: Int) throws(MongoError) -> Bool {
        let reply: CursorReply
        switch cursor.position {
        case .unsent: reply = try first(&cursor)
        case .open(let id): reply = try more(cursor, id, asking: size)
        case .complete: return false
        case .failed(let error): throw error
        }
        cursor.batch = reply.batch
        cursor.collection = reply.collection
        cursor.changes?.token = reply.token
        cursor.position = reply.id == 0 ? .complete : .open(reply.id)
        if reply.id == 0 { cursor.endSession() }
        return true
    }

    /// Sends the command that opens a cursor; once more after a broken connection, unless that could write twice.
    private func first(_ cursor: inout OpenCursor) throws(MongoError) -> CursorReply {
        let request = cursor.request
        let reply: BSONDocument
        do {
            reply = try open(&cursor)
        } catch {
            guard error.isRetryableRead, try isRetrying(request) else { throw error }
            reply = try open(&cursor)
        }
        if !request.isWriting { pool.reads.note(reply) }
        return try CursorReply(reply, "firstBatch", database: request.database)
    }

    private func open(_ cursor: inout OpenCursor) throws(MongoError) -> BSONDocument {
        let request = cursor.request
        // The commands of a transaction go where the transaction is.
        if request.session?.isTransaction != true { cursor.server = try selectServer(request) }
        if request.session == nil, cursor.session == nil { cursor.session = try startCursorSession() }
        return try send(
            request.command, on: request.database, mode: .plain, readPreference: request.readPreference,
            options(of: cursor, request.options))
    }

    private func more(_ cursor: OpenCursor, _ id: Int64, asking size: Int) throws(MongoError) -> CursorReply {
        let request = cursor.request
        // Unasked, the server fills 16 MB, of which the caller takes a part at a time.
        var command: BSONDocument = [
            "getMore": .int64(id), "collection": .string(cursor.collection), "batchSize": .int64(Int64(size)),
        ]
        if let changes = cursor.changes { command.append("maxTimeMS", .int64(changes.waitMS)) }
        let reply = try send(
            command, on: request.database, mode: .plain, readPreference: request.readPreference, options(of: cursor))
        if !request.isWriting { pool.reads.note(reply) }
        return try CursorReply(reply, "nextBatch", database: request.database)
    }

    /// Lets the server forget a cursor. Where that fails it does so by itself, after ten minutes.
    func kill(_ cursor: OpenCursor) {
        guard case .open(let id) = cursor.position else { return }
        let command: BSONDocument = ["killCursors": .string(cursor.collection), "cursors": [.int64(id)]]
        var cursor = cursor
        // The caller's session may have ended before.
        if let session = cursor.request.session, sessions[session.identifier] == nil {
            let server = cursor.server
            cursor = OpenCursor(CursorRequest(command, on: cursor.request.database))
            cursor.server = server
        }
        _ = try? send(
            command, on: cursor.request.database, mode: .plain, readPreference: nil, options(of: cursor))
    }

    /// Whether the connection string, the session and the command let a read be tried again.
    private func isRetrying(_ request: CursorRequest) throws(MongoError) -> Bool {
        guard !request.isWriting, request.session?.isTransaction != true else { return false }
        return mongoc_uri_get_option_as_bool(mongoc_client_get_uri(try client()), MONGOC_URI_RETRYREADS, true)
    }

    /// Chooses a server that may answer, so that all commands of a cursor reach the same one.
    private func selectServer(_ request: CursorRequest) throws(MongoError) -> UInt32 {
        let client = try client()
        var error = bson_error_t()
        let found = try onSameConnection { () throws(MongoError) in
            let found = ReadPreference.withPointer(
                request.isWriting ? nil : request.readPreference, connectionString
            ) {
                mongoc_client_select_server(client, request.isWriting, $0, &error)
            }
            guard let found else { throw MongoError(error) }
            return found
        }
        defer { mongoc_server_description_destroy(found) }
        return mongoc_server_description_id(found)
    }

    /// Adds to a command's options what its cursor's commands have in common: the server and the session.
    private func options(of cursor: OpenCursor, _ options: BSONDocument = [:]) throws(MongoError) -> BSONDocument {
        var options = options
        if let server = cursor.server { options.append("serverId", .int64(Int64(server))) }
        if let session = cursor.request.session {
            options.append("sessionId", session.option)
        } else if let session = cursor.session {
            options.append("sessionId", try Self.option(session))
        }
        return options
    }

    /// Starts a session for the commands of one cursor; nil where the server knows none.
    private func startCursorSession() throws(MongoError) -> OpaquePointer? {
        guard let options = mongoc_session_opts_new() else { throw MongoError(.internal, "No session options.") }
        defer { mongoc_session_opts_destroy(options) }
        mongoc_session_opts_set_causal_consistency(options, false)
        return mongoc_client_start_session(try client(), options, nil)
    }
}
