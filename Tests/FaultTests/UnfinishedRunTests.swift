import BSON
import TestSupport
import Testing

/// A run was killed, and its journal is the only place where a document stands.
@Suite("A run that was left unfinished", .serialized)
struct UnfinishedRunTests {
    private static let user = BSONValue.objectID(ObjectID(timestamp: 1_700_000_000))

    @Test("is a finding, though nothing else is wrong, until the next run has finished it")
    func unfinished() async throws {
        try await withDatabase { database in
            try await database.load(
                "users",
                [
                    [
                        "_id": Self.user, "username": "u", "email": "u@example.com", "full_name": "U",
                        "hashed_password": .string("$2b$12$" + String(repeating: "a", count: 53)),
                    ]
                ])
            let text = ObjectID(timestamp: 1_690_000_000).hex
            try await database.load(
                "chat_sessions",
                [
                    [
                        "_id": .string(text), "user_id": Self.user, "title": "only", "message_count": 0,
                        "last_message_at": nil, "created_at": .date(1_690_000_000_000), "deleted": false,
                    ]
                ])
            // A copy beside the original is impossible: it is deleted first.
            try await database.run([
                "createIndexes": "chat_sessions", "indexes": [["key": ["title": 1], "name": "t", "unique": true]],
            ])
            let target = ["--uri", database.uri, "--database", database.name, "--format", "json"]
            let isReached = try await KillMatrixTests.kill(
                ["repair", "ids", "--yes"] + target, on: database, at: 1, .didNotHappen,
                commands: FailCommand("insert", on: "\(database.name).chat_sessions"))
            #expect(isReached)
            #expect(try await database.count("chat_sessions") == 0)

            // Also while the dead run's lease lasts: it isn't renewed any more.
            let check = try await Tool.run(["check"] + target)
            #expect(check.exitCode == 1, "\(check)")
            #expect(try Self.codes(check).contains("run.unfinished"), "\(check)")

            try await Stage.expireLease(database)
            let repair = try await Tool.run(["repair", "all", "--offline", "--yes"] + target)
            #expect(repair.exitCode == 0, "\(repair)")
            #expect(try await database.one("chat_sessions", [:])["title"] == "only")
            let after = try await Tool.run(["check", "--only", "run"] + target)
            #expect(after.exitCode == 0, "\(after)")
            #expect(try Self.codes(after) == [])
        }
    }

    private static func codes(_ check: ToolResult) throws -> [String] {
        (try check.json()["findings"]?.array?.values ?? []).compactMap { $0.document?["code"]?.string }
    }
}
