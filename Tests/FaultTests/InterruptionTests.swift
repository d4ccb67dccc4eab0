import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// Ctrl-C and SIGTERM: real signals, sent while the tool waits for the answer to a write.
@Suite("Interrupted")
struct InterruptionTests {
    @Test(
        "the first signal ends it at a batch boundary, and the next run finishes it",
        arguments: KillMatrixTests.topologies, [SIGINT, SIGTERM])
    func first(kind: TestServer.Kind, signal: Int32) async throws {
        let scenario = try #require(Scenario.all.first { $0.name == "migrate up" })
        let points = try await Matrix.forEachPoint(on: kind, from: Int(signal) % 7, stride: 23) { database, point in
            let stage = try await Stage(scenario, database)
            let ended = try await Self.interrupt(stage, at: point, signal)
            guard ended.wasSent else { return false }
            // At the last writes of all there is no boundary left to stop at.
            #expect([128 + signal, 1].contains(ended.result.exitCode), "write \(point): \(ended.result)")
            #expect(try await database.count("chat_admin.lease", ["released": false]) == 0, "write \(point)")
            #expect(try await stage.finish() == [], "write \(point)")
            return true
        }
        print("faults: signal \(signal) on \(kind) at \(points) points")
        #expect(points > 0)
    }

    @Test("a second one ends it at once, and the next run finishes it", arguments: KillMatrixTests.topologies)
    func second(kind: TestServer.Kind) async throws {
        let scenario = try #require(Scenario.all.first { $0.name == "repair ids" })
        let points = try await Matrix.forEachPoint(on: kind, from: 6, stride: 100) { database, point in
            let stage = try await Stage(scenario, database)
            let ended = try await database.withFailPoint(
                KillMatrixTests.writes.blocking(milliseconds: 3_000), mode: .skip(Int32(point))
            ) { failPoint in
                try await Tool.start(stage.arguments) { tool in
                    while tool.isRunning, try await !failPoint.isEntered() {}
                    guard tool.isRunning else { return false }
                    tool.send(SIGINT)
                    try await tool.waitUntilPrinted("once more stops at once")
                    tool.send(SIGINT)
                    try await tool.waitUntilEnded(within: .seconds(2))
                    return true
                }
            }
            guard ended.value else { return false }
            #expect(ended.result.exitCode == 130, "write \(point): \(ended.result)")
            try await Operations.waitUntilNone(of: database)
            if kind == .replicaSet { try await Operations.endTransactions(on: database.server) }
            #expect(try await stage.finish() == [], "write \(point)")
            return true
        }
        #expect(points > 0)
    }

    private static func interrupt(
        _ stage: Stage, at point: Int, _ signal: Int32
    ) async throws -> (result: ToolResult, wasSent: Bool) {
        try await stage.database.withFailPoint(
            KillMatrixTests.writes.blocking(milliseconds: 300), mode: .skip(Int32(point))
        ) { failPoint in
            let ended = try await Tool.start(stage.arguments) { tool in
                while tool.isRunning, try await !failPoint.isEntered() {}
                guard tool.isRunning else { return false }
                tool.send(signal)
                try await failPoint.off()
                return true
            }
            return (ended.result, ended.value)
        }
    }
}
