import BSON
import Foundation
import TestSupport
import Testing

/// A server that is stopped (`SIGSTOP`) doesn't answer, and its connections stay open.
@Suite("A server that stops answering", .serialized)
struct SilentServerTests {
    /// A command may take this long after its time is up, or after a signal; a busy machine needs more than a user's.
    private static let bound = Duration.seconds(5)

    private static let commands = [
        ["check"], ["migrate", "plan"], ["migrate", "status"], ["runs", "list"], ["repair", "all", "--yes"],
        ["migrate", "up", "--yes"], ["seed", "--allow-here", "--yes"],
    ]

    private static func withStoppedServer(_ body: (TestDatabase) async throws -> Void) async throws {
        let server = try await TestServer.start(.standalone)
        do {
            try await server.withDatabase { database in
                try await database.loadIncident()
                try await body(database)
                server.send(signal: SIGCONT)
            }
        } catch {
            server.send(signal: SIGCONT)
            try await server.stop()
            throw error
        }
        try await server.stop()
    }

    @Test("--max-time ends every command, with exit code 5")
    func maxTime() async throws {
        try await Self.withStoppedServer { database in
            for command in Self.commands {
                database.server.send(signal: SIGSTOP)
                let start = ContinuousClock.now
                let result = try await Tool.run(
                    command + ["--max-time", "1", "--uri", database.uri, "--database", database.name])
                #expect(result.exitCode == 5, "\(command): \(result)")
                #expect(ContinuousClock.now - start < .seconds(1) + Self.bound, "\(command)")
                database.server.send(signal: SIGCONT)
            }
        }
    }

    @Test(
        "in the middle of a command, a signal and --max-time end it, and the next run finishes",
        arguments: [SIGINT, SIGTERM, 0])
    func inTheMiddle(signal: Int32) async throws {
        try await Self.withStoppedServer { database in
            let target = ["--uri", database.uri, "--database", database.name]
            let limit = signal == 0 ? ["--max-time", "2s"] : []
            let block = KillMatrixTests.writes.blocking(milliseconds: 400)
            let ended = try await database.withFailPoint(block, mode: .skip(8)) { failPoint in
                try await Tool.start(["repair", "all", "--offline", "--yes"] + limit + target) { tool in
                    try await failPoint.waitUntilEntered()
                    database.server.send(signal: SIGSTOP)
                    let start = ContinuousClock.now
                    if signal != 0 { tool.send(signal) }
                    try await tool.waitUntilEnded()
                    database.server.send(signal: SIGCONT)
                    return ContinuousClock.now - start
                }
            }
            #expect(ended.result.exitCode == (signal == 0 ? 5 : 128 + signal), "\(ended.result)")
            #expect(ended.value < .seconds(2) + Self.bound)
            try await Stage.expireLease(database)
            let next = try await Tool.run(["repair", "all", "--offline", "--yes"] + target)
            #expect(next.exitCode == 1, "\(next)")
            #expect(try await IncidentTruth.fixture.verify(database) == [])
        }
    }

    @Test("--wait ends though nobody says who holds the lease")
    func wait() async throws {
        try await Self.withStoppedServer { database in
            let lease = FailCommand("findAndModify").blocking(milliseconds: 500)
            let ended = try await database.withFailPoint(lease) { failPoint in
                try await Tool.start(
                    ["repair", "all", "--yes", "--wait", "1", "--uri", database.uri, "--database", database.name]
                ) { tool in
                    try await failPoint.waitUntilEntered()
                    database.server.send(signal: SIGSTOP)
                    let start = ContinuousClock.now
                    try await tool.waitUntilEnded()
                    database.server.send(signal: SIGCONT)
                    return ContinuousClock.now - start
                }
            }
            #expect(ended.result.exitCode == 69, "\(ended.result)")
            #expect(ended.value < .seconds(1) + Self.bound)
        }
    }
}
