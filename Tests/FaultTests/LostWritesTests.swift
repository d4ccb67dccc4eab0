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

    private static func loadUser(_ database: TestDatabase) async throws {
        try await database.load(
            "users", [["_id": .objectID(ObjectID(timestamp: 1)), "username": "a", "email": "a@example.com"]])
    }

    /// How many documents have moved, as the runs' records tell, and as the journal does.
    private static func told(_ database: TestDatabase) async throws -> (records: Int, journal: Int) {
        let told = try await database.all("chat_admin.runs").flatMap { run in
            (run["changes"]?.array?.values ?? []).compactMap(\.document).filter { $0["code"] == "id.empty" }
        }
        let moved = try await database.count("chat_admin.journal", ["code": "id.empty", "state": "done"])
        return (told.reduce(0) { $0 + Int($1["changed"]?.integer ?? 0) }, moved)
    }

    @Test("loses and doubles nothing of what it kept")
    func watched() async throws {
        try await KillableServer.withDatabase { killable, database in
            try await Self.loadUser(database)
            let target = ["--uri", database.uri, "--database", database.name]
            var forgotten = 0
            var application = Application()
            let ended = try await Tool.start(["repair", "--watch", "--yes", "--settle", "0.5"] + target) { tool in
                try await tool.waitUntilPrinted("Mending")
                var generator = SplitMix64(seed: 7)
                let (least, most) = Effort.isFull ? (60, 60) : (6, 30)
                for round in 0..<most where round < least || forgotten == 0 {
                    application.acknowledged = []
                    let before = Set(try await Self.titles(database))
                    // What is there now is on the disk from now on.
                    try await database.load("rounds", [["_id": .int64(Int64(round))]])
                    let time = Duration.milliseconds(Int64(200 + generator.next() % 800))
                    var working = application
                    application = try await database.withClient { client in
                        async let killing: Void = {
                            try await Task.sleep(for: time)
                            // As on a machine that is halted: when it goes on, the server is another one.
                            if round % 2 == 1 { tool.send(SIGSTOP) }
                            try await killable.kill()
                        }()
                        await working.work(client, database)
                        try await killing
                        return working
                    }
                    try await killable.start()
                    tool.send(SIGCONT)
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
            // What the runs say of themselves is what the journal has.
            let (told, moved) = try await Self.told(database)
            #expect(told == moved)
            print("forgets: \(application.next) inserted, \(forgotten) forgotten")
        }
    }

    @Test("tells of no more than it kept where it was stopped in that moment")
    func stopped() async throws {
        try await KillableServer.withDatabase { killable, database in
            let target = ["--uri", database.uri, "--database", database.name]
            try await Self.loadUser(database)
            // A round whose process was ended by force leaves its lease to expire.
            let arguments = ["repair", "--watch", "--yes", "--settle", "0.5", "--wait", "60"] + target
            var forgotten = 0
            var rounds = 0
            while forgotten == 0, rounds < 30 {
                rounds += 1
                let ended = try await Tool.start(arguments) { tool in
                    try await tool.waitUntilPrinted("Mending")
                    var application = Application()
                    application.next = rounds * 1_000
                    let (before, working) = (try await Self.titles(database), application)
                    let inserted = try await database.withClient { client in
                        var application = working
                        async let killing: Void = {
                            try await waitUntil("something has moved") {
                                try await Self.titles(database).count > before.count + 5
                            }
                            tool.send(SIGTERM)
                            try await killable.kill()
                        }()
                        await application.work(client, database)
                        try await killing
                        return application.acknowledged
                    }
                    try await killable.start()
                    try await tool.waitUntilEnded()
                    forgotten += inserted.count - (try await Self.titles(database)).count + before.count
                }
                #expect([0, 69].contains(ended.result.exitCode), "\(ended.result)")
                let (told, moved) = try await Self.told(database)
                #expect(told <= moved, "\(ended.result)")
            }
            #expect(forgotten > 0)
            let last = try await Tool.run(["repair", "all", "--offline", "--yes", "--wait", "60"] + target)
            #expect([0, 1].contains(last.exitCode), "\(last)")
            print("stopped: \(forgotten) forgotten in \(rounds) rounds")
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

    @Test("is left where it has become a member of a replica set")
    func converted() async throws {
        try await KillableServer.withDatabase { killable, database in
            try await Self.loadUser(database)
            let target = ["--uri", database.uri, "--database", database.name]
            let ended = try await Tool.start(["repair", "--watch", "--yes", "--settle", "0.5"] + target) { tool in
                try await tool.waitUntilPrinted("Mending")
                var application = Application()
                async let working: Void = database.withClient { await application.work($0, database) }
                try await waitUntil("something has moved") { try await Self.titles(database).count > 5 }
                try await killable.kill()
                try await working
                try await killable.startAsReplicaSet()
                try await tool.waitUntilEnded()
            }
            #expect(ended.result.exitCode == 69, "\(ended.result)")
            #expect(ended.result.errors.contains("The server has become a member of a replica set"), "\(ended.result)")
            // It may not have been able to give the lease back.
            let again = try await Tool.run(["repair", "all", "--offline", "--yes", "--wait", "60"] + target)
            #expect(again.exitCode == 0, "\(again)")
        }
    }
}
