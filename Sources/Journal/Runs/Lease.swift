internal import BSON
internal import FoundationEssentials
internal import Logging
package import MongoDriver
internal import Synchronization

/// The right to change a database, held by one run at a time and measured by the server's clock.
///
/// A document with an owner, a token that only grows, and a time of expiry. It is renewed over a connection of its own
/// at a third of its life; a holder that can't renew in time stops before its next write. A crashed holder's lease
/// expires by itself.
///
/// A clock can step, and somebody can drop the document, so a second run may begin while the first one still believes to
/// hold the lease. The token tells them apart: every journal entry carries its run's, and only that run moves it on
/// (``Run``). A lease that is made anew begins far behind every token that was ever given out.
package final class Lease: Sendable {
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
    /// What tells this holder from every other one, before and after it.
    let token: Int64
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
    package static func acquire(
        pool: MongoPool, database: String, owner: String, wait: Duration, interruption: Interruption
    ) async throws -> Lease {
        let namespace = Namespace(database, StateCollection.lease)
        let deadline = ContinuousClock.now + wait
        var watched = Watched()
        while true {
            try interruption.check()
            let asked = ContinuousClock.now
            let attempt = try await tryAcquire(pool, namespace, owner, isDead: watched.dead)
            if let token = attempt.token {
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
            watched.see(attempt.standing)
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    /// Another run's lease, watched by a clock that doesn't step. A holder that hasn't renewed it for 35 seconds is dead,
    /// whatever the server's clock says of its expiry.
    private struct Watched {
        private var seen: (expiry: BSONDocument, since: ContinuousClock.Instant)?

        mutating func see(_ document: BSONDocument?) {
            guard let token = document?["token"], let expiresAt = document?["expiresAt"] else {
                seen = nil
                return
            }
            let expiry: BSONDocument = ["token": token, "expiresAt": expiresAt]
            if seen?.expiry != expiry { seen = (expiry, .now) }
        }

        /// What the lease of a holder that has been seen dead looks like.
        var dead: BSONDocument? {
            seen.flatMap { ContinuousClock.now - $0.since > lifetime + lifetime / 6 ? $0.expiry : nil }
        }
    }

    /// - Throws: ``EngineError/leaseLost`` when this run may not write any more.
    package func check() throws(EngineError) {
        guard isHeld else { throw .leaseLost }
    }

    /// Whether this run may still write.
    package var isHeld: Bool {
        state.withLock { state in
            guard case .held(let until) = state else { return false }
            return ContinuousClock.now < until
        }
    }

    /// Gives the lease back. The token stays, so that it can only grow.
    ///
    /// - Throws: ``MongoError``.
    package func release() async throws {
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

    /// Asks the server whether the lease is still this run's.
    ///
    /// Asked after an entry of the journal is durable and before what it speaks of is changed: whoever has taken the lease
    /// by then may not know of the entry, and whoever takes it later finds the entry and resumes it.
    ///
    /// - Throws: ``EngineError/leaseLost``, ``MongoError``.
    func confirm(_ client: MongoClient) async throws {
        let filter: BSONDocument = ["_id": "lease", "token": .int64(token)]
        let found = try await client.all(client.find(namespace, filter: filter, options: ["limit": 1]))
        guard found.isEmpty else { return }
        state.withLock { $0 = .lost }
        throw EngineError.leaseLost
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

    /// Since when a lease is held, in words.
    static func since(_ document: BSONDocument?) -> String {
        // One that can't be shown is told like one that isn't there.
        document?["acquiredAt"].flatMap(StateField<Int64>.date.view).map {
            Date(timeIntervalSince1970: Double($0) / 1000).description
        } ?? "unknown"
    }

    private static func tryAcquire(
        _ pool: MongoPool, _ namespace: Namespace, _ owner: String, isDead: BSONDocument?
    ) async throws -> (token: Int64?, standing: BSONDocument?) {
        let isOver: BSONDocument = ["$expr": ["$lte": ["$expiresAt", "$$NOW"]]]
        if let token = try await take(pool, namespace, owner, isDead ?? isOver) { return (token, nil) }
        if let standing = try await find(pool, namespace) {
            try check(standing)
            return (nil, standing)
        }
        let isNew = try await makeDocument(pool, namespace)
        return (try await take(pool, namespace, owner, isOver, isNew: isNew), nil)
    }

    /// Takes a lease if it is as a condition says.
    private static func take(
        _ pool: MongoPool, _ namespace: Namespace, _ owner: String, _ condition: BSONDocument, isNew: Bool = false
    ) async throws -> Int64? {
        let life = Int64(lifetime.components.seconds * 1000)
        let query: BSONDocument = ["_id": "lease", "$and": [.document(condition), .document(isReadable)]]
        let update: BSONValue = [
            [
                "$set": [
                    "owner": ["$literal": .string(owner)], "token": ["$add": ["$token", .int64(1)]],
                    "acquiredAt": "$$NOW", "expiresAt": ["$add": ["$$NOW", .int64(life)]], "released": false,
                ]
            ]
        ]
        return try await pool.withClient { client in
            let taken = try await StateCollection.naming(namespace.collection) {
                try await client.findAndModify(namespace, query: query, ["update": update, "new": true])
            }
            guard let token = taken?["token"]?.integer else { return nil }
            // Its first token was just made larger than all others.
            if isNew { return token }
            // After a restore the state may hold tokens that this lease hasn't come to yet.
            let largest: Int64?
            do {
                largest = try await largestToken(client, namespace.database)
            } catch {
                // Nobody is to wait for a run that can't begin.
                _ = try? await client.findAndModify(
                    namespace, query: ["_id": "lease", "token": .int64(token)],
                    ["update": [["$set": ["expiresAt": "$$NOW", "released": true]]]])
                throw error
            }
            guard let largest, largest >= token else { return token }
            let higher = largest &+ .random(in: 1...leap)
            let raised = try await client.findAndModify(
                namespace, query: ["_id": "lease", "token": .int64(token)],
                ["update": ["$set": ["token": .int64(higher)]], "new": true])
            return raised?["token"]?.integer
        }
    }

    /// Makes the lease's document, expired from birth; of two that try at once one finds it made.
    ///
    /// Its first token is larger than any that a run has recorded, by a random distance: a run that took the lease before
    /// the document was dropped, and has recorded nothing yet, has another one.
    ///
    /// - Returns: Whether it was made here.
    private static func makeDocument(_ pool: MongoPool, _ namespace: Namespace) async throws -> Bool {
        do {
            return try await pool.withClient { client in
                let first = (try await largestToken(client, namespace.database) ?? 0) &+ .random(in: 1...leap)
                let standing = try await client.findAndModify(
                    namespace, query: ["_id": "lease"],
                    ["update": ["$setOnInsert": ["token": .int64(first), "expiresAt": .date(0)]], "upsert": true])
                return standing == nil
            }
        } catch let error as MongoError where error.kind == .duplicateKey {
            return false
        }
    }

    /// The longest distance between a token and the first one of a lease that is made anew.
    static let leap: Int64 = 1 << 32

    private static func find(_ pool: MongoPool, _ namespace: Namespace) async throws -> BSONDocument? {
        try await pool.withClient { client in
            try await client.all(client.find(namespace, filter: ["_id": "lease"])).first
        }
    }

    private static func held(_ pool: MongoPool, _ namespace: Namespace) async throws -> EngineError {
        let found = try await find(pool, namespace)
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
    /// time; one that finds another token there means that the lease was taken. One that is over by the server's clock,
    /// which may have stepped, and that nobody has taken is still this run's.
    ///
    /// - Returns: Whether the server answered.
    private func renewOnce() async -> Bool {
        let asked = ContinuousClock.now
        let life = Int64(Self.lifetime.components.seconds * 1000)
        let (namespace, token) = (namespace, token)
        let renewed: Bool? = try? await pool.withClient { client in
            try await client.findAndModify(
                namespace,
                query: ["_id": "lease", "token": .int64(token), "released": false],
                ["update": [["$set": ["expiresAt": ["$add": ["$$NOW", .int64(life)]]]]]]) != nil
        }
        state.withLock { state in
            guard case .held = state, let renewed else { return }
            state = renewed ? .held(until: asked + Self.lifetime) : .lost
        }
        return renewed != nil
    }
}
