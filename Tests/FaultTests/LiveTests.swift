import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

@Suite("While the application writes", .serialized)
struct LiveTests {
    @Test(
        "nothing is lost, doubled, or put into another's session", arguments: KillMatrixTests.topologies,
        [["repair", "ids", "--yes"], ["migrate", "up", "--yes", "--settle", "0.5", "--max-time", "8"]])
    func repairs(kind: TestServer.Kind, command: [String]) async throws {
        try await TestServer.shared(kind).withDatabase { database in
            let application = LiveApplication(database, seed: UInt64(command.count))
            try await application.prepare()
            let target = ["--uri", database.uri, "--database", database.name]
            let end = ContinuousClock.now + .seconds(Effort.isFull ? 60 : 8)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 { group.addTask { try await application.work(until: end) } }
                group.addTask {
                    while ContinuousClock.now < end {
                        let result = try await Tool.run(command + target)
                        try #require([0, 1, 5].contains(result.exitCode), "\(result)")
                    }
                }
                try await group.waitForAll()
            }
            let last = try await Tool.run(["repair", "all", "--offline", "--yes"] + target)
            try #require([0, 1].contains(last.exitCode), "\(last)")
            try await Self.verify(database, application)
            let broken = await application.sessions.keys.filter { $0.hasPrefix("broken") }.count
            let messages = await application.messages.count
            let empty = await application.emptySessions
            print(
                "live: \(command[0]) \(command[1]) on \(kind): \(broken) broken sessions, \(empty) of them with an "
                    + "empty _id, \(messages) messages")
            #expect(broken > 0)
        }
    }

    private static func verify(_ database: TestDatabase, _ application: LiveApplication) async throws {
        let expected = await (sessions: application.sessions, messages: application.messages)
        let sessions = Dictionary(grouping: try await database.all("chat_sessions")) { $0["key"]?.string ?? "" }
        #expect(Set(sessions.keys) == Set(expected.sessions.keys))
        var ids: [String: BSONValue] = [:]
        for (key, documents) in sessions {
            #expect(documents.count == 1, "\(key) is there \(documents.count) times")
            ids[key] = documents.first?["_id"]
            #expect(documents.first?["_id"]?.objectID != nil, "\(key)")
            #expect(documents.first?["user_id"] == expected.sessions[key].map { .objectID($0) }, "\(key)")
        }
        let messages = Dictionary(grouping: try await database.all("messages")) { $0["key"]?.string ?? "" }
        #expect(Set(messages.keys) == Set(expected.messages.keys))
        for (key, documents) in messages {
            #expect(documents.count == 1, "\(key) is there \(documents.count) times")
            let reference = documents.first?["session_id"]
            // Of two sessions of one owner that lost their `_id`s, nobody can tell whose an empty reference was.
            guard reference != "", let truth = expected.messages[key] else { continue }
            #expect(reference == ids[truth.session], "\(key) of \(truth.session)")
        }
    }
}
