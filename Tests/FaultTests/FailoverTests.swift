import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// A replica set of three loses its primary in the middle of a repair.
@Suite("Failover", .serialized)
struct FailoverTests {
    enum Loss: String, CaseIterable, Sendable { case killed, steppedDown }

    private static let sessions = Effort.isFull ? 2_500 : 500
    private static let messages = Effort.isFull ? 50_000 : 10_000

    @Test("the run goes on or the next one finishes it; nothing is lost", arguments: Loss.allCases)
    func loses(loss: Loss) async throws {
        let set = try await TestReplicaSet.start()
        do {
            try await Self.rounds(set, loss)
            try await set.stop()
        } catch {
            try? await set.stop()
            throw error
        }
    }

    private static func rounds(_ set: TestReplicaSet, _ loss: Loss) async throws {
        let incident = IncidentGenerator(seed: 50, sessions: sessions, messages: messages)
        var random = SplitMix64(seed: loss == .killed ? 1 : 2)
        let length = try await undisturbed(set, incident)
        var ended: [Int32] = []
        for round in 0..<(Effort.isFull ? 20 : 1) {
            let delay = length * Double(random.next() % 1_000) / 1_000
            try await set.server.withDatabase { database in
                try await load(incident, set, database)
                let result = try await Tool.start(repair + target(database)) { tool in
                    // A random moment is what is wanted here, not a condition.
                    try await Task.sleep(for: delay)
                    try await lose(set, loss)
                }.result
                ended.append(result.exitCode ?? -1)
                try await set.waitUntilHealthy()
                if ![0, 1].contains(result.exitCode) {
                    let next = try await Tool.run(repair + target(database))
                    try #require([0, 1].contains(next.exitCode), "round \(round)\n\(result)\n\(next)")
                }
                let problems = try await incident.truth.verify(database, fields: true)
                #expect(problems == [], "round \(round), after \(delay): \(problems.count) problems\n\(result)")
                #expect(try await database.count("chat_admin.journal", ["open": true]) == 0)
            }
        }
        let wentOn = ended.filter { $0 == 0 || $0 == 1 }.count
        print("faults: primary \(loss.rawValue) \(ended.count) times: \(wentOn) runs went on, exit codes \(ended)")
    }

    /// How long the repair takes when nothing happens.
    private static func undisturbed(_ set: TestReplicaSet, _ incident: IncidentGenerator) async throws -> Duration {
        try await set.server.withDatabase { database in
            try await load(incident, set, database)
            let start = ContinuousClock.now
            let result = try await Tool.run(repair + target(database))
            try #require([0, 1].contains(result.exitCode), "\(result)")
            return ContinuousClock.now - start
        }
    }

    private static func load(
        _ incident: IncidentGenerator, _ set: TestReplicaSet, _ database: TestDatabase
    ) async throws {
        try await database.load(incident.collections)
        try await set.waitUntilHealthy()
    }

    private static func lose(_ set: TestReplicaSet, _ loss: Loss) async throws {
        switch loss {
        case .killed:
            let primary = try await set.primary()
            try await set.killMember(primary)
            try await set.startMember(primary)
        case .steppedDown: try await set.stepDown()
        }
    }

    private static let repair = ["repair", "all", "--offline", "--yes", "--wait", "60"]

    private static func target(_ database: TestDatabase) -> [String] {
        ["--uri", database.uri, "--database", database.name]
    }
}
