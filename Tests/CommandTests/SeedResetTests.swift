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
