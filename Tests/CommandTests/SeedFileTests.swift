import BSON
import Foundation
import TestSupport
import Testing

/// Files of users and chats.
@Suite("A file to seed")
struct SeedFileTests {
    static let team = """
        users:
          bob: {email: bob@example.com, password: s3cret-of-bob, role: admin}
          eve: {email: eve@example.com, password: s3cret-of-eve, full_name: Eve}
        chat_sessions:
          roadmap: {user: bob, title: Roadmap, created: now - 3d, messages: 12}
          old:     {user: bob, title: Old, created: now - 400d, deleted: true}
          fixed:   {user: eve, created: 2026-01-02T03:04:05+01:00}
        messages:
          - {session: roadmap, role: user, content: "What is next?", created: now - 2d}
          - {session: roadmap, role: assistant, content: "", deleted: true}
          - {session: fixed, role: user, content: Hello}
        """

    private func seed(
        _ text: String, _ arguments: [String] = [], on database: TestDatabase, expecting code: Int32 = 0
    ) async throws -> BSONDocument {
        let result = try await Tool.run(
            ["seed", "--from", "-", "--format", "json"] + arguments + target(database), input: text)
        try #require(result.exitCode == code, "\(result)")
        #expect(!result.output.contains("s3cret") && !result.errors.contains("s3cret"))
        return try result.json()
    }

    @Test("is compared by bytes, and updated so that no time comes before another")
    func updated() async throws {
        try await withDatabase { database in
            let file = """
                users: {josé: {email: jose@example.com, password: s3cret-of-jose}}
                chat_sessions: {old: {user: josé, created: now - 400d, deleted: true}}
                messages: [{session: old, content: Hello}]
                """
            _ = try await seed(file, ["--now", "2026-11-20"], on: database)
            let later = ["--now", "2026-11-21"]
            _ = try await seed(file, ["--check"] + later, on: database, expecting: 1)
            let updated = try await seed(file, ["--update", "--yes"] + later, on: database)
            #expect(updated["left"]?.array?.isEmpty == true)
            for name in ["chat_sessions", "messages"] {
                let document = try await database.one(name, [:])
                let created = try #require(document["created_at"]?.date)
                #expect(try #require(document["updated_at"]?.date) >= created, "\(document)")
                if name == "chat_sessions" { #expect(try #require(document["deleted_at"]?.date) > created) }
            }
            try await database.update("users", [:], ["$set": ["full_name": "jose\u{301}"]])
            let named = try await seed(file, ["--check"] + later, on: database, expecting: 1)
            let users = try #require(named.value(at: "seeded", "users")?.array?.values.first?.document)
            #expect(users["fields"] == ["full_name"], "\(named)")
            // What the application does is no reason to say that another field was written.
            try await database.update(
                "users", [:],
                ["$set": ["hashed_password": "$2b$12$KaYA0LeFDWN7EuFnJMwwfu6uSSEa5vv8pFgxbHkG2loPdDy9JD04a"]])
            let one = try await seed(file, ["--update", "--yes"] + later, on: database, expecting: 1)
            #expect(
                one.value(at: "seeded", "users")?.array?.values.first?.document?["fields"] == ["full_name"], "\(one)")
            let reset = try await seed(file, ["--reset-passwords", "--yes"] + later, on: database)
            #expect(
                reset.value(at: "seeded", "users")?.array?.values.first?.document?["fields"] == ["hashed_password"])
        }
    }

    @Test("in YAML makes users with sessions and messages, right by `check`", arguments: TestServer.Kind.allCases)
    func makes(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let seeded = try await seed(Self.team, on: database)
            let made = [
                "seed.user": ["users": 2], "seed.session": ["chat_sessions": 3], "seed.message": ["messages": 15],
            ]
            #expect(seeded.counts(of: "changes", "changed") == made)
            let bob = try await database.one("users", ["username": "bob"])
            let roadmap = try await database.one("chat_sessions", ["title": "Roadmap"])
            #expect(roadmap["user_id"] == bob["_id"])
            #expect(roadmap["message_count"] == 13)
            let fixed = try await database.one("chat_sessions", ["title": "fixed"])
            #expect(fixed["created_at"] == .date(1_767_319_445_000))
            #expect(try await database.count("messages", ["session_id": try #require(roadmap["_id"])]) == 14)
            #expect(try await database.one("chat_sessions", ["title": "Old"])["deleted"] == true)
            _ = try await json(["check"], on: database, expecting: 0)
            // Again: nothing is changed, byte for byte, though it is later.
            let before = try await ServerImage(of: database, .naturalOrder)
            let again = try await seed(Self.team, on: database)
            #expect(again["changes"]?.array?.isEmpty == true)
            #expect(again.value(at: "seeded", "kept") == ["chat_sessions": 3, "messages": 15])
            #expect(before.differences(to: try await ServerImage(of: database, .naturalOrder)) == [])
            let run = try #require(seeded["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            #expect(try await application(database).values.allSatisfy(\.isEmpty))
        }
    }

    @Test("gives the same bytes for the same seed and time, and other texts for another seed")
    func sameBytes() async throws {
        var images: [[String: [BSONDocument]]] = []
        for arguments in [["--seed", "7"], ["--seed", "7"], ["--seed", "8"]] {
            try await withDatabase { database in
                _ = try await seed(Self.team, arguments + ["--now", "2026-11-20T10:30:00Z"], on: database)
                images.append(try await application(database))
            }
        }
        #expect(images[0] == images[1])
        #expect(images[0] != images[2])
    }

    @Test("what is added to it is made, and counts follow, those of the application's messages too")
    func adds() async throws {
        try await withDatabase { database in
            _ = try await seed(Self.team, on: database)
            let roadmap = try #require(try await database.one("chat_sessions", ["title": "Roadmap"])["_id"]?.objectID)
            let bob = try #require(try await database.one("users", ["username": "bob"])["_id"])
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            let sent = Sample.message([
                "session_id": .objectID(roadmap), "user_id": bob, "created_at": .date(now), "updated_at": .date(now),
            ])
            try await database.run(["insert": "messages", "documents": [.document(sent)]])
            try await database.update(
                "chat_sessions", ["title": "Roadmap"],
                ["$set": ["message_count": 14, "last_message_at": .date(now), "title": "Renamed"]])
            let named = try await seed(Self.team, on: database, expecting: 1)
            #expect(named.counts(of: "left", "count") == ["seed.session": ["chat_sessions": 1]])
            let more = Self.team + "\n  - {session: roadmap, role: user, content: More, created: now - 1h}"
            let added = try await seed(more, ["--update", "--yes"], on: database)
            #expect(
                added.counts(of: "changes", "changed")
                    == [
                        "seed.message": ["messages": 1], "seed.session": ["chat_sessions": 1],
                        "seed.update": ["chat_sessions": 1],
                    ])
            #expect(try await database.one("chat_sessions", ["title": "Roadmap"])["message_count"] == 15)
            _ = try await json(["check"], on: database, expecting: 0)
        }
    }

    /// Two users, and lines that follow.
    private static func file(_ rest: String) -> String {
        "users:\n  bob: {email: bob@example.com, password: s3cret}\n" + rest
    }

    static let badFiles: [(String, String)] = [
        ("- bob", "it is a list, where `users: {bob: {email: bob@example.com, password: …}}` is wanted"),
        ("usres: {}", "unknown key `usres`, which is perhaps `users`"),
        (
            "users: {bob: {email: bob@example.com, pasword: s3cret}}",
            "unknown key `pasword`, which is perhaps `password`"
        ),
        (
            "users:\n  12: {email: bob@example.com, password: s3cret}",
            "line 2: it can't be read as YAML: the key `12` is a number"
        ),
        (
            "users:\n  bob: {email: bob@example.com, password: 12}",
            "line 2: `users.bob.password` is a number, where text"
        ),
        (
            "users:\n  bob: {email: bob@team.local, password: s3cret}",
            "`users.bob.email` is in the reserved domain .local"
        ),
        ("users:\n  bob: {email: bob@example.com, password: \(String(repeating: "s3cret", count: 13))}", "72 bytes"),
        (
            "users:\n  bob: {email: b@example.com, password: s3cret}\n  bob: {}",
            "line 3: it can't be read as YAML: the key `bob` stands there twice"
        ),
        (file("chat_sessions: []"), "line 3: `chat_sessions` is a list, where a map from names to sessions is wanted"),
        (
            file("chat_sessions:\n  r: {user: bbo}"),
            "line 4: `chat_sessions.r.user` names `bbo`, who isn't among the file's users; perhaps `bob`"
        ),
        (
            file("chat_sessions:\n  r: {user: bob, messages: -3}"),
            "line 4: `chat_sessions.r.messages` has to be a whole number from 0"
        ),
        (
            file("chat_sessions:\n  r: {user: bob, created: 2026-02-30}"),
            "line 4: `chat_sessions.r.created` isn't a date"
        ),
        (file("chat_sessions:\n  r: {user: bob, created: now + 3d}"), "line 4: `chat_sessions.r.created` isn't a date"),
        (
            file("chat_sessions:\n  r: {user: bob, created: 9000-01-01}"),
            "line 4: `chat_sessions.r.created` is later than now"
        ),
        (file("chat_sessions:\n  r: {user: bob}\nmessages: {}"), "line 5: `messages` is an object, where a list"),
        (file("messages:\n  - {session: r, content: x}"), "line 4: `messages[0].session` names `r`, which isn't among"),
        (
            file(
                "chat_sessions:\n  r: {user: bob, created: now - 1d}\nmessages:\n  - {session: r, content: x, created: now - 2d}"
            ), "before its session's"
        ),
        (
            file("chat_sessions:\n  r: {user: bob}\nmessages:\n  - {session: r, content: x, role: bob}"),
            "`user` or `assistant`"
        ),
        (
            "a: &a [x, x, x, x]\nb: &b [*a, *a, *a, *a]\nusers: *b",
            "line 2: it can't be read as YAML: aliases aren't taken"
        ),
        ("users: !!python/object:os.system {}", "tags aren't taken"),
        ("users: {}\n---\nusers: {}", "a second document"),
        ("users:\n\tbob: 1", "line 2"), (String(repeating: "a:\n ", count: 9), "line"),
        (String(repeating: "- ", count: 100), "nested too deeply"),
    ]

    @Test("that is wrong is refused before anything is written, with line, field and reason", arguments: badFiles)
    func bad(text: String, words: String) async throws {
        try await withFolder { folder in
            let file = folder + "/team.yaml"
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            // Where there is no server: the file is read first.
            let result = try await Tool.run(["seed", "--from", file, "--uri", "mongodb://127.0.0.1:9/"])
            #expect(result.exitCode == 65, "\(result)")
            #expect(result.errors.contains(words), "\(result)")
            #expect(!result.errors.contains("s3cret"))
        }
    }

    @Test("of a gigabyte, in UTF-16, or with ten thousand users of one name is refused at once")
    func hostile() async throws {
        try await withFolder { folder in
            let file = folder + "/team.yaml"
            #expect(FileManager.default.createFile(atPath: file, contents: nil))
            let handle = try #require(FileHandle(forWritingAtPath: file))
            try handle.truncate(atOffset: 1 << 30)
            try handle.close()
            let user = #"{"username": "bob", "email": "bob@example.com", "password": "s3cret"}"#
            let many = "{\"users\": [\(Array(repeating: user, count: 10_000).joined(separator: ",\n"))]}"
            let files: [(Data?, String)] = [
                (nil, "holds more than 8192 KB"), (Self.team.data(using: .utf16), "it is UTF-16"),
                (Data(many.utf8), "names `bob` twice"),
            ]
            for (content, words) in files {
                if let content { try content.write(to: URL(fileURLWithPath: folder + "/team.json")) }
                let name = content == nil ? file : folder + "/team.json"
                let result = try await Tool.run(["seed", "--from", name, "--uri", "mongodb://127.0.0.1:9/"])
                #expect(result.exitCode == 65, "\(result)")
                #expect(result.errors.contains(words), "\(result)")
            }
        }
    }
}
