import BSON
import Foundation
import Journal
import MongoDriver
import Synchronization
import TestSupport
import Testing

/// The n-th command fails in every way that a server or a network has.
@Suite("Failed at the n-th command", .serialized)
struct ErrorMatrixTests {
    /// A way to fail, and the commands that it is tried on.
    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let commands: FailCommand
        let make: @Sendable (FailCommand) -> FailCommand

        init(_ name: String, _ commands: FailCommand, _ make: @escaping @Sendable (FailCommand) -> FailCommand) {
            self.name = name
            self.commands = commands
            self.make = make
        }

        var testDescription: String { name }
    }

    /// Everything the tool sends to look at the data.
    private static let reads = FailCommand("find", "aggregate", "getMore", "listCollections", "listIndexes", "count")

    static let faults = [
        Fault("the connection is closed at a write", KillMatrixTests.writes) { $0.closingConnection() },
        Fault("the connection is closed at a read", reads) { $0.closingConnection() },
        Fault("NotWritablePrimary", KillMatrixTests.writes) { $0.failing(code: 10107) },
        Fault("InterruptedAtShutdown", KillMatrixTests.writes) { $0.failing(code: 11600) },
        Fault("WriteConflict", KillMatrixTests.writes) {
            $0.failing(code: 112, labels: ["TransientTransactionError"])
        },
        Fault("the commit's result is unknown", KillMatrixTests.writes) {
            $0.failing(code: 50, labels: ["UnknownTransactionCommitResult"])
        },
        Fault("the write isn't durable", KillMatrixTests.writes) { $0.failingWriteConcern() },
    ]

    @Test("the run goes on or the next one finishes it", arguments: faults, KillMatrixTests.topologies)
    func failed(fault: Fault, kind: TestServer.Kind) async throws {
        // A repair that watches looks for ever: its reads have no end that a matrix could come to. Each of its points takes
        // many seconds.
        let watching = fault.commands.commands == Self.reads.commands ? [] : [Scenario.watching]
        let scenarios = (Scenario.all + watching).filter { scenario in
            (Effort.isFull || scenario.name == "migrate up")
                && Effort.includes("\(fault.name) on \(kind), \(scenario.name)")
        }
        guard !scenarios.isEmpty else { return }
        var points = 0
        let wentOn = Atomic(0)
        for scenario in scenarios {
            points += try await Matrix.forEachPoint(
                on: kind, from: fault.name.utf8.count % 7, stride: 37, isSample: scenario.name == Scenario.watching.name
            ) { database, point in
                let stage = try await Stage(scenario, database)
                guard let result = try await Self.fail(stage, at: point, fault) else { return false }
                if [0, 1].contains(result.exitCode) { wentOn.add(1, ordering: .relaxed) }
                let problems = try await stage.finish()
                #expect(problems == [], "\(scenario.name), \(kind), command \(point), \(fault.name)\n\(result)")
                return true
            }
        }
        print(
            "faults: \(fault.name) on \(kind): \(points) points, \(wentOn.load(ordering: .relaxed)) of which the run "
                + "itself got over")
        #expect(points > 0)
    }

    /// Lets the n-th command fail, once or a few times, until that has been noticed here.
    ///
    /// - Returns: How the tool ended; nil when it never got that far.
    private static func fail(_ stage: Stage, at point: Int, _ fault: Fault) async throws -> ToolResult? {
        return try await stage.database.withFailPoint(fault.make(fault.commands), mode: .skip(Int32(point))) {
            failPoint in
            let ended = try await Tool.start(stage.arguments) { tool in
                while tool.isRunning {
                    guard try await failPoint.isEntered() else { continue }
                    try await failPoint.off()
                    return true
                }
                return try await failPoint.isEntered()
            }
            try #require(ended.result.signal == nil, "\(ended.result)")
            return ended.value ? ended.result : nil
        }
    }
}
