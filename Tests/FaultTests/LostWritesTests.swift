import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// A standalone server that dies and forgets what it had acknowledged a moment before, while documents are moved on it without
/// waiting for its disk.
@Suite("A server that forgets its last moment", .serialized, .timeLimit(.minutes(15)))
struct LostWritesTests {
    /// Inserts what the bug writes, one after another, until the server is gone.
    private struct Application {
        /// The numbers that were acknowledged, in their order.
        var acknowledged: [Int] = []
        var next = 0

        private static func document(_ number: Int) -> BSONDocument {
            [
                "_id": "", "user_id": .objectID(ObjectID(timestamp: 1)), "title": .string("\(number)"),
                "message_count": 0, "last_message_at": nil, "deleted": false,
                "created_at": .date(Int64(Date().timeIntervalSince1970 * 1000)),
                "updated_at": .date(Int64(Date().timeIntervalSince1970 * 1000)),
            ]
        }

        /// Inserts on one connection; what isn't answered may be there or not.
        mutating func work(_ client: MongoClient, _ database: TestDatabase) async {
            while true {
                do {
                    _ = try await client.bulkWrite(
                        database.namespace("chat_sessions"), [.insert(Self.document(next))], concern: .acknowledged)
                    acknowledged.append(next)
                    next += 1
                } catch let error as MongoError where error.kind == .duplicateKey {
                    continue
                } catch {
                    next += 1
                    return
                }
            }
        }
    }

    private static func titles(_ database: TestDatabase) async throws -> [Int] {
        try await database.all("chat_sessions").compactMap { $0["title"]?.string.flatMap { Int($0) } }.sorted()
    }

    @Test("loses and doubles nothing of what it kept")
    func watched() async throws {
        try await KillableServer.withDatabase { killable, database in
            try await database.load(
                "users", [["_id": .objectID(ObjectID(timestamp: 1)), "username": "a", "email": "a@example.com"]])
            let target = ["--uri", database.uri, "--database", database.name]
            var forgotten = 0
            var application = Application()
            let ended = try await Tool.start(["repair", "--watch", "--yes", "--settle", "0.5"] + target) { tool in
                try await tool.waitUntilPrinted("Mending")
                var generator = SplitMix64(seed: 7)
                for round in 0..<(Effort.isFull ? 60 : 6) {
                    application.acknowledged = []
                    let before = Set(try await Self.titles(database))
                    // What is there now is on the disk from now on.
                    try await database.load("rounds", [["_id": .int64(Int64(round))]])
                    let time = Duration.milliseconds(Int64(200 + generator.next() % 800))
                    var working = application
                    application = try await database.withClient { client in
                        async let killing: Void = {
                            try await Task.sleep(for: time)
                            try await killable.kill()
                        }()
                        await working.work(client, database)
                        try await killing
                        return working
                    }
                    try await killable.start()
                    try await waitUntil("everything has moved in round \(round)", within: .seconds(120)) {
                        let open = try await database.count("chat_sessions", ["_id": ["$not": ["$type": "objectId"]]])
                        return open == 0
                    }
                    let titles = try await Self.titles(database)
                    #expect(Set(titles).count == titles.count, "round \(round): something is there twice")
                    #expect(before.isSubset(of: titles), "round \(round): \(before.subtracting(titles)) are lost")
                    // The server begins again from a beginning of what it had done: so does what the application knows.
                    let kept = application.acknowledged.prefix { titles.contains($0) }
                    let later = application.acknowledged.dropFirst(kept.count).filter(titles.contains)
                    #expect(later.isEmpty, "round \(round): \(later) are there, and some before them aren't")
                    forgotten += application.acknowledged.count - kept.count
                }
                tool.send(SIGTERM)
                try await tool.waitUntilEnded()
            }
            #expect(ended.result.exitCode == 0, "\(ended.result)")
            // Else this test shows nothing.
            #expect(forgotten > 0)
            let check = try await Tool.run(["check", "--only", "id,ref,run"] + target)
            #expect(check.exitCode == 0, "\(check)")
            print("forgets: \(application.next) inserted, \(forgotten) forgotten")
        }
    }

    @Test("keeps what a run has said to be done")
    func done() async throws {
        try await KillableServer.withDatabase { killable, database in
            let target = ["--uri", database.uri, "--database", database.name]
            for round in 0..<(Effort.isFull ? 20 : 4) {
                let texts = (0..<50).map { ObjectID(timestamp: UInt32(1_000 * (round + 1) + $0)).hex }
                try await database.load(
                    "messages", texts.map { ["_id": .string($0), "content": .string($0), "deleted": true] })
                let result = try await Tool.run(["repair", "ids", "--yes"] + target)
                try await killable.kill()
                #expect(result.exitCode == 0, "\(result)")
                try await killable.start()
                let moved = try await database.all("messages").filter { texts.contains($0["content"]?.string ?? "") }
                #expect(moved.count == texts.count)
                #expect(moved.allSatisfy { $0["_id"]?.objectID != nil })
                let check = try await Tool.run(["check", "--only", "id,run"] + target)
                #expect(check.exitCode == 0, "\(check)")
            }
        }
    }
}
