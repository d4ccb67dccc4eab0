internal import BSON
internal import Foundation
internal import Logging
public import MongoDriver
internal import Synchronization

/// The right to change a database, held by one run at a time and measured by the server's clock.
///
/// A document with an owner, a token that only grows, and a time of expiry. It is renewed over a connection of its own
/// at a third of its life; a holder that can't renew in time stops before its next write. A crashed holder's lease
/// expires by itself.
public final class Lease: Sendable {
    /// How long a lease lives without renewal.
    static let lifetime = Duration.seconds(30)

    private enum State {
        case held(until: ContinuousClock.Instant)
        case lost
        case released
    }

    private let pool: MongoPool
    private let namespace: Namespace
    private let token: Int64
    private let state: Mutex<State>
    private let renewal = Mutex<Task<Void, Never>?>(nil)

    private init(pool: MongoPool, namespace: Namespace, token: Int64, until: ContinuousClock.Instant) {
        self.pool = pool
        self.namespace = namespace
        self.token = token
        state = Mutex(.held(until: until))
    }

    /// Takes the lease, waiting for another run to end if asked to.
    ///
    /// - Parameters:
    ///   - pool: Where the renewals' own connection comes from.
    ///   - database: The database to be changed.
    ///   - owner: Who takes it, in words for people.
    ///   - wait: How long to wait for another holder.
    ///   - interruption: Ends the waiting.
    /// - Throws: ``EngineError/leaseHeld(owner:since:)``, or ``MongoError``.
    public static func acquire(
        pool: MongoPool, database: String, owner: String, wait: Duration, interruption: Interruption
    ) async throws -> Lease {
        let namespace = Namespace(database, StateCollection.lease)
        let deadline = ContinuousClock.now + wait
        while true {
            try interruption.check()
            let asked = ContinuousClock.now
            if let token = try await tryAcquire(pool, namespace, owner) {
                let lease = Lease(pool: pool, namespace: namespace, token: token, until: asked + lifetime)
                lease.startRenewing()
                return lease
            }
            guard ContinuousClock.now < deadline else { throw try await held(pool, namespace) }
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    /// - Throws: ``EngineError/leaseLost`` when this run may not write any more.
    public func check() throws(EngineError) {
        let isHeld = state.withLock { state in
            guard case .held(let until) = state else { return false }
            return ContinuousClock.now < until
        }
        guard isHeld else { throw .leaseLost }
    }

    /// Gives the lease back. The token stays, so that it can only grow.
    ///
    /// - Throws: ``MongoError``.
    public func release() async throws {
        let task = renewal.withLock { $0 }
        task?.cancel()
        await task?.value
        let wasHeld = state.withLock { state in
            defer { state = .released }
            if case .held = state { return true }
            return false
        }
        guard wasHeld else { return }
        let (namespace, token) = (namespace, token)
        _ = try await pool.withClient { client in
            try await client.findAndModify(
                namespace, query: ["_id": "lease", "token": .int64(token)],
                ["update": [["$set": ["expiresAt": "$$NOW", "released": true]]]])
        }
    }

    private static func tryAcquire(_ pool: MongoPool, _ namespace: Namespace, _ owner: String) async throws -> Int64? {
        let life = Int64(lifetime.components.seconds * 1000)
        try await ensureDocument(pool, namespace)
        let query: BSONDocument = ["_id": "lease", "$expr": ["$lte": ["$expiresAt", "$$NOW"]]]
        let update: BSONValue = [
            [
                "$set": [
                    "owner": ["$literal": .string(owner)], "token": ["$add": ["$token", .int64(1)]],
                    "acquiredAt": "$$NOW", "expiresAt": ["$add": ["$$NOW", .int64(life)]], "released": false,
                ]
            ]
        ]
        return try await pool.withClient { client in
            try await client.findAndModify(namespace, query: query, ["update": update, "new": true])
        }?["token"]?.integer
    }

    /// Makes the lease's document, expired from birth; of two that try at once one finds it made.
    private static func ensureDocument(_ pool: MongoPool, _ namespace: Namespace) async throws {
        do {
            _ = try await pool.withClient { client in
                try await client.findAndModify(
                    namespace, query: ["_id": "lease"],
                    ["update": ["$setOnInsert": ["token": .int64(0), "expiresAt": .date(0)]], "upsert": true])
            }
        } catch let error as MongoError where error.kind == .duplicateKey {
            return
        }
    }

    private static func held(_ pool: MongoPool, _ namespace: Namespace) async throws -> EngineError {
        let found = try await pool.withClient { client in
            try await client.all(client.find(namespace, filter: ["_id": "lease"])).first
        }
        let since = found?["acquiredAt"]?.date.map { Date(timeIntervalSince1970: Double($0) / 1000).description }
        return .leaseHeld(owner: found?["owner"]?.string ?? "unknown", since: since ?? "unknown")
    }

    private func startRenewing() {
        let task = Task { [self] in
            while !Task.isCancelled {
                do {
                    try await Task.sleep(for: Self.lifetime / 3)
                } catch {
                    return  // Cancelled: the run is over.
                }
                await renewOnce()
            }
        }
        renewal.withLock { $0 = task }
    }

    /// Extends the lease. A renewal that fails leaves the old expiry in force, so that ``check()`` stops the run in
    /// time; one that finds another token there means that the lease was taken.
    private func renewOnce() async {
        let asked = ContinuousClock.now
        let life = Int64(Self.lifetime.components.seconds * 1000)
        let (namespace, token) = (namespace, token)
        let renewed: Bool? = try? await pool.withClient { client in
            try await client.findAndModify(
                namespace,
                query: ["_id": "lease", "token": .int64(token), "$expr": ["$gt": ["$expiresAt", "$$NOW"]]],
                ["update": [["$set": ["expiresAt": ["$add": ["$$NOW", .int64(life)]]]]]]) != nil
        }
        state.withLock { state in
            guard case .held = state, let renewed else { return }
            state = renewed ? .held(until: asked + Self.lifetime) : .lost
        }
    }
}
