internal import Chat
internal import Consistency
internal import MigrationEngine

/// Makes references that are text ObjectIds again.
struct Step003RepairReferences: Migration {
    let version: Int64 = 3
    let name = "repair-references"
    let summary = "Make references that are text ObjectIds, where what they name exists"
    let checksum = SourceChecksums.of(#fileID)
    let mends = ["ref."]

    func plan(_ database: Database) async throws -> StepPlan { try await repair(database).plan() }

    func up(_ context: StepContext) async throws {
        try await repair(context.database).apply(context.run, context.settings)
    }

    private func repair(_ database: Database) -> ReferenceRepair { ReferenceRepair(database: database, schema: .chat) }
}
