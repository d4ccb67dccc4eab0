import BSON
import TestSupport
import Testing

/// A recorded check writes twice: it takes old records out, and puts its own in.
@Suite("Recorded checks killed at the n-th write", .serialized)
struct RecordKillTests {
    @Test(
        "leave the records whole, and the next check is compared with one of them",
        arguments: KillMatrixTests.topologies)
    func killed(kind: TestServer.Kind) async throws {
        for fate in KillMatrixTests.Fate.allCases {
            let reached = try await Matrix.forEachPoint(on: kind, from: 0, stride: 1) { database, point in
                try await database.loadIncident()
                let target = ["--uri", database.uri, "--database", database.name]
                let check = ["check", "--record", "--fail-on", "new"] + target
                #expect(try await Tool.run(check).exitCode == 0)
                guard try await KillMatrixTests.kill(check, on: database, at: point, fate) else { return false }
                let next = try await Tool.run(check + ["--format", "json"])
                #expect(next.exitCode == 0, "write \(point), \(fate): \(next)")
                let new = try next.json()["findings"]?.array?.values.compactMap { $0.document?["new"]?.integer } ?? []
                #expect(!new.isEmpty && new.allSatisfy { $0 == 0 }, "write \(point), \(fate): \(next)")
                let records = try await database.all("chat_admin.checks").compactMap { $0["number"]?.integer }
                #expect(records.sorted() == (1...Int64(records.count)).map { $0 }, "write \(point), \(fate)")
                return true
            }
            print("faults: check --record on \(kind), \(fate): killed at \(reached) points")
            #expect(reached == 2)
        }
    }
}
