internal import BSON

extension IncidentBuilder {
    private static let passwordHash = "$2b$12$15m5wUDR5xWjwclxIDbD6uVHIKb2UlScXiQ0Kcix8y4HyPRh02D6a"

    /// Makes users as the application registers them, and a few that share a name or an address with another, or have no
    /// password hash.
    mutating func makeUsers(_ count: Int) {
        for number in 0..<count {
            let createdAt = Self.start - Int64(count - number) * 60_000
            let id = newID(at: createdAt)
            var username = "user\(number)"
            var email = "user\(number)@example.com"
            // The one before it is never such a copy itself, so it is always two that share.
            if number > 0, number % 3 == 0, random.happens(0.2) {
                if random.happens(0.5) {
                    username = random.pick(["user\(number - 1)", "USER\(number - 1)"])
                } else {
                    email = "User\(number - 1)@Example.com"
                }
            }
            let password: BSONValue? =
                random.happens(0.05) ? random.pick([nil, .null, "", "plain text"]) : .string(Self.passwordHash)
            let second = number % 60
            let time = BSONValue.string("2025-11-04T10:00:\(second < 10 ? "0" : "")\(second).050666Z")
            let fields: [(String, BSONValue?)] = [
                ("username", .string(username)), ("email", .string(email)), ("full_name", .string("User \(number) Ü")),
                ("birth_date", .null), ("phone_number", .null), ("hashed_password", password), ("created_at", time),
                ("updated_at", time), ("role", number == 0 ? "admin" : "user"),
                ("disabled", .bool(random.happens(0.1))), ("workspaces", []),
                ("last_login", random.happens(0.5) ? .date(Self.start) : nil),
            ]
            userIDs.append(id)
            users.append(ExpectedDocument(key: id.hex, original: document(.objectID(id), fields)))
        }
    }
}
