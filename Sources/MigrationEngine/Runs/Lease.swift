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

    /// After a renewal that got no answer the next one follows soon: an election takes seconds.
    private static let renewalPause = Duration.seconds(1)

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
                // Behind a killed run's open transaction the answer can take a minute, and the lease be over by then.
                if ContinuousClock.now - asked > lifetime / 2 {
                    _ = await lease.renewOnce()
                    guard lease.isHeld else { continue }
                }
                lease.startRenewing()
                return lease
            }
            guard ContinuousClock.now < deadline else { throw try await held(pool, namespace) }
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    /// - Throws: ``EngineError/leaseLost`` when this run may not write any more.
    public func check() throws(EngineError) {
        guard isHeld else { throw .leaseLost }
    }

    /// Whether this run may still write.
    public var isHeld: Bool {
        state.withLock { state in
            guard case .held(let until) = state else { return false }
            return ContinuousClock.now < until
        }
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

    /// Confirms within a transaction that the lease is still this run's, so that the transaction's writes and a takeover
    /// exclude each other: both write the lease's document.
    ///
    /// - Throws: ``EngineError/leaseLost``, ``MongoError``.
    func confirm(_ client: MongoClient, _ session: ClientSession) async throws {
        let result = try await client.bulkWrite(
            namespace,
            [
                .updateOne(
                    filter: ["_id": "lease", "token": .int64(token)],
                    update: ["$currentDate": ["confirmedAt": true]])
            ], session: session)
        guard result.matched == 1 else {
            state.withLock { $0 = .lost }
            throw EngineError.leaseLost
        }
    }

    /// What became of an attempt to free a lease.
    public enum Unlocking: Sendable, Equatable {
        /// Nobody held it.
        case wasFree
        /// It was freed; it had belonged to this owner, whose run had ended without giving it back.
        case freed(owner: String)
        /// It was taken from this owner by force.
        case taken(owner: String)
    }

    /// Frees a lease whose time is over, or takes any lease by force.
    ///
    /// A holder that is still at work learns of it when it renews its lease, and stops. Until its time is over nobody else
    /// can take the lease: as long as that, it may believe to hold it.
    ///
    /// - Throws: ``EngineError/leaseHeld(owner:since:)`` when a holder's time isn't over and `force` is false;
    ///   ``MongoError``.
    public static func unlock(_ database: Database, force: Bool) async throws -> Unlocking {
        let namespace = database.namespace(StateCollection.lease)
        let found = try await database.aggregateAll(
            StateCollection.lease,
            [["$match": ["_id": "lease"]], ["$set": ["isOver": ["$lte": ["$expiresAt", "$$NOW"]]]]])
        guard let document = found.first else { return .wasFree }
        let owner = document["owner"]?.string ?? "unknown"
        let isOver = document["isOver"]?.bool ?? false
        // Taken by force before, from a run whose time isn't over.
        guard document["released"]?.bool == false else { return isOver ? .wasFree : .taken(owner: owner) }
        guard isOver || force else {
            throw EngineError.leaseHeld(owner: owner, since: since(document))
        }
        let freed = try await database.client.findAndModify(
            namespace, query: ["_id": "lease", "token": document["token"] ?? .null],
            [
                "update": [
                    ["$set": ["token": ["$add": ["$token", .int64(1)]], "released": true]]
                ]
            ])
        guard freed != nil else { throw EngineError.refused("The lease changed hands just now. Look again.") }
        return isOver ? .freed(owner: owner) : .taken(owner: owner)
    }

    /// Whether some run is at work on a database now.
    ///
    /// - Throws: ``MongoError``.
    public static func isTaken(_ database: Database) async throws -> Bool {
        try await !database.findAll(
            StateCollection.lease, filter: ["_id": "lease", "$expr": ["$gt": ["$expiresAt", "$$NOW"]]]
        ).isEmpty
    }

    private static func since(_ document: BSONDocument?) -> String {
        document?["acquiredAt"]?.date.map { Date(timeIntervalSince1970: Double($0) / 1000).description } ?? "unknown"
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
        return .leaseHeld(owner: found?["owner"]?.string ?? "unknown", since: since(found))
    }

    private func startRenewing() {
        let task = Task { [self] in
            var pause = Self.lifetime / 3
            while !Task.isCancelled {
                do {
                    try await Task.sleep(for: pause)
                } catch {
                    return  // Cancelled: the run is over.
                }
                pause = await renewOnce() ? Self.lifetime / 3 : Self.renewalPause
            }
        }
        renewal.withLock { $0 = task }
    }

    /// Extends the lease. A renewal that fails leaves the old expiry in force, so that ``check()`` stops the run in
    /// time; one that finds another token there means that the lease was taken.
    ///
    /// - Returns: Whether the server answered.
    private func renewOnce() async -> Bool {
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
        return renewed != nil
    }
}
