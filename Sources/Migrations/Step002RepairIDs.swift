internal import Chat
internal import Consistency
internal import Journal
internal import MigrationEngine

/// Gives documents whose `_id` is empty, null or text an ObjectId; what refers to them follows.
struct Step002RepairIDs: Migration {
    let version: Int64 = 2
    let name = "repair-ids"
    let summary = "Give documents whose _id is empty, null or text an ObjectId; references follow"
    let checksum = SourceChecksums.of(#fileID)
    let formerChecksums: Set = ["5040d7a89347eea3eaed3dfff205a7863967e7de737d6ec6828e16126b28aa99"]
    let mends = ["id."]

    func plan(_ database: Database) async throws -> StepPlan { try await repair(database).plan() }

    func up(_ context: StepContext) async throws { try await repair(context.database).apply(context.run) }

    private func repair(_ database: Database) -> IdentityRepair { IdentityRepair(database: database, schema: .chat) }
}
