import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// A run waits when it is asked to, and while members of a replica set lag behind.
@Suite("Waiting between batches")
struct PauseTests {
    private static let sessions = 30_000

    /// Sessions with wrong counts: more than one batch of them.
    private static func load(_ database: TestDatabase) async throws {
        try await database.load(
            "chat_sessions",
            (0..<sessions).map { _ in ["_id": .objectID(FreshID.make()), "title": "t", "message_count": 5] })
        // Not one at all would look like half a restore.
        try await database.load(
            "messages", [["_id": .objectID(FreshID.make()), "session_id": .objectID(FreshID.make())]])
    }

    private static func repair(_ database: TestDatabase) -> [String] {
        [
            "repair", "counts", "--offline", "--yes", "--workers", "1", "--uri", database.uri, "--database",
            database.name,
        ]
    }

    /// Slows every change down, so that there is time to ask for a pause long before the last, and hands over when the
    /// first is on its way.
    private static func whileItChanges<R: Sendable>(
        _ database: TestDatabase, _ body: @escaping @Sendable (RunningTool, FailPoint) async throws -> R
    ) async throws -> (result: ToolResult, value: R) {
        try await database.withFailPoint(FailCommand("update").blocking(milliseconds: 700)) { failPoint in
            try await Tool.start(repair(database)) { tool in
                try await failPoint.waitUntilEntered()
                return try await body(tool, failPoint)
            }
        }
    }

    private static func entries(_ database: TestDatabase) async throws -> Int {
        try await database.count("chat_admin.journal", ["state": "done"])
    }

    @Test("SIGUSR1 pauses it with its lease held, SIGUSR2 lets it go on")
    func signals() async throws {
        try await ServerFleet.shared.withServer(.standalone) { server in
            try await server.withDatabase { database in
                try await Self.load(database)
                let ended = try await Self.whileItChanges(database) { tool, failPoint in
                    tool.send(SIGUSR1)
                    try await tool.waitUntilPrinted("Pausing at the next batch boundary")
                    try await Self.expectStandstill(database, tool)
                    try await failPoint.off()
                    tool.send(SIGUSR2)
                }
                #expect(ended.result.exitCode == 0, "\(ended.result)")
                #expect(try await database.count("chat_sessions", ["message_count": 0]) == Self.sessions)
            }
        }
    }

    @Test("`runs pause` and `runs resume` do the same from elsewhere")
    func record() async throws {
        try await ServerFleet.shared.withServer(.standalone) { server in
            try await server.withDatabase { database in
                try await Self.load(database)
                let target = ["--uri", server.uri, "--database", database.name]
                let ended = try await Self.whileItChanges(database) { tool, failPoint in
                    let run = try await database.one("chat_admin.runs", [:])["_id"]?.objectID?.hex ?? ""
                    let pause = try await Tool.run(["runs", "pause", run] + target)
                    #expect(pause.exitCode == 0, "\(pause)")
                    try await Self.expectStandstill(database, tool)
                    try await failPoint.off()
                    let resume = try await Tool.run(["runs", "resume", run, "--format", "json"] + target)
                    #expect(try resume.json().value(at: "paused")?.bool == false)
                }
                #expect(ended.result.exitCode == 0, "\(ended.result)")
                let run = try await database.one("chat_admin.runs", [:])["_id"]?.objectID?.hex ?? ""
                let late = try await Tool.run(["runs", "pause", run] + target)
                #expect(late.exitCode == 4 && late.errors.contains("isn't at work"), "\(late)")
            }
        }
    }

    @Test("with --max-lag it waits for a member that lags behind")
    func lag() async throws {
        let set = try await TestReplicaSet.start()
        do {
            try await set.server.withDatabase { database in
                try await Self.load(database)
                try await set.waitUntilHealthy()
                let secondary = try await (set.primary() + 1) % 3
                try await set.setLagging(true, member: secondary)
                try await waitUntil("the member lags", every: .milliseconds(200)) {
                    try await database.load("other", [["_id": .objectID(FreshID.make())]])
                    return try await set.lag() > .seconds(2)
                }
                let ended = try await Tool.start(Self.repair(database) + ["--max-lag", "1"]) { tool in
                    try await waitUntil("the lease is taken") {
                        try await database.count("chat_admin.lease", ["released": false]) == 1
                    }
                    try await Self.expectStandstill(database, tool)
                    try await set.setLagging(false, member: secondary)
                }
                #expect(ended.result.exitCode == 0, "\(ended.result)")
                #expect(try await database.count("chat_sessions", ["message_count": 0]) == Self.sessions)
            }
            try await set.stop()
        } catch {
            try? await set.stop()
            throw error
        }
    }

    /// Nothing is done for two seconds, though not everything is done, and the tool is there.
    private static func expectStandstill(_ database: TestDatabase, _ tool: RunningTool) async throws {
        var before = -1
        try await waitUntil("a standstill", within: .seconds(30), every: .seconds(2)) {
            let now = try await entries(database)
            defer { before = now }
            return now == before
        }
        #expect(tool.isRunning)
        #expect(try await database.count("chat_sessions", ["message_count": 0]) < sessions)
        #expect(try await database.count("chat_admin.lease", ["$expr": ["$gt": ["$expiresAt", "$$NOW"]]]) == 1)
    }
}
