import BSON
import TestSupport
import Testing

/// Everybody whom `seed` makes can log in, by the application's own rules.
@Suite("Seeded users log in")
struct SeedLoginTests {
    /// The independent witness: finds a user as the application's login does, by exact match of the name or the email, wants of
    /// it what its models want, and verifies the password with its passlib.
    private static let witness = """
        import json, re, sys
        from bson import ObjectId
        from passlib.hash import bcrypt
        from pymongo import MongoClient
        uri, name, logins = sys.argv[1], sys.argv[2], json.loads(sys.stdin.read())
        users, verified = MongoClient(uri)[name].users, {}
        for login, password in logins:
            found = list(users.find({"$or": [{"username": login}, {"email": login}]}))
            if len(found) != 1: sys.exit(f"{login}: {len(found)} users")
            user = found[0]
            for field, kind in (("_id", ObjectId), ("username", str), ("email", str), ("full_name", str),
                                ("created_at", str), ("updated_at", str), ("workspaces", list)):
                if not isinstance(user[field], kind): sys.exit(f"{login}: {field} is {user[field]!r}")
            if user["role"] not in ("user", "admin") or user["disabled"] is not False: sys.exit(f"{login}: {user}")
            if not re.fullmatch(r"[a-z0-9.]+@example\\.com", user["email"]): sys.exit(f"{login}: {user['email']}")
            key = (password, user["hashed_password"])
            if key not in verified: verified[key] = bcrypt.verify(*key)
            if not verified[key]: sys.exit(f"{login}: wrong password")
        if users.count_documents({}) != len(logins) // 2: sys.exit("other users")
        """

    @Test("built-in ones, those of a file, and those of demo chats, by name and by email")
    func everybody() async throws {
        try await withDatabase { database in
            let file =
                "users:\n  bob: {email: bob@example.com, password: 'p ä\"$ß'}\n  eve: {email: eve@example.com, password: '1'}"
            let seeded = try await Tool.run(["seed", "--from", "-"] + target(database), input: file)
            try #require(seeded.exitCode == 0, "\(seeded)")
            _ = try await json(["seed", "--demo", "users=900,sessions=0,messages=0"], on: database, expecting: 0)
            let known = [
                "alice": "alicepass123", "testuser": "testpass123", "bob": "p ä\"$ß", "eve": "1",
            ]
            let pairs = try await database.all("users").flatMap { user -> [(String, String)] in
                let name = user["username"]?.string ?? ""
                let password = known[name] ?? "demopass123"
                return [(name, password), (user["email"]?.string ?? "", password)]
            }
            #expect(pairs.count == 2 * 902)
            let lines = pairs.map { "[\(Self.quoted($0)), \(Self.quoted($1))]" }
            let input = "[" + lines.joined(separator: ",") + "]"
            let answer = try await OtherProgram.run(
                OtherProgram.python(), ["-c", Self.witness, database.uri, database.name], input: input)
            #expect(answer.code == 0, "\(answer.errors)")
        }
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
