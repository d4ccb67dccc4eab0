import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// A primary that dies before the other members have what it acknowledged: the new one goes on without it.
@Suite("A primary that dies with what only it had", .serialized, .timeLimit(.minutes(10)))
struct ForgottenWritesTests {
    /// A command that writes many documents without waiting for the other members.
    struct Work: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let command: [String]
        /// A step's file, for `migrate up`.
        var step: String?
        /// How many documents there are at first.
        var loaded = 0
        /// What it makes or changes, and how many there are in the end.
        let collection: String
        let made: BSONDocument
        let total: Int
        /// The server's command that makes them, which the primary takes its time for; nil where it is slow enough.
        var slowed: String?
    }

    static let works = [
        Work(
            testDescription: "documents by ranges",
            command: ["seed", "--demo", "users=20,sessions=200,messages=60000", "--allow-here", "--yes"],
            collection: "messages", made: [:], total: 60_000, slowed: "insert"),
        Work(
            testDescription: "fields by statements", command: ["migrate", "up", "--yes"],
            step:
                #"[{"update": "things", "updates": [{"q": {"n": {"$gte": 0}}, "u": {"$set": {"made": true}}, "multi": true}]}]"#,
            loaded: 60_000, collection: "things", made: ["made": true], total: 60_000, slowed: "update"),
        Work(
            testDescription: "documents one by one", command: ["migrate", "up", "--yes"],
            step:
                #"[{"update": "things", "updates": [{"q": {"n": {"$gte": 0}}, "u": {"$inc": {"made": 1}}, "multi": true}]}]"#,
            loaded: 20_000, collection: "things", made: ["made": 1], total: 20_000),
    ]

    @Test("is noticed, and done again what it had done", arguments: works)
    func dies(work: Work) async throws {
        let set = try await TestReplicaSet.start()
        do {
            try await set.server.withDatabase { database in
                try await StepFolder.with(work.step.map { ["001_make.up.json": $0] } ?? [:]) { steps in
                    try await Self.play(work, set, database, work.step == nil ? [] : steps.arguments)
                }
            }
            try await set.stop()
        } catch {
            try? await set.stop()
            throw error
        }
    }

    @Test("is noticed, too, where it dies after the last of them")
    func diesAtTheEnd() async throws {
        let set = try await TestReplicaSet.start()
        do {
            try await set.server.withDatabase { database in
                let primary = try await set.primary()
                let others = (0..<3).filter { $0 != primary }
                // So that there is time between the entry of the journal, for which the others are needed, and the users.
                try await set.set(FailCommand("insert").blocking(milliseconds: 1_000), member: primary)
                let target = ["--uri", database.uri, "--database", database.name, "--allow-here", "--yes"]
                let ended = try await Tool.start(["seed"] + target + ["--format", "json"]) { tool in
                    let isOpen: BSONDocument = ["open": true]
                    try await waitUntil("the others have the entry") {
                        let first = try await set.count(database, "chat_admin.journal", isOpen, member: others[0])
                        let second = try await set.count(database, "chat_admin.journal", isOpen, member: others[1])
                        return first == 1 && second == 1
                    }
                    try await set.whileDeaf(others) {
                        try await waitUntil("the entry has ended where nobody hears of it") {
                            try await set.count(database, "chat_admin.journal", ["state": "done"], member: primary) == 1
                        }
                        let kept = try await set.count(database, "users", [:], member: others[0])
                        #expect(kept == 0)
                        try await set.killMember(primary)
                    }
                }
                #expect(ended.result.exitCode == 0, "\(ended.result)")
                try await #expect(database.count("users") == 2)
                try await #expect(database.count("chat_admin.journal", ["open": true]) == 0)
                let changes = try ended.result.json()["changes"]?.array?.values.compactMap(\.document) ?? []
                #expect(changes.reduce(0) { $0 + Int($1["changed"]?.integer ?? 0) } == 2, "\(ended.result)")
            }
            try await set.stop()
        } catch {
            try? await set.stop()
            throw error
        }
    }

    private static func play(
        _ work: Work, _ set: TestReplicaSet, _ database: TestDatabase, _ steps: [String]
    ) async throws {
        let target = ["--uri", database.uri, "--database", database.name]
        for start in stride(from: 0, to: work.loaded, by: 10_000) {
            let documents = (start..<min(start + 10_000, work.loaded)).map { number -> BSONDocument in
                ["_id": .objectID(ObjectID(timestamp: UInt32(number))), "n": .int64(Int64(number))]
            }
            try await database.load(work.collection, documents)
        }
        try await set.waitUntilHealthy()
        let primary = try await set.primary()
        let others = (0..<3).filter { $0 != primary }
        var forgotten = 0
        if let slowed = work.slowed {
            try await set.set(FailCommand(slowed).blocking(milliseconds: 100), member: primary)
        }
        let arguments = work.command + steps + target + ["--format", "json"]
        let ended = try await Tool.start(arguments) { tool in
            // Until it is caught between an entry of the journal and its end.
            while forgotten == 0 {
                let before = try await database.count(work.collection, work.made)
                try await waitUntil("it goes on") {
                    try await database.count(work.collection, work.made) > before
                }
                try #require(before < work.total)
                forgotten = try await forget(work, set, database, primary, others)
            }
        }
        print("forgets: \(work.testDescription): \(forgotten) that were acknowledged")
        #expect(ended.result.exitCode == 0, "\(ended.result)")
        try await #expect(database.count(work.collection, work.made) == work.total)
        try await #expect(database.count("chat_admin.journal", ["open": true]) == 0)
        // Each is told once, by whom it was made.
        let changes = try ended.result.json()["changes"]?.array?.values.compactMap(\.document) ?? []
        let told = changes.filter { $0["collection"] == .string(work.collection) }
        #expect(told.reduce(0) { $0 + Int($1["changed"]?.integer ?? 0) } == work.total, "\(ended.result)")
    }

    /// Lets the other members hear nothing more, and kills the primary once it has what they haven't.
    ///
    /// - Returns: How much that is; none where the command waits for the others, and the primary lives.
    private static func forget(
        _ work: Work, _ set: TestReplicaSet, _ database: TestDatabase, _ primary: Int, _ others: [Int]
    ) async throws -> Int {
        try await set.whileDeaf(others) {
            var forgotten = 0
            // Whatever was sent by then has come by then.
            let end = ContinuousClock.now + .seconds(1)
            while forgotten == 0, ContinuousClock.now < end {
                let acknowledged = try await set.count(database, work.collection, work.made, member: primary)
                var kept = 0
                for other in others {
                    kept = max(kept, try await set.count(database, work.collection, work.made, member: other))
                }
                forgotten = acknowledged - kept
            }
            if forgotten > 0 { try await set.killMember(primary) }
            return forgotten
        }
    }
}
