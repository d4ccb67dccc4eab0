import BSON
import MongoDriver
import TestSupport
import Testing

/// Where `seed` works, and what it says of it.
@Suite("The place that is seeded")
struct SeedPlaceTests {
    @Test("is said, with each user, and how to log in as a built-in one; a password from a file isn't")
    func said() async throws {
        try await withDatabase { database in
            let seeded = try await Tool.run(["seed"] + target(database))
            let hosts = "127.0.0.1:\(database.server.port)"
            #expect(seeded.output.contains("Users in \(database.name) at \(hosts):"), "\(seeded)")
            #expect(seeded.output.contains("alice     alice@example.com  user  made"))
            #expect(seeded.output.contains("Log in as alice / alicepass123, testuser / testpass123."))
            let file = #"{"users": [{"username": "bob", "email": "bob@example.com", "password": "s3cret-of-bob"}]}"#
            let own = try await Tool.run(["seed", "--from", "-", "-v", "-v"] + target(database), input: file)
            #expect(own.output.contains("bob  bob@example.com  user  made"), "\(own)")
            #expect(!own.output.contains("s3cret-of-bob") && !own.errors.contains("s3cret-of-bob"))
            let again = try await json(["seed"], on: database, expecting: 0)
            #expect(Self.states(again) == ["alice": "kept", "testuser": "kept"])
            #expect(again.value(at: "seeded", "logins") == ["alice": "alicepass123", "testuser": "testpass123"])
        }
    }

    static func states(_ result: BSONDocument) -> [String: String] {
        let users = result.value(at: "seeded", "users")?.array?.values.compactMap(\.document) ?? []
        return users.reduce(into: [:]) { $0[$1["username"]?.string ?? ""] = $1["state"]?.string }
    }

    @Test("what differs is named field by field, and changed only when asked for")
    func differs() async throws {
        try await withDatabase { database in
            _ = try await json(["seed"], on: database, expecting: 0)
            let right = try await database.all("users")
            try await database.update(
                "users", ["username": "alice"],
                ["$set": ["full_name": "Alicia", "role": "admin", "email": "a@example.com", "disabled": true]])
            let before = try await database.all("users")
            let named = try await json(["seed"], on: database, expecting: 1)
            let fields = named["left"]?.array?.values.compactMap { $0.document?["field"]?.string } ?? []
            #expect(Set(fields) == ["full_name", "role", "email", "disabled"])
            #expect(Self.states(named) == ["alice": "different", "testuser": "kept"])
            #expect(named.value(at: "seeded", "logins") == ["testuser": "testpass123"], "alice can't log in")
            #expect(try await database.all("users") == before)
            let updated = try await json(["seed", "--update", "--yes"], on: database, expecting: 0)
            #expect(updated.counts(of: "changes", "changed") == ["seed.update": ["users": 1]])
            #expect(try await database.all("users") == right)
            let run = try #require(updated["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            #expect(try await database.all("users") == before)
        }
    }

    @Test("isn't given public passwords beside users whom seeding didn't make, unless that is allowed")
    func foreignUsers() async throws {
        try await withDatabase { database in
            let arguments = ["seed"] + target(database)
            #expect(try await Tool.run(arguments).exitCode == 0)
            // Those that seeding made don't count, whatever became of them.
            try await database.update("users", ["username": "alice"], ["$set": ["last_login": 1]])
            try await database.run(["delete": "users", "deletes": [["q": ["username": "testuser"], "limit": 1]]])
            #expect(try await Tool.run(arguments).exitCode == 0)
            try await database.insertJSON("users", #"{"_id": 1, "username": "carol", "email": "carol@example.com"}"#)
            #expect(try await Tool.run(arguments).exitCode == 0, "there is nothing to be made")
            try await database.run(["delete": "users", "deletes": [["q": ["username": "testuser"], "limit": 1]]])
            let before = try await ServerImage(of: database, .naturalOrder)
            let refused = try await Tool.run(arguments)
            #expect(refused.exitCode == 4, "\(refused)")
            let place = "`\(database.name)` at 127.0.0.1:\(database.server.port)"
            #expect(refused.errors.contains("\(place) holds 1 user that seeding didn't make"), "\(refused)")
            #expect(try await Tool.run(["seed", "--dry-run"] + target(database)).exitCode == 0)
            #expect(before.differences(to: try await ServerImage(of: database, .naturalOrder)) == [])
            let own = #"{"users": [{"username": "bob", "email": "bob@example.com", "password": "s3cret-of-bob"}]}"#
            #expect(try await Tool.run(["seed", "--from", "-"] + target(database), input: own).exitCode == 0)
            let (code, lines) = try await Terminal.run(arguments + ["--allow-here"], columns: 200) { terminal in
                try await terminal.wait(for: "Type yes to continue")
                try await terminal.type("yes")
                return try await terminal.end()
            }
            let question = "It holds 1 user that seeding didn't make"
            #expect(lines.contains { $0.contains(question) }, "\(lines)")
            #expect(lines.contains { $0.contains(place) }, "\(lines)")
            #expect(code == 0)
            #expect(try await database.count("users", ["username": "testuser"]) == 1)
        }
    }

    @Test(
        "isn't the default database where another one has the application's collections", arguments: ["seed", "check"])
    func otherDatabase(command: String) async throws {
        let server = try await TestServer.start(.standalone)
        try await server.withDatabase { database in
            let arguments = [command, "--uri", database.uri]
            try await database.insertJSON("users", #"{"_id": 1}"#)
            let before = try await Tool.run(arguments)
            #expect(before.exitCode == (command == "seed" ? 0 : 78), "a collection of users is anybody's: \(before)")
            _ = try await database.server.admin.withClient { try await $0.run(["dropDatabase": 1], on: "database") }
            try await database.insertJSON("messages", #"{"_id": 1}"#)
            let refused = try await Tool.run(arguments)
            #expect(refused.exitCode == 4, "\(refused)")
            #expect(refused.errors.contains("while `\(database.name)` has them"), "\(refused)")
            let named = try await Tool.run(arguments + ["--database", "database"])
            #expect(named.exitCode == (command == "seed" ? 0 : 78), "\(named)")
        }
        try await server.stop()
    }
}
