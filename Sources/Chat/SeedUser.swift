internal import BSON
internal import FoundationEssentials

/// A user to be seeded, as `fixtures/users.json` describes it.
package struct SeedUser: Sendable, Equatable {
    /// The name to log in with.
    package let username: String
    /// The other way to log in.
    package let email: String
    /// The password in plain text; only its hash reaches the database.
    package let password: String
    /// Shown by the application, which can't do without.
    package let fullName: String
    /// `user` or `admin`.
    package let role: Role

    /// What a user may do.
    package enum Role: String, Sendable, CaseIterable {
        /// An ordinary user.
        case user
        /// An administrator.
        case admin
    }

    /// Describes a user. Where no full name is given, the name stands for it: the application refuses null.
    package init(username: String, email: String, password: String, fullName: String? = nil, role: Role = .user) {
        self.username = username
        self.email = email
        self.password = password
        self.fullName = fullName ?? username
        self.role = role
    }

    /// The two users that `seed` makes when it is told nothing else.
    package static let defaults = [
        SeedUser(
            username: "alice", email: "alice@example.com", password: "alicepass123", fullName: "Alice Example"),
        SeedUser(username: "testuser", email: "test@example.com", password: "testpass123", fullName: "Test User"),
    ]

    /// The password of the users of demo chats.
    package static let demoPassword = DemoUsers.password

    /// Passwords that everybody can read in this project.
    package static let publicPasswords: Set<String> = Set(defaults.map(\.password)).union([DemoUsers.password])

    /// What its password's salt is made of: users of demo chats have one hash for all.
    var saltName: String { password == DemoUsers.password ? "demo" : username }

    /// The document that the application's own registration writes.
    ///
    /// - Parameters:
    ///   - id: Its `_id`.
    ///   - hash: The password's hash.
    ///   - now: The time of registration, in milliseconds since 1970.
    func document(id: ObjectID, hash: String, now: Int64) -> BSONDocument {
        let time = Self.timestamp(now)
        return [
            "_id": .objectID(id), "username": .string(username), "email": .string(email),
            "full_name": .string(fullName), "birth_date": .null, "phone_number": .null,
            "hashed_password": .string(hash), "created_at": .string(time), "updated_at": .string(time),
            "role": .string(role.rawValue), "disabled": false, "workspaces": [],
        ]
    }

    /// A time as the application writes it: text in UTC with microseconds.
    ///
    /// - Parameter milliseconds: Since 1970.
    static func timestamp(_ milliseconds: Int64) -> String {
        let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        let text = Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601).dropLast()
        let fraction = String(rest)
        return text + "." + String(repeating: "0", count: 3 - fraction.count) + fraction + "000Z"
    }
}
