import BSON
import TestSupport
import Testing

/// Incidents of other sizes and mixtures, each with the truth that was recorded while it was made.
@Suite("Generated incidents")
struct GeneratedIncidentTests {
    /// Seed, sessions, messages, server. The largest come on each kind of server.
    static let incidents: [(UInt64, Int, Int, TestServer.Kind)] = [
        (1, 1, 0, .standalone), (2, 3, 40, .replicaSet), (3, 10, 100, .authenticated), (4, 40, 600, .standalone),
        (5, 40, 600, .replicaSet), (6, 60, 900, .standalone), (7, 80, 1_000, .replicaSet), (8, 100, 50, .standalone),
        (9, 120, 3_000, .replicaSet), (10, 200, 2_000, .authenticated), (11, 300, 6_000, .standalone),
        (12, 300, 6_000, .replicaSet), (13, 400, 12_000, .standalone), (14, 500, 5_000, .replicaSet),
        (15, 700, 10_000, .standalone), (16, 900, 9_000, .replicaSet), (17, 1_500, 20_000, .standalone),
        (18, 2_000, 40_000, .replicaSet), (19, 3_000, 60_000, .authenticated), (20, 5_000, 100_000, .standalone),
    ]

    @Test("come out right, and go back to what they were", arguments: incidents)
    func comesOutRight(seed: UInt64, sessions: Int, messages: Int, kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let incident = IncidentGenerator(seed: seed, sessions: sessions, messages: messages)
            try await database.load(incident.collections)
            let before = try await application(database)

            let check = try await Tool.run(["check"] + target(database) + ["--format", "json"])
            expectFindings(try check.json(), incident.truth.expectedFindings)

            let up = try await Tool.run(
                ["migrate", "up", "--offline", "--yes", "--to", "5"] + target(database) + ["--format", "json"])
            try #require(up.exitCode == 0 || up.exitCode == 1, "\(up)")
            let violations = try await incident.truth.verify(database)
            #expect(violations == [], "\(violations.count) violations")

            let after = try await Tool.run(["check"] + target(database) + ["--format", "json"])
            expectFindings(try after.json(), incident.truth.expectedLeftovers)
            let counters = try after.json().counts(of: "findings", "count").keys
            #expect(Set(counters).isDisjoint(with: ["count.wrong", "count.type", "last.wrong"]))

            let down = try await Tool.run(["migrate", "down", "--to", "0", "--yes"] + target(database))
            try #require(down.exitCode == 0, "\(down)")
            let restored = try await application(database)
            for name in TestDatabase.chatCollections {
                let differing = Set(before[name] ?? []).symmetricDifference(restored[name] ?? [])
                #expect(differing.isEmpty, "\(differing.count) documents of \(name) differ")
                #expect(before[name]?.count == restored[name]?.count)
            }
        }
    }
}
