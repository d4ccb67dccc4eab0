import BSON
import Foundation
import TestSupport
import Testing

/// A second run gets in while the first is at work: somebody dropped the lease, or the server's clock stepped.
@Suite("Two runs at once", .serialized)
struct TwoRunsTests {
    /// How the second run comes by the lease.
    enum Way: CaseIterable { case dropped, clockStepped }

    /// Everything that moves, changes, counts or reverts; others are parts of these.
    private static let scenarios = Scenario.all.filter {
        ["migrate up", "runs undo", "migrate up steps"].contains($0.name)
    }

    @Test("lose and double nothing", arguments: scenarios, KillMatrixTests.topologies)
    func twoRuns(scenario: Scenario, kind: TestServer.Kind) async throws {
        guard Effort.includes("two runs of \(scenario.name) on \(kind)") else { return }
        for way in Way.allCases {
            let points = try await Matrix.forEachPoint(
                on: kind, from: way == .dropped ? 9 : 14, stride: 29
            ) { database, point in
                try await Self.play(scenario, database, point, way)
            }
            print("faults: two runs at once, \(scenario.name) on \(kind), \(way): at \(points) points")
            #expect(points > 0)
        }
    }

    @Test(
        "lose and double nothing where the second one undoes the first",
        arguments: scenarios.filter { $0.name.hasPrefix("migrate up") }, KillMatrixTests.topologies)
    func undone(scenario: Scenario, kind: TestServer.Kind) async throws {
        guard Effort.includes("undo of \(scenario.name) on \(kind)") else { return }
        let points = try await Matrix.forEachPoint(on: kind, from: 17, stride: 29) { database, point in
            try await Self.play(scenario, database, point, .dropped, isUndo: true)
        }
        print("faults: two runs at once, undo of \(scenario.name) on \(kind): at \(points) points")
        #expect(points > 0)
    }

    /// Slows the first run down from its n-th write on, lets a second one in and get through, and judges when both are over.
    ///
    /// - Parameter isUndo: Whether the second one undoes the first; else it is the same command.
    private static func play(
        _ scenario: Scenario, _ database: TestDatabase, _ point: Int, _ way: Way, isUndo: Bool = false
    ) async throws -> Bool {
        let stage = try await Stage(scenario, database)
        let place = "\(scenario.name), write \(point), \(way)\(isUndo ? ", undone" : "")"
        let isReached = try await database.withFailPoint(
            scenario.writes.blocking(milliseconds: 150), mode: .skip(Int32(point))
        ) { failPoint in
            let ended = try await Tool.start(stage.arguments) { first -> Bool in
                guard try await Self.wait(for: failPoint, or: first) else { return false }
                try await Self.open(database, way)
                // Not slowed down: the fail point is about the first one's name.
                let other = ["--uri", database.server.uri, "--database", database.name, "--wait", "60"]
                var command = stage.command
                if isUndo {
                    // Before it has a record there is nothing to undo.
                    guard let run = try await Stage.runs(database).first else { return true }
                    command = ["runs", "undo", run, "--yes"]
                }
                let second = try await Tool.run(command + other, timeLimit: .seconds(180))
                // A run that found its lease gone before it had done anything takes its record away.
                let isGone = isUndo && second.exitCode == 64 && second.errors.contains("There is no run")
                #expect([0, 1].contains(second.exitCode) || isGone, "\(place): \(second)")
                return true
            }
            // Whoever finds another one in its place stops: between two steps, or in one.
            #expect([0, 1, 3, 75].contains(ended.result.exitCode), "\(place): \(ended.result)")
            return ended.value
        }
        guard isReached else { return false }
        if isUndo { try await stage.finishReverting() }
        let problems = try await stage.finish()
        #expect(problems == [], "\(place)")
        return true
    }

    private static func wait(for failPoint: FailPoint, or tool: RunningTool) async throws -> Bool {
        while tool.isRunning { if try await failPoint.isEntered() { return true } }
        return false
    }

    private static func open(_ database: TestDatabase, _ way: Way) async throws {
        switch way {
        // Early, there may be none yet.
        case .dropped: try await database.run(["delete": "chat_admin.lease", "deletes": [["q": [:], "limit": 0]]])
        case .clockStepped: try await Stage.expireLease(database)
        }
    }
}
