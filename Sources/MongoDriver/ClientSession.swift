internal import BSON
internal import CMongoC

/// A session of a ``MongoClient``, or the transaction that runs in it.
package struct ClientSession: Sendable {
    /// What a command carries to belong to the session, as `mongoc_client_session_append` writes it.
    let option: BSONValue
    let identifier: Int
    /// Whether the commands of this session belong to a transaction, and so may not carry a write concern.
    package let isTransaction: Bool
}

extension MongoClient {
    /// Runs a closure whose reads all see the data at one moment (read concern `snapshot`, replica sets only).
    package nonisolated func withSnapshot<R: Sendable>(
        _ body: (ClientSession) async throws -> R
    ) async throws -> R {
        let session = try await startSession(snapshot: true, isTransaction: false)
        do {
            let result = try await body(session)
            await endSession(session)
            return result
        } catch {
            await endSession(session)
            throw error
        }
    }

    /// Runs a closure in a transaction: read concern `snapshot`, write concern `majority`.
    ///
    /// Retries as the drivers' convenient API for transactions says
    /// (https://github.com/mongodb/specifications/blob/master/source/transactions-convenient-api): the whole closure
    /// on `TransientTransactionError`, the commit alone on `UnknownTransactionCommitResult`, for up to 120 s. The
    /// closure may therefore run more than once.
    ///
    /// - Throws: what the closure throws, or ``MongoError`` of the commit.
    package nonisolated func withTransaction<R: Sendable>(
        _ body: (ClientSession) async throws -> R
    ) async throws -> R {
        let session = try await startSession(snapshot: false, isTransaction: true)
        let deadline = ContinuousClock.now + .seconds(120)
        var pause = Duration.milliseconds(5)
        do {
            while true {
                if let result = try await attempt(session, deadline, body) {
                    await endSession(session)
                    return result
                }
                // Whoever is in the way needs time to finish; the longer, the longer it has taken already.
                try await Task.sleep(for: pause * Double.random(in: 0.5...1))
                pause = min(pause * 2, .milliseconds(500))
            }
        } catch {
            await endSession(session)
            throw error
        }
    }

    /// One try of a transaction; nil when it is to be tried again from the start.
    private nonisolated func attempt<R: Sendable>(
        _ session: ClientSession, _ deadline: ContinuousClock.Instant, _ body: (ClientSession) async throws -> R
    ) async throws -> R? {
        try await startTransaction(session)
        let result: R
        do {
            result = try await body(session)
        } catch {
            await abortTransaction(session)
            let isTransient = (error as? MongoError)?.hasLabel("TransientTransactionError") ?? false
            guard isTransient, ContinuousClock.now < deadline else { throw error }
            return nil
        }
        while true {
            do {
                try await commitTransaction(session)
                return result
            } catch let error as MongoError {
                guard ContinuousClock.now < deadline else { throw error }
                if error.hasLabel("UnknownTransactionCommitResult"), error.kind != .timeout {
                    try await Task.sleep(for: Self.commitPause)
                    continue
                }
                guard error.hasLabel("TransientTransactionError") else { throw error }
                return nil
            }
        }
    }

    /// A commit that wasn't confirmed waits for members of the replica set that are away.
    private static let commitPause = Duration.milliseconds(200)

    private func startSession(snapshot: Bool, isTransaction: Bool) throws -> ClientSession {
        guard let options = mongoc_session_opts_new() else { throw MongoError(.internal, "No session options.") }
        defer { mongoc_session_opts_destroy(options) }
        if snapshot { mongoc_session_opts_set_snapshot(options, true) }
        var error = bson_error_t()
        guard let session = mongoc_client_start_session(try client(), options, &error) else {
            throw MongoError(error)
        }
        let option: BSONValue
        do {
            option = try Self.option(session)
        } catch {
            mongoc_client_session_destroy(session)
            throw error
        }
        let identifier = makeIdentifier()
        sessions[identifier] = session
        return ClientSession(option: option, identifier: identifier, isTransaction: isTransaction)
    }

    /// What names a session in a command's options.
    static func option(_ session: OpaquePointer) throws(MongoError) -> BSONValue {
        guard let carrier = bson_new() else { throw MongoError(.internal, "No memory for a session.") }
        defer { bson_destroy(carrier) }
        var error = bson_error_t()
        guard mongoc_client_session_append(session, carrier, &error) else { throw MongoError(error) }
        guard let option = try copyDocument(carrier)["sessionId"] else {
            throw MongoError(.internal, "libmongoc named no session.")
        }
        return option
    }

    private func startTransaction(_ session: ClientSession) throws {
        guard let handle = sessions[session.identifier], let options = mongoc_transaction_opts_new(),
            let read = mongoc_read_concern_new(), let write = mongoc_write_concern_new()
        else { throw MongoError(.internal, "A session was used after its end.") }
        defer {
            mongoc_transaction_opts_destroy(options)
            mongoc_read_concern_destroy(read)
            mongoc_write_concern_destroy(write)
        }
        mongoc_read_concern_set_level(read, "snapshot")
        mongoc_write_concern_set_w(write, MONGOC_WRITE_CONCERN_W_MAJORITY)
        mongoc_write_concern_set_journal(write, true)
        mongoc_transaction_opts_set_read_concern(options, read)
        mongoc_transaction_opts_set_write_concern(options, write)
        var error = bson_error_t()
        guard mongoc_client_session_start_transaction(handle, options, &error) else { throw MongoError(error) }
    }

    private func commitTransaction(_ session: ClientSession) throws {
        guard let handle = sessions[session.identifier] else {
            throw MongoError(.internal, "A session was used after its end.")
        }
        var error = bson_error_t()
        let (committed, reply) = try withReply { reply in
            waiting(isQuick: true) { mongoc_client_session_commit_transaction(handle, reply, &error) }
        }
        guard committed else { throw MongoError(error, reply: reply) }
    }

    /// Ends a transaction without effect. An abort that fails is no error: the server ends the transaction by itself.
    private func abortTransaction(_ session: ClientSession) {
        guard let handle = sessions[session.identifier], mongoc_client_session_in_transaction(handle) else { return }
        _ = waiting(isQuick: true) { mongoc_client_session_abort_transaction(handle, nil) }
    }

    private func endSession(_ session: ClientSession) {
        guard let handle = sessions.removeValue(forKey: session.identifier) else { return }
        mongoc_client_session_destroy(handle)
    }
}
