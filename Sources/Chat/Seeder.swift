package import BSON
package import Journal
internal import MongoDriver

/// Makes sure that users, and their chats, are there.
///
/// What is there and right is left alone, byte for byte; what differs is named, and changed only when asked to; a user without
/// a password hash is completed.
package struct Seeder: Sendable {
    let database: Database
    let settings: SeedSettings
    let progress: ProgressReport
    let passwords = PasswordWork()

    /// What seeding would do.
    package struct Plan: Sendable {
        let users: [UserPlan]
        let chats: ChatPlan

        /// The changes that would be made.
        package var changes: [Change] {
            let totals = Totals()
            for plan in users { if let code = plan.code { totals.changed(code, ChatCollection.users, 1) } }
            for (collection, documents) in chats.inserts {
                totals.changed(SeedCode.made(collection), collection, documents.count)
            }
            for (collection, code, _) in chats.changes { totals.changed(code, collection, 1) }
            return totals.changes
        }

        /// How many sessions, messages and artifacts are as they should be, by collection.
        package var kept: [String: Int] { chats.kept }

        /// What would be left, and why.
        package var leftovers: [Leftover] {
            users.flatMap { plan in
                plan.differences.map {
                    Leftover(
                        code: SeedCode.user, collection: ChatCollection.users, field: $0.field, count: 1,
                        reason: $0.reason)
                }
            } + chats.leftovers
        }

        /// How many documents would be changed or made.
        package var changed: Int { changes.reduce(0) { $0 + $1.changed } }

        /// The users, and how each stands.
        package var seeded: [SeededUser] { users.map(SeededUser.init) }

        /// The `_id`s of all that shall be there, but for demo chats.
        package let wanted: Set<BSONValue>

        /// Whether it gives somebody a password that everybody knows.
        package var makesPublicPasswords: Bool {
            users.contains {
                ($0.setsPassword || ($0.found == nil && !$0.isUnclear))
                    && SeedUser.publicPasswords.contains($0.user.password)
            }
        }
    }

    /// Whether the document of a collection with an `_id` is taken for one that isn't there.
    package typealias Gone = @Sendable (String, BSONValue) -> Bool

    /// Makes a seeder.
    ///
    /// - Parameter progress: Where it is shown how far it is: a password takes a quarter of a second.
    package init(database: Database, settings: SeedSettings, progress: @escaping ProgressReport) {
        self.database = database
        self.settings = settings
        self.progress = progress
    }

    /// Looks what has to be done. Changes nothing.
    ///
    /// - Parameters:
    ///   - set: What shall be there.
    ///   - gone: Whether a document is taken for one that isn't there, because it will be taken away before.
    /// - Throws: `MongoError`.
    package func plan(_ set: SeedSet, without gone: Gone = { _, _ in false }) async throws -> Plan {
        let users = try await UserPlan.make(set.users, self, without: gone)
        // Nobody is given chats who may be somebody else.
        let owners = users.reduce(into: [String: ObjectID]()) { owners, plan in
            if !plan.isUnclear { owners[plan.user.username] = plan.id }
        }
        let wanted = try set.chats(owners, settings)
        let chats = try await ChatPlan(wanted, database, settings, without: gone)
        let ids = try set.users.map { BSONValue.objectID(try SeedIdentity.id(ChatCollection.users, $0.username)) }
        return Plan(users: users, chats: chats, wanted: chats.wanted.union(ids))
    }

    /// Does what a plan says.
    ///
    /// - Throws: `MongoError`, `EngineError`, ``PasswordHash/Failure``.
    package func apply(_ plan: Plan, _ run: Run) async throws {
        try await apply(users: plan.users, run)
        // A session before its messages, and its count before what is counted: whoever goes on after a kill counts again.
        for (collection, documents) in plan.chats.inserts where collection == ChatCollection.sessions {
            try await insert(documents, collection, run)
        }
        for (collection, code, change) in plan.chats.changes { try await apply(change, collection, code, run) }
        for (collection, documents) in plan.chats.inserts where collection != ChatCollection.sessions {
            try await insert(documents, collection, run)
        }
        for left in plan.leftovers { run.totals.left(left) }
    }

    private func apply(users: [UserPlan], _ run: Run) async throws {
        let (seed, passwords) = (settings.seed, passwords)
        let done = WorkDone("hashing passwords", of: users.count, progress)
        let hashes = try await users.mapTogether { plan -> String? in
            defer { done.add(1) }
            guard plan.code != nil, plan.found == nil || plan.setsPassword else { return nil }
            let salt = try SeedIdentity.salt(plan.user.saltName, seed: seed)
            return try await passwords.hash(plan.user.password, salt: salt)
        }
        var documents: [BSONDocument] = []
        for (plan, hash) in zip(users, hashes) {
            guard let code = plan.code else { continue }
            if let change = plan.change(hash: hash, now: settings.now) {
                try await apply(change, ChatCollection.users, code, run)
            } else {
                documents.append(plan.document(hash: hash ?? "", now: settings.now))
            }
        }
        try await insert(documents, ChatCollection.users, run)
    }

    private func apply(_ change: FieldChange, _ collection: String, _ code: String, _ run: Run) async throws {
        let missed = try await run.apply([change], in: collection, code: code)
        run.totals.left(code, collection, missed.count, reason: "changed while it was looked at")
    }

    private func insert(_ documents: [BSONDocument], _ collection: String, _ run: Run) async throws {
        for batch in Run.batches(documents) {
            try await SeedRefusal.naming(collection) {
                try await run.insert(batch, into: collection, code: SeedCode.made(collection))
            }
        }
    }
}
