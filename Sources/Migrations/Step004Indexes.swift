internal import Chat
internal import Consistency
internal import Journal
internal import MigrationEngine

/// Creates the indexes that the application and this tool read by.
struct Step004Indexes: Migration {
    let version: Int64 = 4
    let name = "indexes"
    let summary = "Create the indexes that sessions, messages and artifacts are read by"
    let checksum = SourceChecksums.of(#fileID)
    let formerChecksums: Set = ["bd558889ff006301cc7d3ae2854acc3927a24dc987d45453b5a1e4af9e31a3ef"]

    func plan(_ database: Database) async throws -> StepPlan { try await repair(database).plan() }

    func blockers(_ database: Database) async throws -> [String] { try await repair(database).blockers() }

    func up(_ context: StepContext) async throws { try await repair(context.database).apply(context.run) }

    private func repair(_ database: Database) -> IndexRepair {
        IndexRepair(database: database, schema: .chat, isUnique: false)
    }
}
