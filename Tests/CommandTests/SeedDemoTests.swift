import BSON
import Foundation
import TestSupport
import Testing

/// Chats that are made up, many at once.
@Suite("Demo chats")
struct SeedDemoTests {
    static let sizes = ["--demo", "users=12,sessions=150,messages=9000,artifacts=30"]
    private static let now = ["--now", "2026-11-20T10:30:00Z"]

    @Test("takes for now what most of its sessions say, however odd the others are")
    func now() async throws {
        try await withDatabase { database in
            let sizes = ["seed", "--demo", "users=2,sessions=9,messages=90"]
            let seeded = try await json(sizes, on: database, expecting: 0)
            let all = try await database.all("chat_sessions")
            let odd: [BSONValue] = [.date(.max), .date(.min), "yesterday"]
            for (session, time) in zip(all, odd) {
                try await database.update(
                    "chat_sessions", ["_id": session["_id"] ?? .null], ["$set": ["created_at": time]])
            }
            let looked = try await json(sizes + ["--check"], on: database, expecting: 1)
            #expect(looked.value(at: "seeded", "now") == seeded.value(at: "seeded", "now"))
            #expect(looked.counts(of: "left", "count") == ["seed.session": ["chat_sessions": 3]], "\(looked)")
        }
    }

    @Test("lets those log in whom it names")
    func logins() async throws {
        try await withDatabase { database in
            let file = "users: {bob: {email: bob@example.com, password: s3cret-of-bob}}"
            let result = try await Tool.run(
                ["seed", "--from", "-", "--demo", "users=4,sessions=9"] + target(database), input: file)
            #expect(result.exitCode == 0, "\(result)")
            #expect(result.output.contains("Log in as alice / alicepass123, testuser / testpass123."), "\(result)")
            #expect(result.output.contains(/one password: demo\.\S+ \/ demopass123\./), "\(result)")
            // As many messages for each session as there usually are.
            #expect(result.output.contains("9 sessions, 900 messages, 0 artifacts of 4 users"), "\(result)")
            let again = try await json(["seed", "--demo", "users=4,sessions=9"], on: database, expecting: 0)
            let logins = try #require(again.value(at: "seeded", "logins")?.document)
            #expect(logins.keys.count == 3 && logins["alice"] == "alicepass123", "\(again)")
            let login = try #require(again.value(at: "seeded", "demo", "login")?.string)
            #expect(login.hasPrefix("demo.") && logins[login] == "demopass123", "\(again)")
        }
    }

    @Test(
        "are clean by `check`, in order, in the past, with lively and quiet sessions",
        arguments: TestServer.Kind.allCases)
    func believable(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let seeded = try await json(["seed"] + Self.sizes + Self.now, on: database, expecting: 0)
            let made = [
                "seed.user": ["users": 12], "seed.session": ["chat_sessions": 150], "seed.message": ["messages": 9_000],
                "seed.artifact": ["artifacts": 30],
            ]
            #expect(seeded.counts(of: "changes", "changed") == made)
            _ = try await json(["check", "--only", "id,ref,field,count,user"], on: database, expecting: 0)
            let now = try #require(try Self.date("2026-11-20T10:30:00Z"))
            let sessions = try await database.all("chat_sessions")
            let messages = try await database.all("messages")
            for document in sessions + messages + (try await database.all("artifacts")) {
                for field in ["created_at", "updated_at", "deleted_at", "last_message_at"] {
                    #expect((document[field]?.date ?? 0) <= now)
                }
            }
            let bySession = Dictionary(grouping: messages) { $0["session_id"] ?? .null }
            for session in sessions {
                // `_id`s are in the order of time.
                let own = bySession[session["_id"] ?? .null] ?? []
                let times = own.map { $0["created_at"]?.date ?? 0 }
                #expect(times == times.sorted())
                #expect((times.first ?? now) >= session["created_at"]?.date ?? 0)
                #expect(own.allSatisfy { $0["user_id"] == session["user_id"] })
            }
            let counts = sessions.map { $0["message_count"]?.integer ?? 0 }.sorted()
            #expect(counts[149] > 10 * counts[75], "a few sessions have most of the messages")
            #expect(messages.contains { $0["deleted"] == true } && sessions.contains { $0["deleted"] == true })
            let texts = messages.map { $0["content"]?.string ?? "" }
            #expect(texts.contains(""))
            #expect(texts.contains { $0.utf8.count > 2_000 } && texts.contains { $0.contains("```") })
            #expect(Set(texts).count > 7_000)
            // Journalled by ranges, not one by one.
            #expect(try await database.count("chat_admin.journal", [:]) < 10)
        }
    }

    private static func date(_ text: String) throws -> Int64? {
        try Int64(Date(text, strategy: .iso8601).timeIntervalSince1970 * 1000)
    }

    @Test("are the same bytes for the same seed, whatever size the pieces were left in, and are kept")
    func sameBytes() async throws {
        var images: [[String: [BSONDocument]]] = []
        for seed in ["1", "1", "2"] {
            try await withDatabase { database in
                let arguments = ["seed", "--seed", seed] + Self.sizes
                _ = try await json(arguments + Self.now, on: database, expecting: 0)
                let image = try await application(database)
                images.append(image)
                // Without a time, the one that they were made with stands.
                let again = try await json(arguments, on: database, expecting: 0)
                #expect(again["changes"]?.array?.isEmpty == true)
                #expect(
                    again.value(at: "seeded", "kept") == ["artifacts": 30, "chat_sessions": 150, "messages": 9_000])
                #expect(again.value(at: "seeded", "now") == "2026-11-20T10:30:00Z")
                // What is missing is made again, and nothing else.
                let half = try #require(image["messages"]?[4_500]["_id"])
                try await database.run(["delete": "messages", "deletes": [["q": ["_id": ["$gte": half]], "limit": 0]]])
                try await database.run([
                    "delete": "chat_sessions", "deletes": [["q": ["title": "the parser"], "limit": 0]],
                ])
                _ = try await json(["seed", "--check"] + arguments.dropFirst(), on: database, expecting: 1)
                let mended = try await json(arguments, on: database, expecting: 0)
                #expect(mended.counts(of: "changes", "changed")["seed.message"] == ["messages": 4_500])
                #expect(try await application(database) == image)
                _ = try await json(["seed", "--check"] + arguments.dropFirst(), on: database, expecting: 0)
            }
        }
        #expect(images[0] == images[1])
        #expect(images[0]["messages"] != images[2]["messages"])
    }

    @Test("go when their run is undone, but for what has changed; newer runs that changed them are undone before")
    func undone() async throws {
        try await withDatabase { database in
            let seeded = try await json(["seed"] + Self.sizes, on: database, expecting: 0)
            let run = try #require(seeded["run"]?.string)
            let shown = try await json(["runs", "show", run], on: database, expecting: 0)
            #expect(shown["journal"]?.array?.values.contains { $0.document?["kind"] == "range" } == true)
            let message = try #require(try await database.all("messages")[77]["_id"]?.objectID)
            let history = try await json(["history", "messages", message.hex], on: database, expecting: 0)
            #expect(history["events"]?.array?.values.count == 1, "\(history)")
            // A repair changes one of them.
            let session = try #require(try await database.all("chat_sessions")[5]["_id"])
            let before = try await application(database)
            try await database.update("chat_sessions", ["_id": session], ["$set": ["message_count": 7_000]])
            let repair = try await json(["repair", "counts", "--offline", "--yes"], on: database, expecting: 0)
            #expect(try await application(database) == before)
            let refused = try await Tool.run(["runs", "undo", run, "--yes"] + target(database))
            #expect(refused.exitCode == 4 && refused.errors.contains(repair["run"]?.string ?? "-"), "\(refused)")
            // Somebody changes another one.
            try await database.update("messages", ["_id": .objectID(message)], ["$set": ["content": "mine"]])
            let undone = try await undoAsPromised(["--through", run], on: database, expecting: 1)
            let left = undone["left"]?.array?.values.compactMap { $0.document?["collection"]?.string } ?? []
            #expect(Set(left) == ["chat_sessions", "messages"], "\(undone)")
            let rest = try await application(database)
            #expect(rest["messages"]?.map { $0["_id"] } == [.objectID(message)])
            #expect(rest["chat_sessions"]?.map { $0["_id"] } == [session])
            #expect(rest["users"]?.isEmpty == true && rest["artifacts"]?.isEmpty == true)
        }
    }

    @Test("aren't given to somebody who is there already under such a name")
    func somebodyElse() async throws {
        try await withDatabase { database in
            try await database.insertJSON("users", #"{"_id": 1, "username": "ALICE", "email": "a@corp.example"}"#)
            let before = try await ServerImage(of: database, .naturalOrder)
            let result = try await Tool.run(
                ["seed", "--demo", "users=3,sessions=3,messages=3", "--allow-here", "--yes"] + target(database))
            #expect(result.exitCode == 4, "\(result)")
            #expect(result.errors.contains("somebody else"))
            #expect(before.differences(to: try await ServerImage(of: database, .naturalOrder)) == [])
        }
    }

    @Test(
        "of sizes that can't be understood are refused",
        arguments: [
            "users=-1", "users=1,users=2", "user=1", "users", "users=1;sessions=2", "users=99999999999999999999",
            "users=1e3",
            "sessions=0,messages=5", "users=0", "users=200000", "",
        ])
    func sizes(text: String) async throws {
        let result = try await Tool.run(["seed", "--demo", text, "--uri", "mongodb://127.0.0.1:9/"])
        #expect(result.exitCode == 64, "\(result)")
        #expect(result.errors.contains("--demo:"), "\(result)")
    }
}
