import BSON
import TestSupport
import Testing

/// Users and sessions are there, and none of the messages that the sessions count.
@Suite("A database that was restored in part")
struct HalfRestoredTests {
    private static let session: BSONDocument = [
        "_id": .objectID(ObjectID(timestamp: 1_700_000_000)), "user_id": .objectID(ObjectID(timestamp: 1)),
        "message_count": 7, "last_message_at": .date(1_700_000_100_000), "created_at": .date(1_700_000_000_000),
        "deleted": false,
    ]

    private static func load(_ database: TestDatabase, isEmpty: Bool) async throws {
        try await database.load("users", [["_id": .objectID(ObjectID(timestamp: 1)), "username": "u"]])
        try await database.load("chat_sessions", [session])
        if isEmpty { try await database.run(["create": "messages"]) }
    }

    private static func isUntouched(_ database: TestDatabase) async throws -> Bool {
        try await database.all("chat_sessions") == [session]
    }

    @Test(
        "has no count set to zero and no time to null", arguments: [false, true],
        [["repair", "counts"], ["repair", "all"], ["migrate", "up"]])
    func untouched(isEmpty: Bool, command: [String]) async throws {
        try await withDatabase { database in
            try await Self.load(database, isEmpty: isEmpty)
            if command[0] == "repair" {
                let plan = try await json(command + ["--dry-run"], on: database, expecting: 0)
                #expect(plan.counts(of: "changes", "changed")["count.wrong"] == nil, "\(plan)")
            }
            let result = try await json(command + ["--offline", "--yes"], on: database, expecting: 1)
            #expect(result.counts(of: "left", "count")["count.wrong"] == ["chat_sessions": 1], "\(result)")
            #expect(try await Self.isUntouched(database))
        }
    }

    @Test("stays untouched when the application has put its first message there by then, also after a kill")
    func firstMessage() async throws {
        try await withDatabase { database in
            try await Self.load(database, isEmpty: false)
            try await kill(
                ["migrate", "up", "--offline", "--yes"], on: database,
                holdingBack: FailCommand("collMod").blocking(milliseconds: 1000),
                mode: .skip(1))
            try await database.load(
                "messages",
                [["_id": .objectID(ObjectID(timestamp: 9)), "session_id": .objectID(ObjectID(timestamp: 8))]])
            let up = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 1)
            #expect(up.counts(of: "left", "count")["count.wrong"] == ["chat_sessions": 1], "\(up)")
            #expect(try await Self.isUntouched(database))
        }
    }

    @Test("is set to zero when that is asked for in so many words, and goes back")
    func asked() async throws {
        try await withDatabase { database in
            try await Self.load(database, isEmpty: true)
            let result = try await json(
                ["repair", "counts", "--offline", "--yes", "--zero-counts"], on: database, expecting: 0)
            #expect(try await database.one("chat_sessions", [:])["message_count"] == 0)
            let run = try #require(result["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            #expect(try await Self.isUntouched(database))
        }
    }
}
