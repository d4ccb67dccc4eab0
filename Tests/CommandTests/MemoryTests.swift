import BSON
import TestSupport
import Testing

@Suite("Memory")
struct MemoryTests {
    private static let session = ObjectID(timestamp: 1_700_000_000)
    private static let messages = 100_000
    /// In bytes: 64 MB is the goal, and a build for debugging has some more of its own. With a whole reply of 16 MB, or all
    /// changes of references, in memory it would be 100 to 130 MB.
    private static let most = 80 << 20

    @Test("is bounded however many references follow one document", .timeLimit(.minutes(5)))
    func manyReferences() async throws {
        try await withDatabase { database in
            try await Self.load(database)
            let repaired = try await Self.peak(["repair", "ids", "--yes"], database)
            let run = try #require(
                try await database.all("chat_admin.runs").first?["_id"]?.objectID?.hex)
            let undone = try await Self.peak(["runs", "undo", run, "--yes"], database)
            #expect(try await database.count("messages", ["session_id": .string(Self.session.hex)]) == Self.messages)
            #expect(max(repaired, undone) < Self.most, "repair \(repaired >> 20) MB, undo \(undone >> 20) MB")
        }
    }

    @Test(
        "is bounded however large a collection is that a step in a file changes",
        arguments: [
            #"[{"update": "c", "updates": [{"q": {"n": {"$gte": 0}}, "u": {"$inc": {"n": 1}}, "multi": true}]}]"#,
            #"[{"aggregate": "c", "pipeline": [{"$set": {"m": {"$add": ["$n", 1]}}}, {"$out": "c"}], "cursor": {}}]"#,
            #"[{"drop": "c"}]"#,
        ])
    func steps(step: String) async throws {
        try await withDatabase { database in
            let text = BSONValue.string(String(repeating: "what was said ", count: 7_000))
            for start in stride(from: 0, to: 300, by: 50) {
                try await database.load(
                    "c", (start..<start + 50).map { ["_id": .int32(Int32($0)), "n": 1, "text": text] })
            }
            let before = try await database.run(["dbHash": 1, "collections": ["c"]])["md5"]
            try await StepFolder.with(["001_step.up.json": step]) { folder in
                let up = ["migrate", "up", "--yes", "--allow-dangerous"] + folder.arguments
                let applied = try await Self.peak(up, database)
                let reverted = try await Self.peak(["migrate", "down", "--yes"] + folder.arguments, database)
                #expect(try await database.run(["dbHash": 1, "collections": ["c"]])["md5"] == before)
                #expect(max(applied, reverted) < Self.most, "up \(applied >> 20) MB, down \(reverted >> 20) MB")
            }
        }
    }

    private static func load(_ database: TestDatabase) async throws {
        try await database.load("chat_sessions", [["_id": .string(session.hex), "message_count": 0]])
        for start in stride(from: 0, to: messages, by: 10_000) {
            try await database.load(
                "messages",
                (start..<start + 10_000).map {
                    [
                        "_id": .objectID(ObjectID(timestamp: UInt32($0))), "session_id": .string(session.hex),
                        "deleted": false,
                    ]
                })
        }
    }

    /// The most memory that the tool has had at once, in bytes.
    private static func peak(_ command: [String], _ database: TestDatabase) async throws -> Int {
        let ended = try await Tool.start(command + target(database), timeLimit: .seconds(240)) { tool in
            var peak = 0
            while tool.isRunning {
                peak = max(peak, tool.peakMemory ?? 0)
                try await Task.sleep(for: .milliseconds(5))
            }
            return peak
        }
        #expect([0, 1].contains(ended.result.exitCode), "\(ended.result)")
        return ended.value
    }
}
