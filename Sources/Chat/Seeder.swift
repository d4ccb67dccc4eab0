internal import BSON
internal import Consistency
internal import FoundationEssentials
package import Journal
internal import MongoDriver

/// Makes sure that users are there and can log in.
///
/// A user who is there with that password is left alone, byte for byte; one with another password is reported, and
/// changed only when asked to; one without a password hash is completed.
package struct Seeder: Sendable {
    private let database: Database

    /// What is to be done about one user.
    enum Decision: Sendable {
        case create(SeedUser)
        case complete(SeedUser, BSONDocument)
        /// The application can't show, and doesn't log in, a user without a full name.
        case name(SeedUser, BSONDocument)
        case resetPassword(SeedUser, BSONDocument)
        case leave
        case report(Sentence)
    }

    /// What seeding would do.
    package struct Plan: Sendable {
        let decisions: [Decision]

        /// The changes that would be made.
        package var changes: [Change] {
            let codes = decisions.compactMap { decision -> String? in
                switch decision {
                case .create: Code.create
                case .complete, .name: Code.complete
                case .resetPassword: Code.reset
                case .leave, .report: nil
                }
            }
            return Dictionary(grouping: codes) { $0 }.map {
                Change(code: $0.key, collection: ChatCollection.users, changed: $0.value.count)
            }.sorted { $0.code < $1.code }
        }

        /// What would be left, and why.
        package var leftovers: [Leftover] {
            decisions.compactMap { decision in
                guard case .report(let reason) = decision else { return nil }
                return Leftover(code: Code.create, collection: ChatCollection.users, count: 1, reason: reason)
            }
        }

        /// How many users would be changed or made.
        package var changed: Int { changes.reduce(0) { $0 + $1.changed } }
    }

    private enum Code {
        static let create = "seed.user"
        static let complete = "seed.complete"
        static let reset = "seed.password"
    }

    /// Makes a seeder.
    package init(database: Database) { self.database = database }

    /// Looks what has to be done. Changes nothing.
    ///
    /// - Parameters:
    ///   - users: The users that shall be there.
    ///   - resetPasswords: Change the passwords of users who have another one.
    /// - Throws: `MongoError`.
    package func plan(_ users: [SeedUser], resetPasswords: Bool) async throws -> Plan {
        let database = database
        // Verifying a password takes as long as hashing it: all users at once, on all cores.
        let decisions = try await withThrowingTaskGroup(of: (Int, Decision).self) { group in
            for (index, user) in users.enumerated() {
                group.addTask { (index, try await Self.decide(user, database, resetPasswords)) }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        return Plan(decisions: decisions.sorted { $0.key < $1.key }.map(\.value))
    }

    /// Does what a plan says.
    ///
    /// - Throws: `MongoError`, `EngineError`, ``PasswordHash/Failure``.
    package func apply(_ plan: Plan, _ run: Run) async throws {
        let hashes = try await hashes(plan.decisions)
        let now = Date()
        var documents: [BSONDocument] = []
        for (index, decision) in plan.decisions.enumerated() {
            let hash = hashes[index] ?? ""
            switch decision {
            case .create(let user): documents.append(user.document(hash: hash, now: now))
            case .complete(let user, let found):
                let change = Self.completion(of: found, as: user.document(hash: hash, now: now))
                try await apply(change, Code.complete, run)
            case .name(let user, let found):
                try await apply(Self.change(of: found, Self.lacking(found, user)), Code.complete, run)
            case .resetPassword(let user, let found):
                var after = Self.lacking(found, user)
                after.append("hashed_password", .string(hash))
                try await apply(Self.change(of: found, after), Code.reset, run)
            case .leave: continue
            case .report(let reason): run.totals.left(Code.create, ChatCollection.users, 1, reason: reason)
            }
        }
        try await run.insert(documents, into: ChatCollection.users, code: Code.create)
    }

    private func apply(_ change: FieldChange, _ code: String, _ run: Run) async throws {
        let missed = try await run.apply([change], in: ChatCollection.users, code: code)
        run.totals.left(code, ChatCollection.users, missed.count, reason: "changed while it was looked at")
    }

    private func hashes(_ decisions: [Decision]) async throws -> [Int: String] {
        try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for (index, decision) in decisions.enumerated() {
                switch decision {
                case .create(let user), .complete(let user, _), .resetPassword(let user, _):
                    group.addTask { (index, try await PasswordHash.make(user.password)) }
                case .name, .leave, .report: continue
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    private static func decide(
        _ user: SeedUser, _ database: Database, _ resetPasswords: Bool
    ) async throws -> Decision {
        // The server takes more for equal than case: what is equal but for that alone is sorted out here.
        let found = try await database.findAll(
            ChatCollection.users,
            filter: ["$or": [["username": .string(user.username)], ["email": .string(user.email)]]],
            options: ["collation": ["locale": "en", "strength": 2]]
        ).filter { isSame($0["username"], user.username) || isSame($0["email"], user.email) }
        guard let document = found.first else { return .create(user) }
        guard found.count == 1 else {
            return .report("\(user.username): its name and its email belong to \(found.count) different users")
        }
        guard document["username"]?.string == user.username else {
            let other = document["username"]?.string ?? "without a name"
            return .report("\(user.username): the user `\(other)` has its name in another spelling, or its email")
        }
        // Whatever keeps the user from logging in comes before the password.
        guard isMissing(document["email"]) || document["email"]?.string == user.email else {
            return .report("\(user.username): has another email than \(user.email)")
        }
        guard case .objectID = document["_id"] else {
            return .report(
                "\(user.username): its _id isn't an ObjectId, so it can't log in (\(RepairAdvice.repairIDs))")
        }
        guard document["disabled"]?.bool != true else {
            return .report("\(user.username): is disabled, so it can't log in")
        }
        guard let hash = document["hashed_password"]?.string, !hash.isEmpty, isHash(hash) else {
            return .complete(user, document)
        }
        if await PasswordHash.verify(user.password, hash) {
            return isMissing(document["full_name"]) || isMissing(document["email"]) ? .name(user, document) : .leave
        }
        return resetPasswords
            ? .resetPassword(user, document)
            : .report("\(user.username): has another password (\(SeedAdvice.resetPasswords))")
    }

    private static func isSame(_ value: BSONValue?, _ text: String) -> Bool {
        value?.string.map { SimpleCaseFolding.fold($0) == SimpleCaseFolding.fold(text) } ?? false
    }

    private static func isHash(_ text: String) -> Bool {
        guard let pattern = try? Regex(PasswordHash.pattern) else { return false }
        return text.firstMatch(of: pattern) != nil
    }

    private static func isMissing(_ value: BSONValue?) -> Bool { value == nil || value == .null }

    /// What keeps a user with a password from logging in, and can be filled.
    private static func lacking(_ found: BSONDocument, _ user: SeedUser) -> BSONDocument {
        var lacking: BSONDocument = [:]
        if isMissing(found["full_name"]) { lacking.append("full_name", .string(user.fullName)) }
        if isMissing(found["email"]) { lacking.append("email", .string(user.email)) }
        return lacking
    }

    private static func change(of found: BSONDocument, _ after: BSONDocument) -> FieldChange {
        FieldChange(id: found["_id"] ?? .null, before: fields(found, after.keys), after: after)
    }

    /// Fills in what a half-made user lacks; what it has stays.
    private static func completion(of found: BSONDocument, as whole: BSONDocument) -> FieldChange {
        var after: BSONDocument = ["hashed_password": whole["hashed_password"] ?? .null]
        for element in whole.elements where element.key != "hashed_password" {
            let mayBeNull = element.key != "full_name" && element.key != "email"
            let isLacking = mayBeNull ? found[element.key] == nil : isMissing(found[element.key])
            if isLacking { after.append(element.key, element.value) }
        }
        return change(of: found, after)
    }

    private static func fields(_ document: BSONDocument, _ names: [String]) -> BSONDocument {
        BSONDocument(names.compactMap { name in document[name].map { (name, $0) } })
    }
}
