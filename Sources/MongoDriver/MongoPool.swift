internal import BSON
internal import CMongoC
package import Logging
internal import Synchronization

/// A pool of connections to one deployment. It lends ``MongoClient``s to closures.
///
/// `@unchecked Sendable`: "mongoc_client_pool_t is thread-safe" (mongoc_client_pool_t(3)), except for its
/// construction and destruction, which happen in `init` and `deinit` alone.
package final class MongoPool: @unchecked Sendable {
    /// How the pool behaves where the connection string doesn't say. What it says of read and write concerns and of read
    /// preferences counts for nothing here: each command has its own.
    package struct Options: Sendable {
        /// The name under which the server sees the clients.
        package var appName = "chat-admin"
        /// How long to look for a usable server, in milliseconds.
        package var serverSelectionTimeoutMS: Int32 = 10_000
        /// How long to wait for an answer, in milliseconds: an hour. A server groups tens of millions of messages for longer
        /// than the driver's own five minutes; one that is gone is noticed by keep-alive probes before.
        package var socketTimeoutMS: Int32 = 3_600_000
        /// How long a command may take whose work doesn't grow with the data, in milliseconds, before its connection counts
        /// as lost: two minutes, twice what a write waits for a majority.
        package var quickCommandTimeoutMS = 120_000
        /// How long to wait for a free client, in milliseconds.
        package var waitQueueTimeoutMS: Int32 = 60_000
        /// The largest number of clients, whatever the connection string says; nil leaves it to the string.
        package var maxPoolSize: Int32?

        /// The defaults.
        package init() {}
    }

    /// Where the pool connects to.
    package let connectionString: ConnectionString
    private let pool: OpaquePointer
    /// Breaks connections that wait for nothing; it must be released after the pool is destroyed, too.
    private let watch: LivenessWatch
    /// How long a quick command may take (``CommandTime``).
    let quickCommandTimeout: Duration
    /// Whether a standalone server has answered (``MongoClient/describeServer()``).
    private let foundStandalone = Atomic(false)
    /// When the data were true that the pool's clients have read.
    let reads = ReadMoments()
    /// libmongoc points at it without retaining it; it must be released after the pool is destroyed.
    private let monitor: CommandMonitor

    /// Makes a pool. No connection is opened yet.
    ///
    /// - Throws: ``MongoError`` of kind `connectionString` when the options contradict each other.
    package init(
        _ connectionString: ConnectionString, options: Options = Options(), logger: Logger
    ) throws(MongoError) {
        MongoRuntime.start()
        self.connectionString = connectionString
        quickCommandTimeout = .milliseconds(options.quickCommandTimeoutMS)
        (pool, watch) = try connectionString.withURI { uri throws(MongoError) in
            try Self.complete(uri, options)
            let connectMS = mongoc_uri_get_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, Self.defaultConnectMS)
            var error = bson_error_t()
            guard let pool = mongoc_client_pool_new_with_error(uri, &error) else {
                // A name that DNS doesn't know is a server that can't be reached, however the string reads.
                throw MongoError(error.isOfName ? .unreachable : .connectionString, error.text)
            }
            return (pool, LivenessWatch(connectTimeout: .milliseconds(connectMS)))
        }
        monitor = CommandMonitor(logger: logger, watch: watch)
        // Both "must be called before the first mongoc_client_pool_pop".
        mongoc_client_pool_set_error_api(pool, 2)
        monitor.register(with: pool)
    }

    /// libmongoc says good-bye to the servers when a pool is destroyed, and waits for their answers.
    private static let farewell = Duration.seconds(5)

    deinit {
        watch.hurry(Self.farewell)
        mongoc_client_pool_destroy(pool)
    }

    private static let kept = Mutex<[MongoPool]>([])

    /// Keeps the pool until the process ends: destroying it waits for its monitoring threads, up to half a second, which
    /// a program that is about to end anyway can spare.
    package func keepUntilExit() { Self.kept.withLock { $0.append(self) } }

    /// Lends a client to a closure and takes it back afterwards.
    ///
    /// Cursors and sessions that the closure left open are closed.
    ///
    /// - Throws: what the closure throws, or ``MongoError`` when no client became free in time.
    package func withClient<R: Sendable>(_ body: (MongoClient) async throws -> R) async throws -> R {
        let client = MongoClient(pool: self)
        try await client.open()
        do {
            let result = try await body(client)
            // Nobody would notice from here on.
            let isSure = await !client.mayLoseWrites
            assert(isSure, "The server may lose what was written through a client that is given back.")
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }

    /// Waits for a free client, and sees to it that it is watched; called on the client's own queue.
    func pop() throws(MongoError) -> (handle: OpaquePointer, watched: WatchedClient) {
        guard let client = mongoc_client_pool_pop(pool) else {
            throw MongoError(.timeout, "No connection of the pool became free in time.")
        }
        return (client, watch.watch(client))
    }

    /// Whether a standalone server has answered (``MongoClient/describeServer()``).
    var isStandalone: Bool {
        get { foundStandalone.load(ordering: .relaxed) }
        set { foundStandalone.store(newValue, ordering: .relaxed) }
    }

    func push(_ client: OpaquePointer) { mongoc_client_pool_push(pool, client) }
}
