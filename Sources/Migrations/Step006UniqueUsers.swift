internal import Chat
internal import Consistency
internal import Journal
internal import MigrationEngine

/// Makes user names and emails unique. Refused before anything is touched while there are duplicates.
struct Step006UniqueUsers: Migration {
    let version: Int64 = 6
    let name = "unique-users"
    let summary = "Create unique indexes on users' names and emails"
    let checksum = SourceChecksums.of(#fileID)
    let formerChecksums: Set = ["f77f309f8a635955a4b74d5433ce1e2278c7d773c2cd1aa493a0891b4f375bac"]

    func plan(_ database: Database) async throws -> StepPlan { try await repair(database).plan() }

    func blockers(_ database: Database) async throws -> [String] { try await repair(database).blockers() }

    func up(_ context: StepContext) async throws { try await repair(context.database).apply(context.run) }

    private func repair(_ database: Database) -> IndexRepair {
        IndexRepair(database: database, schema: .chat, isUnique: true)
    }
}
