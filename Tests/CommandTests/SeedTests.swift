import BSON
import Foundation
import TestSupport
import Testing

@Suite("seed")
struct SeedTests {
    @Test("makes alice and testuser as the application's registration does", arguments: TestServer.Kind.allCases)
    func seeds(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let seeded = try await json(["seed"], on: database, expecting: 0)
            #expect(seeded.counts(of: "changes", "changed") == ["seed.user": ["users": 2]])
            let alice = try await database.one("users", ["username": "alice"])
            #expect(
                alice.keys == [
                    "_id", "username", "email", "full_name", "birth_date", "phone_number", "hashed_password",
                    "created_at", "updated_at", "role", "disabled", "workspaces",
                ])
            #expect(alice["email"] == "alice@example.com")
            let created = try #require(alice["created_at"]?.string)
            #expect(created.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)
            for (name, password) in [("alice", "alicepass123"), ("testuser", "testpass123")] {
                let hash = try await database.one("users", ["username": .string(name)])["hashed_password"]?.string
                #expect(try await Self.verifies(password, hash ?? ""))
                #expect(try await !Self.verifies("wrong", hash ?? ""))
            }
            // Again: nothing is changed, byte for byte.
            let before = try await ServerImage(of: database, .naturalOrder)
            let again = try await json(["seed"], on: database, expecting: 0)
            #expect(again["changes"]?.array?.isEmpty == true)
            #expect(before.differences(to: try await ServerImage(of: database, .naturalOrder)) == [])
        }
    }

    @Test("another password is reported, and changed only when asked for")
    func otherPassword() async throws {
        try await withDatabase { database in
            _ = try await json(["seed"], on: database, expecting: 0)
            try await database.run([
                "update": "users",
                "updates": [
                    [
                        "q": ["username": "alice"],
                        "u": [
                            "$set": ["hashed_password": "$2b$12$15m5wUDR5xWjwclxIDbD6uVHIKb2UlScXiQ0Kcix8y4HyPRh02D6a"]
                        ],
                    ]
                ],
            ])
            let before = try await database.all("users")
            let reported = try await json(["seed"], on: database, expecting: 1)
            #expect(reported["left"]?.array?.count == 1)
            #expect(try await database.all("users") == before)
            let reset = try await json(["seed", "--reset-passwords", "--yes"], on: database, expecting: 0)
            #expect(reset.counts(of: "changes", "changed") == ["seed.password": ["users": 1]])
            let hash = try await database.one("users", ["username": "alice"])["hashed_password"]?.string
            #expect(try await Self.verifies("alicepass123", hash ?? ""))
            let run = try #require(reset["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            #expect(try await database.all("users") == before)
        }
    }

    @Test("a half-made user is completed, and what it has stays")
    func halfMade() async throws {
        try await withDatabase { database in
            try await database.insertJSON(
                "users",
                #"{"_id": {"$oid": "6909dcb02291d8cdc310411e"}, "username": "alice", "email": "alice@example.com", "role": "admin", "hashed_password": null}"#
            )
            // Its role stays, and is named.
            let seeded = try await json(["seed", "alice", "--allow-here", "--yes"], on: database, expecting: 1)
            #expect(seeded["left"]?.array?.values.compactMap { $0.document?["field"]?.string } == ["role"])
            #expect(seeded.counts(of: "changes", "changed") == ["seed.complete": ["users": 1]])
            let alice = try await database.one("users", ["username": "alice"])
            #expect(alice["role"] == "admin")
            #expect(alice["disabled"] == false)
            #expect(try await Self.verifies("alicepass123", alice["hashed_password"]?.string ?? ""))
        }
    }

    @Test("users come from a file, and the run can be reverted until they have logged in")
    func fromFile() async throws {
        try await withDatabase { database in
            let file =
                #"{"users": [{"username": "bob", "email": "bob@example.com", "password": "bobpass123"}, {"username": "eve", "email": "eve@example.com", "password": "evepass123", "role": "admin"}]}"#
            let arguments = ["seed", "--from", "-", "--format", "json"] + target(database)
            let seeded = try await Tool.run(arguments, input: file)
            #expect(seeded.exitCode == 0, "\(seeded)")
            try await database.run([
                "update": "users", "updates": [["q": ["username": "bob"], "u": ["$set": ["last_login": 1]]]],
            ])
            let run = try #require(try seeded.json()["run"]?.string)
            let undo = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 1)
            #expect(undo.counts(of: "left", "count") == ["seed.user": ["users": 1]])
            #expect(try await database.all("users").compactMap { $0["username"]?.string } == ["bob"])
        }
    }

    @Test("a full name that is left out or null is the name, in a file and in the database")
    func fullName() async throws {
        try await withDatabase { database in
            let file =
                #"{"users": [{"username": "bob", "email": "bob@example.com", "password": "bobpass123"}, {"username": "eve", "email": "eve@example.com", "password": "evepass123", "full_name": null}]}"#
            let arguments = ["seed", "--from", "-", "--format", "json"] + target(database)
            #expect(try await Tool.run(arguments, input: "\u{FEFF}" + file).exitCode == 0)
            #expect(Set(try await database.all("users").map { $0["full_name"] }) == ["bob", "eve"])
            try await database.update("users", ["username": "bob"], ["$set": ["full_name": .null]])
            try await database.update("users", ["username": "eve"], ["$unset": ["full_name": ""]])
            let before = try await database.all("users")
            let seeded = try await Tool.run(arguments, input: file)
            #expect(seeded.exitCode == 0, "\(seeded)")
            #expect(try seeded.json().counts(of: "changes", "changed") == ["seed.complete": ["users": 2]])
            #expect(Set(try await database.all("users").map { $0["full_name"] }) == ["bob", "eve"])
            let run = try #require(try seeded.json()["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            #expect(try await database.all("users") == before)
        }
    }

    /// One user with a field replaced.
    private static func user(_ field: String, _ value: String) -> String {
        var fields = ["username": "bob", "email": "bob@example.com", "password": "secret-1"].mapValues { "\"\($0)\"" }
        fields[field] = value
        return "{\"users\": [\n{\(fields.map { "\"\($0)\": \($1)" }.joined(separator: ",\n"))}]}"
    }

    static let badFiles: [(String, Int32, String)] = [
        (#"{"users": [{"username": "bob", "email": "bob@exam"#, 65, "as JSON"),
        ("", 65, "as JSON"),
        (
            "{\"users\": [\n{\"username\": \"bob\", \"password\": \"secret-1\"}]}", 65,
            "line 2: `users[0]` lacks `email`"
        ),
        (user("passwort", "1"), 65, "which is perhaps `password`"),
        (user("email", "null"), 65, "`users[0].email` is null"),
        (
            #"{"users": [{"username": "b", "email": "e@a.de", "password": "secret-1"}, {"username": "B", "email": "f@a.de", "password": "x"}]}"#,
            65, "twice"
        ),
        (
            #"{"users": [{"username": "f@a.de", "email": "e@a.de", "password": "secret-1"}, {"username": "B", "email": "F@a.de", "password": "x"}]}"#,
            65, "twice"
        ),
        (user("email", "\"a@team.local\""), 65, "`users[0].email` is in the reserved domain .local"),
        (user("email", "\"secret-1\""), 65, "`users[0].email` has no @"), (user("full_name", "7"), 65, "is a number"),
        (user("full_name", "\" \""), 65, "`users[0].full_name` is empty"),
        (user("role", "\"root\""), 65, "`user` or `admin`"),
        (user("username", #""bo\nb""#), 65, "nobody sees"), (user("username", "\" bob\""), 65, "white space"),
        (user("username", "\"bo\u{202E}b\""), 65, "nobody sees"),
        (user("password", #""secret-1\u0000""#), 65, "control"),
        (user("password", "\"secret-1\(String(repeating: "ä", count: 33))\""), 65, "72 bytes"),
        ("[{\"username\": \"bob\"}]", 65, "a list, where {\"users\""), (#"{"user": []}"#, 65, "unknown key `user`"),
        (#"{"users": {}}"#, 65, "names no user"), (#"{"users": 7}"#, 65, "a number, where a map or a list"),
        (#"{"users": []}"#, 65, "names no user"),
    ]

    @Test("a file that is half or wrong changes nothing and shows no password", arguments: badFiles)
    func badFile(file: String, code: Int32, words: String) async throws {
        try await withDatabase { database in
            let result = try await Tool.run(["seed", "--from", "-"] + target(database), input: file)
            #expect(result.exitCode == code, "\(result)")
            #expect(result.errors.contains(words), "\(result)")
            #expect(!result.errors.contains("secret-1"))
            #expect(try await database.all("users").isEmpty)
        }
    }

    @Test("a missing file, an unknown name and a remote server are refused")
    func refused() async throws {
        try await withDatabase { database in
            var result = try await Tool.run(["seed", "--from", "/nowhere/users.json"] + target(database))
            #expect(result.exitCode == 74, "\(result)")
            result = try await Tool.run(["seed", "nobody"] + target(database))
            #expect(result.exitCode == 64, "\(result)")
        }
        let unread = try await Tool.run(["seed", "--from", "-", "--uri", "mongodb://127.0.0.1:9/"], input: "{}")
        #expect(unread.exitCode == 65, "a file is read before a server is looked for: \(unread)")
        let remote = try await Tool.run(["seed", "--uri", "mongodb://192.0.2.1/"])
        #expect(remote.exitCode == 4, "\(remote)")
    }

    /// The independent witness: passlib's bcrypt, as the application verifies.
    static func verifies(_ password: String, _ hash: String) async throws -> Bool {
        let program =
            "import sys; from passlib.hash import bcrypt; sys.exit(0 if bcrypt.verify(sys.argv[1], sys.argv[2]) else 9)"
        let answer = try await OtherProgram.run(OtherProgram.python(), ["-c", program, password, hash])
        try #require([0, 9].contains(answer.code), "the witness itself failed: \(answer.errors)")
        return answer.code == 0
    }
}
