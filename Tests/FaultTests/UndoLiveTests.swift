import BSON
import Foundation
import MongoDriver
import Synchronization
import TestSupport
import Testing

/// An undo gives sessions their old `_id`s back while an application looks them up, writes to them, and renames them.
@Suite("An undo while the application writes", .serialized)
struct UndoLiveTests {
    /// Something that happens once.
    private final class Flag: Sendable {
        private let state = Atomic(false)
        var isSet: Bool { state.load(ordering: .relaxed) }
        func set() { state.store(true, ordering: .relaxed) }
    }

    private static let sessions = 120
    private static let user = BSONValue.objectID(ObjectID(timestamp: 1_700_000_000))

    private static func load(_ database: TestDatabase) async throws {
        try await database.load("users", [["_id": user, "username": "u"]])
        let ids = (0..<sessions).map { ObjectID(timestamp: UInt32(1_690_000_000 + $0)) }
        try await database.load(
            "chat_sessions",
            ids.enumerated().map { index, id in
                [
                    "_id": .string(id.hex), "user_id": user, "key": .string("\(index)"), "title": "t",
                    "message_count": 1, "last_message_at": .date(1_700_000_000_000),
                    "created_at": .date(1_690_000_000_000 + Int64(index)),
                ]
            })
        try await database.load(
            "messages",
            ids.map { id in
                [
                    "_id": .objectID(FreshID.make()), "session_id": .string(id.hex), "user_id": user, "deleted": false,
                    "created_at": .date(1_700_000_000_000),
                ]
            })
    }

    /// What the application does until it is told to stop: by ObjectId, as it looks everything up.
    private static func work(_ database: TestDatabase, _ writer: Int, until isOver: Flag) async throws {
        var turn = writer
        while !isOver.isSet {
            turn += 7
            let filter: BSONDocument = ["key": .string("\(turn % sessions)"), "_id": ["$type": "objectId"]]
            guard let id = try await database.find("chat_sessions", filter).first?["_id"] else { continue }
            if turn % 3 == 0 {
                try await database.update("chat_sessions", ["_id": id], ["$set": ["title": .string("renamed \(turn)")]])
                continue
            }
            let message: BSONDocument = [
                "_id": .objectID(FreshID.make()), "session_id": id, "user_id": user, "deleted": false,
                "created_at": .date(1_700_000_000_000), "late": true,
            ]
            try await database.withClient { client in
                _ = try await client.bulkWrite(database.namespace("messages"), [.insert(message)])
            }
            try await database.update("chat_sessions", ["_id": id], ["$inc": ["message_count": 1]])
        }
    }

    @Test("orphans no message and leaves no session twice", arguments: KillMatrixTests.topologies)
    func undo(kind: TestServer.Kind) async throws {
        for round in 0..<(Effort.isFull ? 20 : 1) {
            try await TestServer.shared(kind).withDatabase { database in
                try await Self.load(database)
                let target = ["--uri", database.uri, "--database", database.name]
                let repair = try await Tool.run(["repair", "ids", "--yes", "--format", "json"] + target)
                let run = try #require(try repair.json()["run"]?.string)
                let isOver = Flag()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for writer in 0..<2 {
                        group.addTask { try await Self.work(database, writer, until: isOver) }
                    }
                    // At work before the undo begins.
                    try await waitUntil("a late message") { try await database.count("messages", ["late": true]) > 3 }
                    let undo = try await Tool.run(["runs", "undo", run, "--yes"] + target, timeLimit: .seconds(180))
                    isOver.set()
                    #expect([0, 1].contains(undo.exitCode), "\(undo)")
                    try await group.waitForAll()
                }
                let problems = try await Self.problems(database)
                #expect(problems == [], "round \(round)")
                #expect(try await database.count("chat_admin.journal", ["open": true]) == 0)
            }
        }
    }

    private static func problems(_ database: TestDatabase) async throws -> [String] {
        var problems: [String] = []
        let standing = Dictionary(grouping: try await database.all("chat_sessions")) { $0["key"]?.string ?? "" }
        for (key, found) in standing where found.count != 1 { problems.append("\(key) stands \(found.count) times") }
        if standing.count != sessions { problems.append("\(standing.count) sessions") }
        let ids = Set(standing.values.joined().compactMap { $0["_id"] })
        let orphans = try await database.all("messages").filter { !ids.contains($0["session_id"] ?? .null) }
        if !orphans.isEmpty { problems.append("\(orphans.count) orphans, such as \(orphans[0].debugDescription)") }
        return problems
    }
}
