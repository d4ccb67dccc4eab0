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

    /// The document that the application's own registration writes.
    ///
    /// - Parameters:
    ///   - hash: The password's hash.
    ///   - now: The time of registration.
    func document(hash: String, now: Date) -> BSONDocument {
        let time = Self.timestamp(now)
        let seconds = UInt32(clamping: Int64(now.timeIntervalSince1970))
        return [
            "_id": .objectID(ObjectID(timestamp: seconds)), "username": .string(username), "email": .string(email),
            "full_name": .string(fullName), "birth_date": .null, "phone_number": .null,
            "hashed_password": .string(hash), "created_at": .string(time), "updated_at": .string(time),
            "role": .string(role.rawValue), "disabled": false, "workspaces": [],
        ]
    }

    /// A time as the application writes it: text in UTC with microseconds.
    static func timestamp(_ date: Date) -> String {
        let microseconds = Int64((date.timeIntervalSince1970 * 1_000_000).rounded(.down))
        let whole = Date(timeIntervalSince1970: Double(microseconds / 1_000_000))
        let text = whole.formatted(.iso8601).dropLast()
        let fraction = String(microseconds % 1_000_000)
        return text + "." + String(repeating: "0", count: 6 - fraction.count) + fraction + "Z"
    }
}
