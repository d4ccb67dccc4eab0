internal import BSON
internal import CMongoC

/// One connection to MongoDB, lent by ``MongoPool/withClient(_:)``.
///
/// An actor with an executor of its own: libmongoc blocks, and a client "is not thread-safe" (mongoc_client_t(3)).
/// Everything here hops once per call, so callers work in batches, never document by document.
///
/// ## Topics
/// - ``run(_:on:mode:readPreference:session:)``
/// - ``find(_:filter:options:readPreference:session:)``
/// - ``aggregate(_:pipeline:options:readPreference:session:)``
/// - ``bulkWrite(_:_:ordered:concern:bypassValidation:collation:session:)``
/// - ``withTransaction(_:)``
package actor MongoClient {
    let pool: MongoPool
    private let executor: ClientExecutor
    private var handle: OpaquePointer?
    private var watched: WatchedClient?
    var cursors: [Int: OpenCursor] = [:]
    var sessions: [Int: OpaquePointer] = [:]
    private var nextIdentifier = 0

    /// The client's own queue.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(pool: MongoPool) {
        self.pool = pool
        executor = ClientExecutor(label: "chat-admin.client")
    }

    /// Where this client connects to.
    package nonisolated var connectionString: ConnectionString { pool.connectionString }

    /// Lends another client of the same pool to a closure.
    ///
    /// - Throws: what the closure throws, or ``MongoError`` when no client became free in time.
    package nonisolated func withSibling<R: Sendable>(_ body: (MongoClient) async throws -> R) async throws -> R {
        try await pool.withClient(body)
    }

    /// Lends several clients of the same pool to a closure.
    ///
    /// - Throws: as ``withSibling(_:)``.
    package nonisolated func withSiblings<R: Sendable>(
        _ count: Int, _ body: ([MongoClient]) async throws -> R
    ) async throws -> R {
        guard count > 0 else { return try await body([]) }
        return try await withSibling { first in
            try await withSiblings(count - 1) { try await body([first] + $0) }
        }
    }

    func open() throws(MongoError) { (handle, watched) = try pool.pop() }

    /// Closes what was left open and gives the connection back.
    func close() {
        for identifier in Array(cursors.keys) { closeCursor(identifier) }
        for session in sessions.values { mongoc_client_session_destroy(session) }
        sessions = [:]
        watched?.mayLose = false
        if let handle { pool.push(handle) }
        handle = nil
        watched = nil
    }

    /// Runs a closure that waits for a server: not for long where that can't be because of the data.
    func waiting<R, E: Error>(isQuick: Bool, _ body: () throws(E) -> R) throws(E) -> R {
        guard let watched, isQuick else { return try body() }
        return try watched.within(pool.quickCommandTimeout, body)
    }

    /// Whether the server may still lose what it has acknowledged (``WriteConcern/inOrder``): nothing has been durable since.
    package var mayLoseWrites: Bool { watched?.mayLose ?? false }

    /// Lets another connection be made in the place of a broken one. Whoever asks for it goes by nothing that was written
    /// before, and looks at everything again.
    package func beginAnew() { watched?.mayLose = false }

    /// Sends something, unless what was written before may be lost with its connection (``WriteConcern/inOrder``).
    func onSameConnection<R>(_ body: () throws(MongoError) -> R) throws(MongoError) -> R {
        if watched?.isCutOff == true { throw MongoError(.network, WatchedClient.cutOff) }
        do {
            return try body()
        } catch {
            if error.kind == .network || error.kind == .unreachable { watched?.noteBreak() }
            throw error
        }
    }

    /// The document that commands carry for a write concern.
    func document(_ concern: WriteConcern) -> BSONDocument { concern.document(isStandalone: pool.isStandalone) }

    /// Takes note of a write that was acknowledged, as its concern asks.
    func wrote(_ concern: WriteConcern, _ session: ClientSession?) {
        guard session?.isTransaction != true else { return }
        if concern == .majorityJournaled { watched?.mayLose = false }
    }

    /// Uses one connection alone from here on, until a write is durable: so is then what was read meanwhile.
    package func holdConnection() throws(MongoError) { try prepare(.inOrder, nil) }

    /// Before a write in order: from here on one connection alone is used, to the server that takes writes now.
    func prepare(_ concern: WriteConcern?, _ session: ClientSession?) throws(MongoError) {
        guard concern == .inOrder, session?.isTransaction != true, let watched, !watched.mayLose else { return }
        let client = try client()
        var error = bson_error_t()
        guard let description = mongoc_client_select_server(client, true, nil, &error) else {
            throw MongoError(error, reply: [:])
        }
        defer { mongoc_server_description_destroy(description) }
        guard let host = mongoc_server_description_host(description)?.pointee.name else { return }
        if !watched.isConnected(to: host) {
            let server = BSONValue.int64(Int64(mongoc_server_description_id(description)))
            _ = try send(["ping": 1], on: "admin", mode: .plain, readPreference: nil, ["serverId": server])
        }
        watched.keepOnly(host)
    }

    /// The C client, while it is lent.
    func client() throws(MongoError) -> OpaquePointer {
        guard let handle else {
            throw MongoError(.internal, "A MongoDB client was used after it had been given back.")
        }
        return handle
    }

    /// A number that names a cursor or a session of this client.
    func makeIdentifier() -> Int {
        nextIdentifier += 1
        return nextIdentifier
    }

    /// Runs a closure with the C handle of a collection.
    func withCollection<R>(
        _ namespace: Namespace, _ body: (OpaquePointer) throws -> R
    ) throws -> R {
        try Self.check(namespace)
        guard let collection = mongoc_client_get_collection(try client(), namespace.database, namespace.collection)
        else { throw MongoError(.internal, "No handle for the collection \(namespace).") }
        defer { mongoc_collection_destroy(collection) }
        return try body(collection)
    }

    /// Refuses a name that C would cut at a NUL, so that it would name another database or collection.
    static func checkName(_ name: String) throws(MongoError) {
        guard !name.utf8.contains(0) else {
            throw MongoError(.internal, "The name of a database or collection holds a NUL character.")
        }
    }

    /// Refuses the names of a collection and its database where C would cut one.
    static func check(_ namespace: Namespace) throws(MongoError) {
        try checkName(namespace.database)
        try checkName(namespace.collection)
    }

    /// Adds a session to a command's options, as `mongoc_client_session_append` does.
    func options(_ options: BSONDocument, session: ClientSession?) -> BSONDocument {
        guard let session else { return options }
        var options = options
        options.append("sessionId", session.option)
        return options
    }
}
