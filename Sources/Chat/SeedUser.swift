internal import BSON
internal import Foundation

/// A user to be seeded, as `fixtures/users.json` describes it.
public struct SeedUser: Sendable, Codable, Equatable {
    /// The name to log in with.
    public let username: String
    /// The other way to log in.
    public let email: String
    /// The password in plain text; only its hash reaches the database.
    public let password: String
    /// Shown by the application.
    public let fullName: String?
    /// `user` or `admin`.
    public let role: Role

    /// What a user may do.
    public enum Role: String, Sendable, Codable {
        /// An ordinary user.
        case user
        /// An administrator.
        case admin
    }

    /// Describes a user.
    public init(username: String, email: String, password: String, fullName: String?, role: Role = .user) {
        self.username = username
        self.email = email
        self.password = password
        self.fullName = fullName
        self.role = role
    }

    /// The two users that `seed` makes when it is told nothing else.
    public static let defaults = [
        SeedUser(
            username: "alice", email: "alice@example.com", password: "alicepass123", fullName: "Alice Example"),
        SeedUser(username: "testuser", email: "test@example.com", password: "testpass123", fullName: "Test User"),
    ]

    /// Begins the words of errors that this type makes itself, which name no value.
    static let ownWords = "users.json: "

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case username, email, password, role
        case fullName = "full_name"
    }

    /// Reads one user; unknown keys are refused, so that a misspelt one isn't lost.
    public init(from decoder: any Decoder) throws {
        let known = Set(CodingKeys.allCases.map(\.rawValue))
        let all = try decoder.container(keyedBy: AnyKey.self)
        if let unknown = all.allKeys.first(where: { !known.contains($0.stringValue) }) {
            throw DecodingError.dataCorruptedError(
                forKey: unknown, in: all, debugDescription: Self.ownWords + "unknown key `\(unknown.stringValue)`")
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        username = try container.decode(String.self, forKey: .username)
        email = try container.decode(String.self, forKey: .email)
        password = try container.decode(String.self, forKey: .password)
        fullName = try container.decodeIfPresent(String.self, forKey: .fullName)
        role = try container.decodeIfPresent(Role.self, forKey: .role) ?? .user
        for (key, value) in [(CodingKeys.username, username), (.email, email), (.password, password)]
        where value.trimmingCharacters(in: .whitespaces).isEmpty || value.utf8.contains(0) {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: container, debugDescription: Self.ownWords + "`\(key.rawValue)` is empty or has a NUL")
        }
        guard password.utf8.count <= PasswordHash.maximumBytes else {
            throw DecodingError.dataCorruptedError(
                forKey: .password, in: container,
                debugDescription: Self.ownWords + "the password has more than \(PasswordHash.maximumBytes) bytes")
        }
    }

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
            "full_name": fullName.map { .string($0) } ?? .null, "birth_date": .null, "phone_number": .null,
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

    private struct AnyKey: CodingKey {
        let stringValue: String
        let intValue: Int? = nil

        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
