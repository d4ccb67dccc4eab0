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
                #expect(try Self.verifies(password, hash ?? ""))
                #expect(try !Self.verifies("wrong", hash ?? ""))
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
            #expect(try Self.verifies("alicepass123", hash ?? ""))
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
            let seeded = try await json(["seed", "alice"], on: database, expecting: 0)
            #expect(seeded.counts(of: "changes", "changed") == ["seed.complete": ["users": 1]])
            let alice = try await database.one("users", ["username": "alice"])
            #expect(alice["role"] == "admin")
            #expect(alice["disabled"] == false)
            #expect(try Self.verifies("alicepass123", alice["hashed_password"]?.string ?? ""))
        }
    }

    @Test("users come from a file, and the run can be taken back until they have logged in")
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

    static let badFiles: [(String, Int32, String)] = [
        (#"{"users": [{"username": "bob", "email": "bob@exam"#, 65, "valid JSON"),
        ("", 65, "valid JSON"),
        (#"{"users": [{"username": "bob", "password": "secret-1"}]}"#, 65, "lacks `email`"),
        (#"{"users": [{"username": "bob", "email": "e", "password": "secret-1", "passwort": ""}]}"#, 65, "passwort"),
        (
            #"{"users": [{"username": "b", "email": "e", "password": "secret-1"}, {"username": "B", "email": "f", "password": "x"}]}"#,
            65, "twice"
        ),
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
        let remote = try await Tool.run(["seed", "--uri", "mongodb://192.0.2.1/"])
        #expect(remote.exitCode == 4, "\(remote)")
    }

    /// The independent witness: passlib's bcrypt, as the application verifies.
    static func verifies(_ password: String, _ hash: String) throws -> Bool {
        let environment = ProcessInfo.processInfo.environment
        let python = try environment["CHAT_ADMIN_PYTHON"] ?? ProjectFiles.path(".tools/venv/bin/python")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [
            "-c",
            "import sys; from passlib.hash import bcrypt; sys.exit(0 if bcrypt.verify(sys.argv[1], sys.argv[2]) else 9)",
            password, hash,
        ]
        process.standardError = Pipe()
        try process.run()
        process.waitUntilExit()
        try #require([0, 9].contains(process.terminationStatus), "the witness itself failed")
        return process.terminationStatus == 0
    }
}
