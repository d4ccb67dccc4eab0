import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// The n-th command fails in every way that a server or a network has.
@Suite("Failed at the n-th command", .serialized)
struct ErrorMatrixTests {
    /// A way to fail, and the commands that it is tried on.
    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let make: @Sendable (FailCommand) -> FailCommand

        var testDescription: String { name }
    }

    static let faults = [
        Fault(name: "the connection is closed") { $0.closingConnection() },
        Fault(name: "NotWritablePrimary") { $0.failing(code: 10107) },
        Fault(name: "InterruptedAtShutdown") { $0.failing(code: 11600) },
        Fault(name: "WriteConflict") { $0.failing(code: 112, labels: ["TransientTransactionError"]) },
        Fault(name: "the commit's result is unknown") {
            $0.failing(code: 50, labels: ["UnknownTransactionCommitResult"])
        },
        Fault(name: "the write isn't durable") { $0.failingWriteConcern() },
    ]

    @Test("the run goes on or the next one finishes it", arguments: faults, KillMatrixTests.topologies)
    func failed(fault: Fault, kind: TestServer.Kind) async throws {
        let server = try await TestServer.shared(kind)
        var points = 0
        for scenario in Scenario.all where Effort.isFull || scenario.name == "migrate up" {
            var point = Effort.isFull ? 0 : fault.name.utf8.count % 7
            var isThrough = false
            while !isThrough {
                try await server.withDatabase { database in
                    let stage = try await Stage(scenario, database)
                    isThrough = try await !Self.fail(stage, at: point, fault)
                    if isThrough { return }
                    points += 1
                    let problems = try await stage.finish()
                    #expect(problems == [], "\(scenario.name), \(kind), command \(point), \(fault.name)")
                }
                point = Effort.next(after: point, stride: 29)
            }
        }
        print("faults: \(fault.name) on \(kind): \(points) points")
        #expect(points > 0)
    }

    /// Lets the n-th command fail, once or a few times, until the tool has noticed.
    ///
    /// - Returns: Whether the tool got that far.
    private static func fail(_ stage: Stage, at point: Int, _ fault: Fault) async throws -> Bool {
        return try await stage.database.withFailPoint(fault.make(KillMatrixTests.writes), mode: .skip(Int32(point))) {
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
            return ended.value
        }
    }
}
