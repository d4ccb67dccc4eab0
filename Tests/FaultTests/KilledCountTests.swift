import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// `repair counts` is killed, the application goes on, and another run finishes what was begun: a count that was set, and
/// that the application has since brought back to what it was, must not be set again.
@Suite("Counting killed, and the application went on")
struct KilledCountTests {
    private static let sessions = (1...12).map { BSONValue.objectID(ObjectID(timestamp: UInt32(1_700_000_000 + $0))) }

    /// Sessions of three messages each, whose counts say two.
    private static func load(_ database: TestDatabase) async throws {
        try await database.load(
            "chat_sessions",
            sessions.map { ["_id": $0, "title": "t", "message_count": 2, "last_message_at": .date(3_000)] })
        let messages = sessions.enumerated().flatMap { index, session in
            (0..<3).map { number -> BSONDocument in
                let id = ObjectID(timestamp: UInt32(10 * index + number))
                return ["_id": .objectID(id), "session_id": session, "created_at": .date(3_000), "deleted": false]
            }
        }
        try await database.load("messages", messages)
    }

    /// What the application does: it deletes one message of each session, in two halves.
    private static func deleteOneEach(_ database: TestDatabase) async throws {
        for session in sessions {
            let message = try await database.find("messages", ["session_id": session, "deleted": false]).first
            try await database.update("messages", ["_id": message?["_id"] ?? .null], ["$set": ["deleted": true]])
            try await database.update("chat_sessions", ["_id": session], ["$inc": ["message_count": -1]])
        }
    }

    private static func drifts(_ database: TestDatabase) async throws -> Set<Int64> {
        var drifts: Set<Int64> = []
        for session in try await database.all("chat_sessions") {
            let live = try await database.count("messages", ["session_id": session["_id"] ?? .null, "deleted": false])
            drifts.insert((session["message_count"]?.integer ?? .min) - Int64(live))
        }
        return drifts
    }

    @Test("nor is what an undo has put back", arguments: KillMatrixTests.topologies)
    func undoneOnce(kind: TestServer.Kind) async throws {
        let points = try await Matrix.forEachPoint(on: kind, from: 1, stride: 1) { database, point in
            try await Self.load(database)
            let target = ["--yes", "--uri", database.uri, "--database", database.name]
            let repair = ["repair", "counts", "--offline", "--format", "json"] + target
            let repaired = try await Tool.run(repair)
            let run = try #require(try repaired.json()["run"]?.string)
            let undo = ["runs", "undo", run] + target
            guard try await KillMatrixTests.kill(undo, on: database, at: point, .happened) else { return false }
            try await Stage.expireLease(database)
            // One more in each: a count that went back to 2 is 3 again, as if nothing had been reverted.
            for session in Self.sessions {
                try await database.load(
                    "messages",
                    [
                        [
                            "_id": .objectID(FreshID.make()), "session_id": session, "created_at": .date(3_000),
                            "deleted": false,
                        ]
                    ])
                try await database.update("chat_sessions", ["_id": session], ["$inc": ["message_count": 1]])
            }
            let before = try await Self.drifts(database)
            #expect(before.isSubset(of: [0, -1]))
            let other = try await Tool.run(["repair", "references"] + target)
            #expect(other.exitCode == 0, "\(other)")
            #expect(try await Self.drifts(database) == before)
            let again = try await Tool.run(repair)
            #expect(again.exitCode == 0, "\(again)")
            #expect(try await Self.drifts(database) == [0])
            return true
        }
        #expect(points > 3)
    }

    @Test("what was set isn't set again", arguments: KillMatrixTests.topologies)
    func setOnce(kind: TestServer.Kind) async throws {
        let points = try await Matrix.forEachPoint(on: kind, from: 1, stride: 1) { database, point in
            try await Self.load(database)
            let target = ["--yes", "--uri", database.uri, "--database", database.name]
            let repair = ["repair", "counts", "--offline"] + target
            guard try await KillMatrixTests.kill(repair, on: database, at: point, .happened) else { return false }
            try await Stage.expireLease(database)
            try await Self.deleteOneEach(database)
            let before = try await Self.drifts(database)
            // Whatever runs next finishes what was begun, this one without counting anything.
            let other = try await Tool.run(["repair", "references"] + target)
            #expect(other.exitCode == 0, "\(other)")
            #expect(try await Self.drifts(database) == before)
            #expect(before.isSubset(of: [0, -1]))
            #expect(try await database.count("chat_admin.journal", ["open": true]) == 0)
            let again = try await Tool.run(repair)
            #expect(again.exitCode == 0, "\(again)")
            #expect(try await Self.drifts(database) == [0])
            return true
        }
        #expect(points > 3)
    }
}
