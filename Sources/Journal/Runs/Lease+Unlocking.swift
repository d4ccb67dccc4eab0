internal import BSON
internal import MongoDriver

extension Lease {
    /// What became of an attempt to free a lease.
    package enum Unlocking: Sendable, Equatable {
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
    /// can take the lease: until then the old holder may think that it still has it.
    ///
    /// - Throws: ``EngineError/leaseHeld(owner:since:)`` when a holder's time isn't over and `force` is false;
    ///   ``MongoError``.
    package static func unlock(_ database: Database, force: Bool) async throws -> Unlocking {
        let namespace = database.namespace(StateCollection.lease)
        guard let document = try await standing(database) else { return .wasFree }
        let owner = document["owner"]?.string ?? "unknown"
        do {
            try check(document)
        } catch {
            guard force else { throw error }
            return try await makeAnew(database, owner)
        }
        let isOver = document["isOver"]?.bool ?? false
        // Taken by force before, from a run whose time isn't over.
        guard document["released"]?.bool == false else { return isOver ? .wasFree : .taken(owner: owner) }
        guard isOver || force else {
            throw EngineError.leaseHeld(owner: owner, since: since(document))
        }
        let life = Int64(lifetime.components.seconds * 1000)
        let freed = try await database.client.findAndModify(
            namespace, query: ["_id": "lease", "token": document["token"] ?? .null],
            [
                "update": [
                    [
                        "$set": [
                            "token": ["$add": ["$token", .int64(1)]], "released": true,
                            // A clock that was ahead may have left an expiry that no holder can have earned.
                            "expiresAt": ["$min": ["$expiresAt", ["$add": ["$$NOW", .int64(life)]]]],
                        ]
                    ]
                ]
            ])
        guard freed != nil else { throw EngineError.refused("The lease changed hands just now. Look again.") }
        return isOver ? .freed(owner: owner) : .taken(owner: owner)
    }

    /// Makes a lease anew that can't be read. Somebody may hold it: it can be taken when that holder's time is over.
    private static func makeAnew(_ database: Database, _ owner: String) async throws -> Unlocking {
        let token = (try await largestToken(database.client, database.name) ?? 0) &+ .random(in: 1...leap)
        let life = Int64(lifetime.components.seconds * 1000)
        _ = try await database.client.findAndModify(
            database.namespace(StateCollection.lease), query: ["_id": "lease"],
            [
                "update": [
                    [
                        "$set": [
                            "token": .int64(token), "released": true, "owner": ["$literal": .string(owner)],
                            "expiresAt": ["$add": ["$$NOW", .int64(life)]],
                        ]
                    ]
                ]
            ])
        return .taken(owner: owner)
    }

    /// The lease's document, with `isOver` by the server's clock; nil where there is none.
    private static func standing(_ database: Database) async throws -> BSONDocument? {
        try await database.aggregateAll(
            StateCollection.lease,
            [["$match": ["_id": "lease"]], ["$set": ["isOver": ["$lte": ["$expiresAt", "$$NOW"]]]]]
        ).first
    }

    /// Who has the lease.
    package enum Holding: Sendable, Equatable {
        /// Nobody.
        case free
        /// A run that ended without giving it back, and whose time is over.
        case over(owner: String, since: String)
        /// A run; one that was killed holds it until its time is over.
        case held(owner: String, since: String)
    }

    /// Looks who has the lease.
    ///
    /// - Throws: ``StateError`` where the lease can't be read; ``MongoError``.
    package static func holding(_ database: Database) async throws -> Holding {
        guard try await database.collections()[StateCollection.lease] != nil else { return .free }
        guard let document = try await standing(database) else { return .free }
        try check(document)
        let (owner, since) = (document["owner"]?.string ?? "unknown", since(document))
        guard document["isOver"]?.bool ?? false else { return .held(owner: owner, since: since) }
        return document["released"]?.bool == true ? .free : .over(owner: owner, since: since)
    }

    /// Whether some run is at work on a database now.
    ///
    /// - Throws: ``MongoError``.
    package static func isTaken(_ database: Database) async throws -> Bool {
        guard try await database.collections()[StateCollection.lease] != nil else { return false }
        return try await !database.findAll(
            StateCollection.lease, filter: ["_id": "lease", "$expr": ["$gt": ["$expiresAt", "$$NOW"]]]
        ).isEmpty
    }

    /// The token of a holder that has renewed its lease when it should have; nil where there is none. A run that was killed
    /// counts as a holder for as long as its next renewal wasn't due.
    ///
    /// - Throws: ``MongoError``.
    static func renewedToken(_ database: Database) async throws -> Int64? {
        // Renewed at a third of its life, and a little later on a slow machine.
        let rest = Int64((lifetime / 2).milliseconds)
        let renewed: BSONValue = ["$gt": ["$expiresAt", ["$add": ["$$NOW", .int64(rest)]]]]
        return try await database.findAll(StateCollection.lease, filter: ["_id": "lease", "$expr": renewed])
            .first?["token"]?.integer
    }

    /// Whether a run is really at work: one that was killed holds the lease until its time is over, and doesn't renew it.
    ///
    /// - Parameter interruption: Ends the waiting for a renewal, which takes a third of a lease's life at most.
    /// - Throws: ``EngineError/interrupted(_:)``, ``MongoError``.
    static func isAtWork(_ database: Database, _ interruption: Interruption) async throws -> Bool {
        guard try await isTaken(database) else { return false }
        let first = try await database.findAll(StateCollection.lease, filter: ["_id": "lease"]).first
        let deadline = ContinuousClock.now + lifetime / 2
        while ContinuousClock.now < deadline {
            try interruption.check()
            try await Task.sleep(for: .milliseconds(100))
            guard try await database.findAll(StateCollection.lease, filter: ["_id": "lease"]).first == first else {
                return true
            }
        }
        return false
    }
}
