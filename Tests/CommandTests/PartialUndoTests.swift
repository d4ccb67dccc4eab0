import BSON
import TestSupport
import Testing

@Suite("An undo that has to leave something")
struct PartialUndoTests {
    @Test("touches nothing of what it undid when it is tried again")
    func again() async throws {
        try await withDatabase { database in
            try await database.run(["create": "messages"])
            for index in 0..<3 {
                try await database.insertJSON(
                    "chat_sessions",
                    #"{"_id": {"$oid": "6909eac0304d4896f9e17fd\#(index)"}, "message_count": 9, "last_message_at": null}"#
                )
            }
            let repair = try await json(
                ["repair", "counts", "--zero-counts", "--offline", "--yes"], on: database, expecting: 0)
            let run = try #require(repair["run"]?.string)
            try await Self.setCount(of: 0, to: 4, database)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 1)
            #expect(try await Self.counts(database) == [4, 9, 9])
            // Somebody else sets two of them to what the repair had set: that isn't this run's to undo.
            try await Self.setCount(of: 1, to: 0, database)
            try await Self.setCount(of: 2, to: 0, database)
            let second = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 1)
            #expect(second.counts(of: "left", "count") == ["count.wrong": ["chat_sessions": 1]])
            #expect(try await Self.counts(database) == [4, 0, 0])
        }
    }

    @Test("leaves its steps to be applied again, and up then mends what came back", arguments: TestServer.Kind.allCases)
    func thenUp(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            let up = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 1)
            try await database.run([
                "update": "chat_sessions",
                "updates": [["q": ["title": "chat 2"], "u": ["$set": ["pinned": true]]]],
            ])
            let run = try #require(up["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 1)
            #expect(try await database.count("chat_sessions", ["_id": ["$type": "string"]]) == 3)
            _ = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 1)
            #expect(try await database.count("chat_sessions", ["_id": ["$type": "string"]]) == 0)
            try await database.run([
                "update": "chat_sessions", "updates": [["q": [:], "u": ["$unset": ["pinned": ""]], "multi": true]],
            ])
            #expect(try await IncidentTruth.fixture.verify(database) == [])
        }
    }

    private static func setCount(of index: Int, to count: Int32, _ database: TestDatabase) async throws {
        let id = try #require(ObjectID(hex: "6909eac0304d4896f9e17fd\(index)"))
        try await database.run([
            "update": "chat_sessions",
            "updates": [["q": ["_id": .objectID(id)], "u": ["$set": ["message_count": .int32(count)]]]],
        ])
    }

    private static func counts(_ database: TestDatabase) async throws -> [Int64] {
        try await database.all("chat_sessions").compactMap { $0["message_count"]?.integer }
    }
}
