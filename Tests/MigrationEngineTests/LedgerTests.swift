import BSON
import MongoDriver
import TestSupport
import Testing

@testable import Journal
@testable import MigrationEngine

@Suite("The ledger")
struct LedgerTests {
    private struct Step: Migration {
        let version: Int64 = 1
        let name = "one"
        let summary = ""
        func plan(_ database: Database) async throws -> StepPlan { StepPlan() }
        func up(_ context: StepContext) async throws {}
    }

    @Test("takes nothing from a run after another has begun the step, however late it comes")
    func late() async throws {
        try await withDatabase { database in
            try await withRun(on: database) { dead in
                let ledger = Ledger(database: dead.database, series: "s")
                let description = RunDescription(command: "test", arguments: [], toolVersion: "0")
                func begin(_ run: Run) async throws {
                    let row = try await ledger.rows()[1]
                    _ = try await ledger.begin(
                        Step(), .applying, after: row, run: run, description: description, ending: nil
                    )
                }
                try await begin(dead)
                try await ledger.save(["n": 1], 1, run: dead)
                try await withRun(on: database) { next in
                    try await begin(next)
                    try await ledger.save(["n": 2], 1, run: next)
                    await #expect(throws: EngineError.self) { try await ledger.save(["n": 3], 1, run: dead) }
                    await #expect(throws: EngineError.self) {
                        let end = Ledger.End(
                            version: 1, state: .applied, durationMS: 0, changes: [], leftovers: [], error: nil)
                        try await ledger.end(end, run: dead)
                    }
                    let row = try await ledger.rows()[1]
                    #expect(row?.state == .applying)
                    #expect(row?.attempt.checkpoint == ["n": 2])
                }
            }
        }
    }
}
