internal import Chat
internal import Consistency
internal import Journal
internal import MigrationEngine

/// Keeps an `_id` that isn't an ObjectId out of every collection. First, so that nothing new breaks while the rest is
/// mended.
struct Step001Guard: Migration {
    let version: Int64 = 1
    let name = "guard"
    let summary = "Add a validator that keeps an _id that isn't an ObjectId out"
    let checksum = SourceChecksums.of(#fileID)
    let formerChecksums: Set = ["9e15aafe39666be4ef68f9f7202026a5f3f6313fb443a72b5ff304556a78068f"]

    func plan(_ database: Database) async throws -> StepPlan { try await repair(database).plan() }

    func up(_ context: StepContext) async throws { try await repair(context.database).apply(context.run) }

    private func repair(_ database: Database) -> GuardRepair { GuardRepair(database: database, schema: .chat) }
}
