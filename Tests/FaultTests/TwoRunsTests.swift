import BSON
import Foundation
import TestSupport
import Testing

/// A second run gets in while the first is at work: somebody dropped the lease, or the server's clock stepped.
@Suite("Two runs at once", .serialized)
struct TwoRunsTests {
    /// How the second run comes by the lease.
    enum Way: CaseIterable { case dropped, clockStepped }

    @Test("lose and double nothing", arguments: KillMatrixTests.topologies, Way.allCases)
    func twoRuns(kind: TestServer.Kind, way: Way) async throws {
        let start = way == .dropped ? 9 : 12
        let points = try await Matrix.forEachPoint(on: kind, from: start, stride: 11) { database, point in
            try await Self.play(database, point, way)
        }
        print("faults: two runs at once on \(kind), \(way): at \(points) points")
        #expect(points > 0)
    }

    /// Slows the first run down from its n-th write on, lets a second one in and get through, and judges when both are over.
    private static func play(_ database: TestDatabase, _ point: Int, _ way: Way) async throws -> Bool {
        try await database.loadIncident()
        let command = ["migrate", "up", "--offline", "--yes", "--database", database.name]
        let isReached = try await database.withFailPoint(
            KillMatrixTests.writes.blocking(milliseconds: 150), mode: .skip(Int32(point))
        ) { failPoint in
            let ended = try await Tool.start(command + ["--uri", database.uri]) { first -> Bool in
                let isReached = try await Self.wait(for: failPoint, or: first)
                guard isReached else { return false }
                try await Self.open(database, way)
                // Not slowed down: the fail point is about the first one's name.
                let second = try await Tool.run(
                    command + ["--uri", database.server.uri, "--wait", "60"], timeLimit: .seconds(180))
                #expect([0, 1].contains(second.exitCode), "write \(point), \(way): \(second)")
                return true
            }
            #expect([0, 1, 75].contains(ended.result.exitCode), "write \(point), \(way): \(ended.result)")
            return ended.value
        }
        guard isReached else { return false }
        try await Stage.expireLease(database)
        let last = try await Tool.run([
            "repair", "all", "--offline", "--yes", "--uri", database.uri, "--database", database.name,
        ])
        #expect([0, 1].contains(last.exitCode), "\(last)")
        #expect(try await IncidentTruth.fixture.verify(database) == [], "write \(point), \(way)")
        #expect(try await database.count("chat_admin.journal", ["open": true]) == 0, "write \(point), \(way)")
        return true
    }

    private static func wait(for failPoint: FailPoint, or tool: RunningTool) async throws -> Bool {
        while tool.isRunning { if try await failPoint.isEntered() { return true } }
        return false
    }

    private static func open(_ database: TestDatabase, _ way: Way) async throws {
        switch way {
        case .dropped: try await database.run(["drop": "chat_admin.lease"])
        case .clockStepped: try await Stage.expireLease(database)
        }
    }
}
