internal import Chat
internal import Consistency
internal import Journal
internal import MigrationEngine

/// Sets every session's message count to the number of its messages.
struct Step005Recount: Migration {
    let version: Int64 = 5
    let name = "recount"
    let summary = "Set every session's message count and time of the last message"
    let checksum = SourceChecksums.of(#fileID)
    let formerChecksums: Set = ["e10d52fa9032b629aca017865fa26e3c6e5962e370c45767f4ba317f38d9240a"]
    let mends = ["count.", "last."]

    func plan(_ database: Database) async throws -> StepPlan { try await repair(database).plan() }

    func prepare(_ context: StepContext) async throws {
        try await CounterSafeguard(database: context.database, schema: .chat).note(context.run, context.settings)
    }

    func up(_ context: StepContext) async throws {
        try await repair(context.database).apply(context.run, context.settings)
    }

    private func repair(_ database: Database) -> CounterRepair { CounterRepair(database: database, schema: .chat) }
}
