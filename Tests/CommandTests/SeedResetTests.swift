import BSON
import Foundation
import TestSupport
import Testing

/// `seed --reset` and `seed --check`.
@Suite("Seeding anew")
struct SeedResetTests {
    private static let now = ["--now", "2026-11-20T10:30:00Z"]

    @Test(
        "brings the same bytes back, whatever became of what was seeded, and leaves all else",
        arguments: TestServer.Kind.allCases)
    func reset(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            _ = try await json(["seed"] + Self.now, on: database, expecting: 0)
            _ = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 0)
            let catalogue = try await Catalogue(database)
            let seeded = try await application(database)
            let alice = try #require(try await database.one("users", ["username": "alice"])["_id"])
            // Alice logs in, changes her name, and chats; somebody registers; testuser goes.
            try await database.update(
                "users", ["username": "alice"], ["$set": ["last_login": 1, "full_name": "Alicia", "role": "admin"]])
            try await database.run(["delete": "users", "deletes": [["q": ["username": "testuser"], "limit": 1]]])
            try await database.load("chat_sessions", [Sample.session(["user_id": alice])])
            try await database.run(["insert": "users", "documents": [.document(Sample.user())]])
            _ = try await json(["seed", "--check"] + Self.now, on: database, expecting: 1)
            let own = try await database.one("users", ["_id": .objectID(Sample.user)])
            let chats = try await database.all("chat_sessions")
            let refused = try await Tool.run(["seed", "--reset", "--yes"] + target(database))
            #expect(refused.exitCode == 4, "\(refused)")
            let reset = ["seed", "--reset", "--yes", "--allow-here"] + Self.now
            let done = try await json(reset, on: database, expecting: 0)
            #expect(done.counts(of: "changes", "changed")["seed.user"] == ["users": 2])
            #expect(Set(try await database.all("users")) == Set((seeded["users"] ?? []) + [own]))
            #expect(try await database.all("chat_sessions") == chats)
            #expect(try await Catalogue(database) == catalogue)
            _ = try await json(["seed", "--check"] + Self.now, on: database, expecting: 0)
            // And again, from there.
            _ = try await json(reset, on: database, expecting: 0)
            #expect(Set(try await database.all("users")) == Set((seeded["users"] ?? []) + [own]))
        }
    }

    @Test("makes demo chats anew, with counts that follow what others have said in them")
    func demo() async throws {
        try await withDatabase { database in
            let sizes = ["--demo", "users=4,sessions=30,messages=600"] + Self.now
            _ = try await json(["seed"] + sizes, on: database, expecting: 0)
            let seeded = try await application(database)
            let session = try #require(seeded["chat_sessions"]?.first { $0["message_count"]?.integer ?? 0 > 3 })
            let id = try #require(session["_id"]?.objectID)
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            let sent = Sample.message([
                "session_id": .objectID(id), "user_id": session["user_id"] ?? .null, "created_at": .date(now),
            ])
            try await database.run(["insert": "messages", "documents": [.document(sent)]])
            try await database.update(
                "chat_sessions", ["_id": .objectID(id)],
                ["$inc": ["message_count": 1], "$set": ["last_message_at": .date(now), "title": "mine"]])
            try await database.run(["delete": "messages", "deletes": [["q": ["role": "assistant"], "limit": 0]]])
            let dry = try await ServerImage(of: database, .naturalOrder)
            _ = try await json(["seed", "--reset", "--dry-run"] + sizes, on: database, expecting: 0)
            #expect(dry.differences(to: try await ServerImage(of: database, .naturalOrder)) == [])
            _ = try await json(["seed", "--reset", "--yes"] + sizes, on: database, expecting: 0)
            let count = (session["message_count"]?.integer ?? 0) + 1
            let anew = try await database.one("chat_sessions", ["_id": .objectID(id)])
            #expect(anew["message_count"]?.integer == count && anew["title"] == session["title"])
            #expect(Set(try await database.all("messages")) == Set((seeded["messages"] ?? []) + [sent]))
            _ = try await json(["check", "--only", "id,ref,field,count"], on: database, expecting: 0)
            // Without them: they go, but for the session that others refer to.
            let gone = try await json(["seed", "--reset", "--yes"] + Self.now, on: database, expecting: 1)
            #expect(gone.counts(of: "left", "count")["seed.reset"]?["chat_sessions"] == 1, "\(gone)")
            #expect(try await database.all("chat_sessions").count == 1)
            #expect(try await database.all("messages") == [sent])
        }
    }

    private static let chats = """
        users:
          bob: {email: bob@example.com, password: bobpass123}
        chat_sessions:
          roadmap: {user: bob, title: Roadmap, created: now - 3d}
        messages:
          - {session: roadmap, role: user, content: "What is next?"}
          - {session: roadmap, role: assistant, content: "The next step."}
        """

    @Test("takes away what has changed once and for all, and can be undone as a whole")
    func forGood() async throws {
        try await withDatabase { database in
            try await StepFolder.with(["team.yaml": Self.chats]) { folder in
                let file = folder.path + "/team.yaml"
                let sizes = ["--demo", "users=2,sessions=5,messages=50"]
                _ = try await json(["seed", "--from", file] + sizes + Self.now, on: database, expecting: 0)
                _ = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 0)
                for name in ["users", "messages"] { try await database.update(name, [:], ["$set": ["x": 1]]) }
                try await database.update(
                    "users", ["username": "bob"], ["$set": ["email": "robert@example.com"]])
                let before = try await application(database)
                let dry = try await json(["seed", "--reset", "--dry-run"] + Self.now, on: database, expecting: 0)
                let few = ["seed", "--reset", "--yes", "--max-changes", "3"] + Self.now
                _ = try await json(few, on: database, expecting: 4)
                #expect(try await application(database) == before)
                let reset = ["seed", "--reset", "--yes"] + Self.now
                let first = try await json(reset, on: database, expecting: 0)
                #expect(first.counts(of: "changes", "changed") == dry.counts(of: "changes", "changed"))
                let after = try await application(database)
                #expect(after["users"]?.count == 2 && after["messages"]?.isEmpty != false, "\(after)")
                var runs = [first]
                for _ in 1...2 {
                    runs.append(try await json(reset, on: database, expecting: 0))
                    #expect(try await application(database) == after)
                }
                for run in runs.reversed() {
                    let id = try #require(run["run"]?.string)
                    _ = try await json(["runs", "undo", id, "--yes"], on: database, expecting: 0)
                }
                let back = try await application(database)
                for (name, documents) in before { #expect(Set(back[name] ?? []) == Set(documents), "\(name)") }
                // And what came back is known as seeded still.
                _ = try await json(reset, on: database, expecting: 0)
                #expect(try await application(database) == after)
            }
        }
    }

    @Test("leaves what others refer to, unchanged though it is, with its owner and a count that is right")
    func referredTo() async throws {
        try await withDatabase { database in
            try await StepFolder.with(["team.yaml": Self.chats]) { folder in
                let file = folder.path + "/team.yaml"
                _ = try await json(["seed", "--from", file] + Self.now, on: database, expecting: 0)
                let session = try await database.one("chat_sessions", [:])
                let (id, owner) = (try #require(session["_id"]), try #require(session["user_id"]))
                let sent = Sample.message(["session_id": id, "user_id": owner])
                try await database.run(["insert": "messages", "documents": [.document(sent)]])
                // The application counts it.
                try await database.update("chat_sessions", ["_id": id], ["$inc": ["message_count": 1]])
                let reset = ["seed", "--reset", "--yes"] + Self.now
                let dry = try await json(["seed", "--reset", "--dry-run"] + Self.now, on: database, expecting: 0)
                let left: [String: [String: Int]] = ["seed.reset": ["chat_sessions": 1, "users": 1]]
                #expect(dry.counts(of: "left", "count") == left, "\(dry)")
                for _ in 1...2 {
                    let done = try await json(reset, on: database, expecting: 1)
                    #expect(done.counts(of: "left", "count") == left, "\(done)")
                    #expect(try await database.all("messages") == [sent])
                    #expect(try await database.one("chat_sessions", ["_id": id])["message_count"]?.integer == 1)
                    let names = try await database.all("users").compactMap { $0["username"]?.string }
                    #expect(names.sorted() == ["alice", "bob", "testuser"])
                    _ = try await json(["check", "--only", "id,ref,count"], on: database, expecting: 0)
                }
            }
        }
    }

    @Test("finds what repairs have moved since", arguments: TestServer.Kind.allCases)
    func moved(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let sizes = ["--scenario", "broken", "--demo", "users=2,sessions=4,messages=40"]
            _ = try await json(["seed"] + sizes + Self.now, on: database, expecting: 0)
            _ = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            _ = try await json(["seed", "--reset", "--yes"] + Self.now, on: database, expecting: 0)
            for name in ["chat_sessions", "messages", "artifacts"] {
                #expect(try await database.all(name) == [], "\(name)")
            }
            #expect(try await database.all("users").count == 2)
        }
    }

    @Test("is refused by name where an index of others stands in the way, and can be undone then")
    func refused() async throws {
        try await withDatabase { database in
            _ = try await json(["seed"] + Self.now, on: database, expecting: 0)
            let before = Set(try await database.all("users"))
            try await database.update("users", ["username": "alice"], ["$set": ["full_name": "Alicia"]])
            let other = Sample.user(["full_name": "Alice Example"])
            try await database.run(["insert": "users", "documents": [.document(other)]])
            try await database.run([
                "createIndexes": "users", "indexes": [["key": ["full_name": 1], "name": "own", "unique": true]],
            ])
            let result = try await Tool.run(
                ["seed", "--reset", "--yes", "--allow-here"] + Self.now + target(database))
            #expect(result.exitCode == 4 && result.errors.contains("`users` refuses a document"), "\(result)")
            _ = try await json(["runs", "undo", "latest", "--yes"], on: database, expecting: 0)
            try await database.update("users", ["username": "alice"], ["$set": ["full_name": "Alice Example 2"]])
            #expect(try await database.all("users").count == before.count + 1)
        }
    }

    @Test("writes nothing where it only checks, and says what is missing")
    func check() async throws {
        try await withDatabase { database in
            let before = try await ServerImage(of: database, .naturalOrder)
            let missing = try await json(["seed", "--check"], on: database, expecting: 1)
            #expect(missing.counts(of: "changes", "changed") == ["seed.user": ["users": 2]])
            #expect(missing["dryRun"] == true && missing["run"] == .null)
            #expect(before.differences(to: try await ServerImage(of: database, .naturalOrder)) == [])
            _ = try await json(["seed"], on: database, expecting: 0)
            _ = try await json(["seed", "--check"], on: database, expecting: 0)
            try await database.update("users", ["username": "alice"], ["$set": ["role": "admin"]])
            let different = try await json(["seed", "--check"], on: database, expecting: 1)
            #expect(different["left"]?.array?.values.first?.document?["field"] == "role")
        }
    }
}
