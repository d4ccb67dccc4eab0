internal import Chat
internal import Consistency
internal import Journal
internal import MigrationEngine

/// Makes references that are text ObjectIds again.
struct Step003RepairReferences: Migration {
    let version: Int64 = 3
    let name = "repair-references"
    let summary = "Make references that are text ObjectIds, where what they name exists"
    let checksum = SourceChecksums.of(#fileID)
    let formerChecksums: Set = ["7e640706f783d9239af9c805f08870f40c865b81c4f065784ce5c226c3c6ba8b"]
    let mends = ["ref."]

    func plan(_ database: Database) async throws -> StepPlan { try await repair(database).plan() }

    func up(_ context: StepContext) async throws {
        try await repair(context.database).apply(context.run, context.settings)
    }

    private func repair(_ database: Database) -> FieldRepair {
        FieldRepair(database: database, schema: .chat, [.references])
    }
}
