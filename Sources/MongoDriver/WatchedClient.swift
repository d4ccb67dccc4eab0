internal import CMongoC
internal import Synchronization

/// One client of a pool, with its connections, as the ``LivenessWatch`` sees it.
///
/// The client's own thread and the watch's timer meet here: everything that changes is behind one lock.
final class WatchedClient: Sendable {
    private struct State {
        var connections: [WatchedConnection] = []
        /// Until when the command that runs must be answered, and how long it was given; nil where none runs.
        var command: (deadline: ContinuousClock.Instant, limit: Duration)?
        /// Whether the server may still lose what it has acknowledged (``WriteConcern/inOrder``).
        var mayLose = false
        /// Whether the connection that this was acknowledged on has broken.
        var isBroken = false
    }

    /// The C client; only ever handed to libmongoc on the client's own thread.
    private nonisolated(unsafe) let client: OpaquePointer
    private let state = Mutex(State())

    init(_ client: OpaquePointer) { self.client = client }

    /// Sees to it that the client's connections are watched from now on. libmongoc keeps an unretained pointer to this
    /// object: the watch outlives the pool.
    func install() {
        // libmongoc logs each such call.
        MongoRuntime.withoutLog {
            mongoc_client_set_stream_initiator(
                client,
                { uri, host, context, error in
                    guard let context, let uri, let host else { return nil }
                    return Unmanaged<WatchedClient>.fromOpaque(context).takeUnretainedValue().connect(uri, host, error)
                }, Unmanaged.passUnretained(self).toOpaque())
        }
    }

    /// Runs a closure that waits for a server, for so long at most; then the connections break. libmongoc may try once
    /// more elsewhere, for as long again.
    func within<R, E: Error>(_ limit: Duration, _ body: () throws(E) -> R) throws(E) -> R {
        begin(limit)
        defer { state.withLock { $0.command = nil } }
        return try body()
    }

    /// Begins to count the time of a command.
    func begin(_ limit: Duration) { state.withLock { $0.command = (ContinuousClock.now + limit, limit) } }

    /// Whether the server may still lose what it has acknowledged: then no other connection is made.
    var mayLose: Bool {
        get { state.withLock { $0.mayLose } }
        set { state.withLock { ($0.mayLose, $0.isBroken) = (newValue, false) } }
    }

    /// Whether a connection to a server stands.
    func isConnected(to host: String) -> Bool {
        state.withLock { $0.connections.contains { $0.host == host && !$0.isBroken } }
    }

    /// Uses no connection but that to one server from now on: what the server acknowledges may be lost.
    func keepOnly(_ host: String) {
        state.withLock { state in
            for connection in state.connections where connection.host != host { connection.breakOff() }
            (state.mayLose, state.isBroken) = (true, false)
        }
    }

    /// Whether nothing may be sent any more: the server may have lost what it acknowledged, on a connection that has broken.
    var isCutOff: Bool {
        state.withLock { state in
            guard state.mayLose else { return false }
            if !state.connections.isEmpty, state.connections.allSatisfy(\.isBroken) { state.isBroken = true }
            return state.isBroken
        }
    }

    /// Takes note of a command whose connection broke.
    func noteBreak() { state.withLock { $0.isBroken = $0.mayLose } }

    static let cutOff = "The connection broke before what had been written was known to be kept."

    /// Breaks what won't be answered, and forgets what libmongoc has closed.
    func look(_ now: ContinuousClock.Instant, silentSince: [String: ContinuousClock.Instant], grace: Duration) {
        state.withLock { state in
            var isOver = false
            if let command = state.command, command.deadline <= now {
                isOver = true
                state.command = (now + command.limit, command.limit)
            }
            for connection in state.connections {
                // A connection that was made since shows that the server answered after all.
                let since = silentSince[connection.host].map { max($0, connection.made) }
                if isOver || since.map({ now - $0 >= grace }) == true { connection.breakOff() }
            }
            state.connections.removeAll { $0.isOver }
        }
    }

    /// Makes a connection as libmongoc does, and keeps it in mind.
    private func connect(
        _ uri: OpaquePointer, _ host: UnsafePointer<mongoc_host_list_t>, _ error: UnsafeMutablePointer<bson_error_t>?
    ) -> UnsafeMutablePointer<mongoc_stream_t>? {
        if mayLose {
            // libmongoc takes this for a failure of the server, and waits for it: so it is asked as seldom as can be.
            noteBreak()
            error?.pointee.fill(MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_CONNECT, Self.cutOff)
            return nil
        }
        guard
            let stream = mongoc_client_default_stream_initiator(uri, host, UnsafeMutableRawPointer(client), error)
        else { return nil }
        if let connection = WatchedConnection(stream, host: host.pointee.name) {
            state.withLock { $0.connections.append(connection) }
        }
        return stream
    }
}

extension mongoc_host_list_t {
    /// The host and its port, as libmongoc names a server.
    var name: String {
        withUnsafeBytes(of: host_and_port) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
