import BSON
import Journal
import MigrationEngine

/// Gives every customer a status.
struct AddStatus: Migration {
    let version: Int64 = 1
    let name = "add-status"
    let summary = "Give every customer a status"
    let checksum = SourceChecksums.of(#fileID)

    func plan(_ database: Database) async throws -> StepPlan { StepPlan() }

    func up(_ context: StepContext) async throws {
        let customers = try await context.database.findAll(
            "customers", filter: ["status": ["$exists": false]], options: ["projection": ["_id": 1]])
        let changes = customers.map { FieldChange(id: $0["_id"] ?? .null, before: [:], after: ["status": "active"]) }
        try await context.run.apply(changes, in: "customers", code: "status")
    }

    func postconditions(_ database: Database) async throws -> [String] {
        let rest = try await database.findAll(
            "customers", filter: ["status": ["$exists": false]], options: ["limit": 1])
        return rest.isEmpty ? [] : ["every customer has a status"]
    }
}
