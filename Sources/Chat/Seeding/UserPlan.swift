internal import BSON
internal import Consistency
internal import Journal
internal import MongoDriver

/// What is to be done about one user.
struct UserPlan: Sendable {
    /// Something about the user that isn't as it should be, and stays.
    struct Difference: Sendable {
        let field: String?
        let reason: Sentence
    }

    let user: SeedUser
    /// The `_id` that the user has, or will have.
    let id: ObjectID
    /// The user as it is; nil where there is none yet.
    var found: BSONDocument?
    /// Whether it may be somebody else, so that nothing is done about it.
    var isUnclear = false
    /// What stays as it is, though it differs.
    var differences: [Difference] = []
    /// What was changed, or will be, by name.
    var changed: [String] = []
    /// The fields to set, the password's excepted.
    var after: BSONDocument = [:]
    /// Whether the password is set.
    var setsPassword = false
    /// Whether everything that is missing is filled in: somebody has begun to make the user.
    var isHalfMade = false

    /// Plans one that is there no more than another.
    init(_ user: SeedUser) throws {
        self.user = user
        id = try SeedIdentity.id(ChatCollection.users, user.username)
    }

    private init(_ user: SeedUser, id: ObjectID, found: BSONDocument) {
        (self.user, self.id, self.found) = (user, id, found)
    }

    /// What the change counts as; nil where there is none.
    var code: String? {
        if isUnclear { return nil }
        if found == nil { return SeedCode.user }
        if isHalfMade { return SeedCode.complete }
        if setsPassword { return SeedCode.password }
        if after.isEmpty { return nil }
        return changed.isEmpty ? SeedCode.complete : SeedCode.update
    }

    /// How it stands in the table of users.
    var state: SeededUser.State {
        switch code {
        case SeedCode.user?: .made
        case SeedCode.complete?: .completed
        case .some: .updated
        case nil: differences.isEmpty ? .kept : .different
        }
    }

    /// Whether it has another email, or may be somebody else for another reason.
    var isSomebodyElse: Bool { isUnclear || differences.contains { $0.field == "email" } || changed.contains("email") }

    /// Whether the application lets the user in with this password once the plan is carried out.
    var canLogIn: Bool {
        !isUnclear && !differences.contains { ["hashed_password", "disabled", "email"].contains($0.field) }
    }

    private mutating func differ(_ field: String, _ value: BSONValue, _ reason: Sentence, _ settings: SeedSettings) {
        if settings.updates {
            after.append(field, value)
            changed.append(field)
        } else {
            differences.append(Difference(field: field, reason: reason))
        }
    }

    private mutating func refuse(_ reason: Sentence) {
        isUnclear = true
        differences = [Difference(field: nil, reason: reason)]
    }
}

extension UserPlan {
    /// Looks what has to be done about users, several at once. Changes nothing.
    static func make(
        _ users: [SeedUser], _ seeder: Seeder, without gone: Seeder.Gone
    ) async throws -> [UserPlan] {
        let (settings, passwords) = (seeder.settings, seeder.passwords)
        let done = WorkDone("looking at users", of: users.count, seeder.progress)
        var plans: [UserPlan] = []
        for start in stride(from: 0, to: users.count, by: together) {
            let some = Array(users[start..<min(start + together, users.count)])
            let found = try await candidates(for: some, seeder.database).map { found in
                found.filter { !gone(ChatCollection.users, $0["_id"] ?? .null) }
            }
            // Verifying a password takes as long as hashing it: on all cores.
            plans += try await zip(some, found).map { ($0, $1) }.mapTogether { user, found in
                defer { done.add(1) }
                return try await make(user, found, settings, passwords)
            }
        }
        return plans
    }

    /// So many users are looked for by one question.
    private static let together = 200

    private static func make(
        _ user: SeedUser, _ found: [BSONDocument], _ settings: SeedSettings, _ passwords: PasswordWork
    ) async throws -> UserPlan {
        var plan = try UserPlan(user)
        guard let document = found.first else { return plan }
        plan.found = document
        guard found.count == 1 else {
            plan.refuse("\(user.username): its name and its email belong to \(found.count) different users")
            return plan
        }
        guard document["username"] == .string(user.username) else {
            let other = document["username"]?.string ?? "without a name"
            plan.refuse("\(user.username): the user `\(other)` has its name in another spelling, its email, or its _id")
            return plan
        }
        guard let id = document["_id"]?.objectID else {
            plan.refuse("\(user.username): its _id isn't an ObjectId, so it can't log in (\(RepairAdvice.repairIDs))")
            return plan
        }
        plan = UserPlan(user, id: id, found: document)
        plan.compare(document, settings)
        guard let hash = document["hashed_password"]?.string, !hash.isEmpty, isHash(hash) else {
            plan.isHalfMade = true
            plan.setsPassword = true
            return plan
        }
        if await !passwords.verify(user.password, hash) {
            plan.setsPassword = settings.resetsPasswords
            if settings.resetsPasswords {
                plan.changed.append("hashed_password")
            } else {
                plan.differences.append(
                    Difference(
                        field: "hashed_password",
                        reason: "\(user.username): has another password (\(SeedAdvice.resetPasswords))"))
            }
        }
        return plan
    }

    /// For each of some users, those who have its name, its email or its `_id`.
    private static func candidates(
        for users: [SeedUser], _ database: Database
    ) async throws -> [[BSONDocument]] {
        let ids = try users.map { BSONValue.objectID(try SeedIdentity.id(ChatCollection.users, $0.username)) }
        func among(_ values: [BSONValue]) -> BSONValue { ["$in": .array(BSONArray(values))] }
        let found = try await database.findAll(
            ChatCollection.users,
            filter: [
                "$or": [
                    ["username": among(users.map { .string($0.username) })],
                    ["email": among(users.map { .string($0.email) })], ["_id": among(ids)],
                ]
            ],
            options: ["collation": ["locale": "en", "strength": 2]])
        // The server takes more for equal than case: what is equal but for that alone is sorted out here.
        var positions: [Key: [Int]] = [:]
        for (index, document) in found.enumerated() {
            for key in Key.all(document["username"]?.string, document["email"]?.string, document["_id"] ?? .null) {
                positions[key, default: []].append(index)
            }
        }
        return zip(users, ids).map { user, id in
            let own = Key.all(user.username, user.email, id).flatMap { positions[$0] ?? [] }
            return Set(own).sorted().map { found[$0] }
        }
    }

    /// What a user is found by.
    private enum Key: Hashable {
        case name([UInt8])
        case email([UInt8])
        case id(BSONValue)

        static func all(_ name: String?, _ email: String?, _ id: BSONValue) -> [Key] {
            var keys = [Key.id(id)]
            if let name { keys.append(.name(SimpleCaseFolding.fold(name))) }
            if let email { keys.append(.email(SimpleCaseFolding.fold(email))) }
            return keys
        }
    }

    private mutating func compare(_ found: BSONDocument, _ settings: SeedSettings) {
        let name = user.username
        if Self.isMissing(found["email"]) {
            after.append("email", .string(user.email))
        } else if found["email"] != .string(user.email) {
            differ(
                "email", .string(user.email), "\(name): has another email than \(user.email) (\(SeedAdvice.update))",
                settings)
        }
        if Self.isMissing(found["full_name"]) {
            after.append("full_name", .string(user.fullName))
        } else if found["full_name"] != .string(user.fullName) {
            differ(
                "full_name", .string(user.fullName),
                "\(name): has another full name than `\(user.fullName)` (\(SeedAdvice.update))", settings)
        }
        if !Self.isMissing(found["role"]), found["role"]?.string != user.role.rawValue {
            differ(
                "role", .string(user.role.rawValue),
                "\(name): has another role than `\(user.role.rawValue)` (\(SeedAdvice.update))", settings)
        }
        if found["disabled"]?.bool == true {
            differ("disabled", false, "\(name): is disabled, so it can't log in (\(SeedAdvice.update))", settings)
        }
    }

    /// The document to be inserted.
    func document(hash: String, now: Int64) -> BSONDocument { user.document(id: id, hash: hash, now: now) }

    /// The change to be made of a user who is there.
    func change(hash: String?, now: Int64) -> FieldChange? {
        guard let found else { return nil }
        var after = after
        if isHalfMade {
            for element in document(hash: hash ?? "", now: now).elements
            where found[element.key] == nil && after[element.key] == nil && element.key != "hashed_password" {
                after.append(element.key, element.value)
            }
        }
        if setsPassword { after.append("hashed_password", .string(hash ?? "")) }
        let before = BSONDocument(after.keys.compactMap { name in found[name].map { (name, $0) } })
        return FieldChange(id: .objectID(id), before: before, after: after)
    }

    private static func isHash(_ text: String) -> Bool {
        guard let pattern = try? Regex(PasswordHash.pattern) else { return false }
        return text.firstMatch(of: pattern) != nil
    }

    private static func isMissing(_ value: BSONValue?) -> Bool { value == nil || value == .null }
}

/// What became of one user, or would.
package struct SeededUser: Sendable {
    /// How a user stands.
    package enum State: String, Sendable {
        /// It wasn't there.
        case made
        /// It is as it should be, and left byte for byte.
        case kept
        /// It lacked something.
        case completed
        /// Something of it was changed, as asked for.
        case updated
        /// It differs, and was left.
        case different
    }

    /// The user.
    package let user: SeedUser
    /// How it stands.
    package let state: State
    /// The fields that differ, or differed.
    package let fields: [String]
    /// Whether the application lets it in with its password.
    package let canLogIn: Bool

    init(_ plan: UserPlan) {
        user = plan.user
        state = plan.state
        // Of what was updated those fields that were; what stays, though it differs, is told apart.
        fields = plan.changed.isEmpty ? plan.differences.compactMap(\.field) : plan.changed
        canLogIn = plan.canLogIn
    }
}

/// What the changes of seeding count as.
enum SeedCode {
    static let user = "seed.user"
    static let complete = "seed.complete"
    static let password = "seed.password"
    static let update = "seed.update"
    static let session = "seed.session"
    static let message = "seed.message"
    static let artifact = "seed.artifact"
    static let reset = "seed.reset"

    /// What a document that is made counts as.
    static func made(_ collection: String) -> String {
        switch collection {
        case ChatCollection.users: user
        case ChatCollection.sessions: session
        case ChatCollection.messages: message
        default: artifact
        }
    }
}
