package import BSON
internal import CMongoC

/// What a command does, which decides how the driver may retry and route it.
package enum CommandMode: Sendable {
    /// Neither: sent as it is to the primary.
    case plain
    /// A read: follows the read preference, retried once after a network error.
    case read
    /// A write: retried once where the server can tell a repetition (`findAndModify` on replica sets).
    case write
}

extension MongoClient {
    /// Runs a command and looks at its errors: `ok`, `writeErrors` and `writeConcernError`.
    ///
    /// - Parameters:
    ///   - command: The command; its first key is its name.
    ///   - database: The database to run it on.
    ///   - mode: Whether it reads or writes.
    ///   - readPreference: Which members may answer; nil means the primary.
    ///   - concern: How durable its writes must be; nil where it writes nothing. A command that says so itself has to say the
    ///     same.
    ///   - session: The session or transaction it belongs to.
    /// - Returns: The server's reply.
    /// - Throws: ``MongoError``.
    @discardableResult
    package func run(
        _ command: BSONDocument, on database: String, mode: CommandMode = .plain,
        readPreference: ReadPreference? = nil, concern: WriteConcern? = nil, session: ClientSession? = nil
    ) throws -> BSONDocument {
        try prepare(concern, session)
        var command = command
        if let concern, session?.isTransaction != true, command["writeConcern"] == nil {
            command.append("writeConcern", .document(document(concern)))
        }
        let reply = try send(
            command, on: database, mode: mode, readPreference: readPreference, options([:], session: session))
        if mode == .read { pool.reads.note(reply) }
        try Self.checkWrites(in: reply)
        // Of an index that is there already, the server answers without waiting.
        if let concern, let name = command.keys.first, Self.writing.contains(name) { wrote(concern, session) }
        return reply
    }

    /// Commands that write documents, and wait for the disk whatever they have changed.
    private static let writing: Set<String> = ["insert", "update", "delete", "findAndModify"]

    /// Sends a command and waits for its reply.
    ///
    /// - Parameter options: What libmongoc takes besides the command: `sessionId`, `serverId`, `readConcern`.
    /// - Throws: ``MongoError`` when no reply came, or one that says that the command failed.
    func send(
        _ command: BSONDocument, on database: String, mode: CommandMode, readPreference: ReadPreference?,
        _ options: BSONDocument
    ) throws(MongoError) -> BSONDocument {
        try Self.checkName(database)
        return try onSameConnection { () throws(MongoError) in
            try exchange(command, on: database, mode: mode, readPreference: readPreference, options)
        }
    }

    private func exchange(
        _ command: BSONDocument, on database: String, mode: CommandMode, readPreference: ReadPreference?,
        _ options: BSONDocument
    ) throws(MongoError) -> BSONDocument {
        let client = try client()
        var error = bson_error_t()
        let isQuick = CommandTime.isQuick(command)
        let (succeeded, reply) = try withReply { reply in
            withBSON(command) { command in
                withBSON(options) { options in
                    ReadPreference.withPointer(readPreference, connectionString) { preference in
                        waiting(isQuick: isQuick) {
                            switch mode {
                            case .plain:
                                mongoc_client_command_with_opts(
                                    client, database, command, preference, options, reply, &error)
                            case .read:
                                mongoc_client_read_command_with_opts(
                                    client, database, command, preference, options, reply, &error)
                            case .write:
                                mongoc_client_write_command_with_opts(client, database, command, options, reply, &error)
                            }
                        }
                    }
                }
            }
        }
        guard succeeded else { throw MongoError(error, reply: reply) }
        return reply
    }

    /// A reply with `ok: 1` can still report writes that failed or weren't made durable.
    static func checkWrites(in reply: BSONDocument) throws(MongoError) {
        if let first = reply["writeErrors"]?.array?.values.first?.document {
            let code = Int32(truncatingIfNeeded: first["code"]?.integer ?? 0)
            throw MongoError(
                MongoError.kind(ofServerCode: code), first["errmsg"]?.string ?? "", code: code, isOfOneWrite: true)
        }
        if let concern = reply["writeConcernError"]?.document {
            throw MongoError(
                .writeConcern, concern["errmsg"]?.string ?? "",
                code: Int32(truncatingIfNeeded: concern["code"]?.integer ?? 0))
        }
    }

    /// Updates, replaces or deletes one document and returns it, atomically.
    ///
    /// - Parameters:
    ///   - namespace: The collection.
    ///   - query: Which document.
    ///   - arguments: The rest of the server's `findAndModify` command: `update` or `remove`, `new`, `upsert`,
    ///     `fields`, `sort`, `collation`, `bypassDocumentValidation`.
    ///   - concern: How durable the write must be; ignored within a transaction.
    ///   - session: The session or transaction it belongs to.
    /// - Returns: The document as it was before (with `new: true`, after), or nil where none matched.
    /// - Throws: ``MongoError``.
    package func findAndModify(
        _ namespace: Namespace, query: BSONDocument, _ arguments: BSONDocument,
        concern: WriteConcern = .majorityJournaled, session: ClientSession? = nil
    ) throws -> BSONDocument? {
        var command: BSONDocument = ["findAndModify": .string(namespace.collection), "query": .document(query)]
        for element in arguments.rawElements { command.append(raw: element) }
        return try run(command, on: namespace.database, mode: .write, concern: concern, session: session)["value"]?
            .document
    }
}
