internal import CMongoC
internal import Dispatch
internal import Synchronization

/// Breaks connections on which an answer won't come any more, so that the call that waits for it ends as it does when a
/// connection breaks by itself.
///
/// libmongoc waits for an answer as long as `socketTimeoutMS` says, an hour, because some answers take long. It asks each
/// server on a connection of its own how it is, but tells no waiting call when a server is silent there too. This watch
/// does: one timer per pool looks once a second
/// - which servers haven't answered those questions for ``grace``;
/// - which commands take longer than they may (``CommandTime``), as where a proxy lost a reply.
///
/// With default options a server that stops is noticed within 33 s: a question is asked every 10 s
/// (`heartbeatFrequencyMS`) and waited for 10 s (`connectTimeoutMS`), one more attempt is waited for as long, and 3 s are
/// added. A server that works on a long command answers the questions meanwhile, and is left alone.
final class LivenessWatch: Sendable {
    private struct State {
        /// Since when servers haven't answered, by host and port.
        var silentSince: [String: ContinuousClock.Instant] = [:]
        /// By the address of the C client, which stays the same as long as the pool has it.
        var clients: [Int: WatchedClient] = [:]
    }

    /// How long a server may have been silent for good, after it was noticed first: as long as one more attempt takes.
    private let grace: Duration
    private let state = Mutex(State())
    /// Made and started in `init`, cancelled in `deinit`, and touched nowhere else.
    private nonisolated(unsafe) let timer: any DispatchSourceTimer

    private static let queue = DispatchQueue(label: "chat-admin.liveness")

    /// Begins to watch.
    ///
    /// - Parameter connectTimeout: How long a connection, or an answer to a question, is waited for.
    init(connectTimeout: Duration) {
        grace = connectTimeout + .seconds(2)
        timer = DispatchSource.makeTimerSource(queue: Self.queue)
        timer.schedule(deadline: .now() + 1, repeating: 1, leeway: .milliseconds(100))
        timer.setEventHandler { [weak self] in self?.look() }
        timer.resume()
    }

    deinit { timer.cancel() }

    /// Takes note of a server that answered the question how it is.
    func answered(_ host: String) { state.withLock { _ = $0.silentSince.removeValue(forKey: host) } }

    /// Takes note of a server that didn't.
    func wasSilent(_ host: String) {
        state.withLock { $0.silentSince[host] = $0.silentSince[host] ?? ContinuousClock.now }
    }

    /// Watches a client's connections, which must not have any yet, or be watched already.
    func watch(_ client: OpaquePointer) -> WatchedClient {
        let address = Int(bitPattern: client)
        if let known = state.withLock({ $0.clients[address] }) { return known }
        let new = WatchedClient(client)
        state.withLock { $0.clients[address] = new }
        new.install()
        return new
    }

    /// Gives all clients so long to end what they do; for the destruction of a pool, which takes leave of its servers.
    func hurry(_ limit: Duration) {
        for client in state.withLock({ Array($0.clients.values) }) { client.begin(limit) }
    }

    private func look() {
        let (silent, clients) = state.withLock { ($0.silentSince, Array($0.clients.values)) }
        let now = ContinuousClock.now
        for client in clients { client.look(now, silentSince: silent, grace: grace) }
    }
}
