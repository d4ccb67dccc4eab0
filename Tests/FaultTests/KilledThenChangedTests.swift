import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// The application goes on while the tool lies dead: between the kill and the next run the database changes.
@Suite("Killed, and the application went on", .serialized)
struct KilledThenChangedTests {
    private static let user = BSONValue.objectID(ObjectID(timestamp: 1_700_000_000))

    private static func session(_ id: BSONValue, _ title: String) -> BSONDocument {
        ["_id": id, "user_id": user, "title": .string(title), "created_at": .date(1_700_000_000_000)]
    }

    /// One session without an `_id`, its three messages, and a unique index that forbids a copy beside it if wanted.
    private static func load(_ database: TestDatabase, isUnique: Bool) async throws {
        try await database.load("users", [["_id": user, "username": "u"]])
        try await database.load("chat_sessions", [session("", "first")])
        try await database.load(
            "messages",
            (0..<3).map { ["_id": .objectID(ObjectID(timestamp: 5 + $0)), "session_id": "", "user_id": user] })
        guard isUnique else { return }
        try await database.run([
            "createIndexes": "chat_sessions", "indexes": [["key": ["title": 1], "name": "title_1", "unique": true]],
        ])
    }

    /// Kills `repair ids` at every write of a database of its own, and lets a test go on from there.
    private static func forEachPoint(
        _ kind: TestServer.Kind, isUnique: Bool,
        _ body: @escaping @Sendable (TestDatabase, [String]) async throws -> Void
    ) async throws {
        let points = try await Matrix.forEachPoint(on: kind, from: 4, stride: 3) { database, point in
            try await load(database, isUnique: isUnique)
            let repair = ["repair", "ids", "--yes", "--uri", database.uri, "--database", database.name]
            guard try await KillMatrixTests.kill(repair, on: database, at: point, .happened) else { return false }
            try await Stage.expireLease(database)
            try await body(database, repair)
            return true
        }
        #expect(points > 0)
    }

    @Test(
        "another empty _id that arrived meanwhile is a session of its own", arguments: KillMatrixTests.topologies,
        [false, true])
    func anotherArrives(kind: TestServer.Kind, isUnique: Bool) async throws {
        try await Self.forEachPoint(kind, isUnique: isUnique) { database, repair in
            // Where the first still has the place, the application's insert fails, as the bug has it.
            let isFree = try await database.count("chat_sessions", ["_id": ""]) == 0
            if isFree {
                var other = Self.session("", "second")
                other["user_id"] = .objectID(ObjectID(timestamp: 1_700_000_001))
                try await database.load("chat_sessions", [other])
            }
            let again = try await Tool.run(repair)
            #expect(again.exitCode == 0, "\(again)")
            let titles = try await database.all("chat_sessions").compactMap { $0["title"]?.string }.sorted()
            #expect(titles == (isFree ? ["first", "second"] : ["first"]))
            let first = try await database.one("chat_sessions", ["title": "first"])["_id"] ?? .null
            #expect(first.objectID != nil)
            #expect(try await database.count("messages", ["session_id": first]) == 3)
        }
    }

    @Test(
        "messages that came to the repaired session keep it from being reverted",
        arguments: KillMatrixTests.topologies)
    func undoAfterResume(kind: TestServer.Kind) async throws {
        try await Self.forEachPoint(kind, isUnique: false) { database, repair in
            let again = try await Tool.run(repair)
            #expect(again.exitCode == 0, "\(again)")
            let session = try await database.one("chat_sessions", [:])["_id"] ?? .null
            try await database.load(
                "messages", (0..<3).map { ["_id": .objectID(ObjectID(timestamp: 90 + $0)), "session_id": session] })
            for run in try await database.all("chat_admin.runs").compactMap({ $0["_id"]?.objectID?.hex }) {
                let undo = try await Tool.run(
                    ["runs", "undo", run, "--yes", "--uri", database.uri, "--database", database.name])
                #expect(undo.exitCode == 0 || undo.exitCode == 1, "\(undo)")
            }
            #expect(try await database.count("messages", ["session_id": session]) == 6)
            #expect(try await database.all("chat_sessions").map { $0["_id"] ?? .null } == [session])
        }
    }
}
