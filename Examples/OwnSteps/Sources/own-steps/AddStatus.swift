import BSON
import MigrationEngine

/// Gives every customer a status.
struct AddStatus: Migration {
    let version: Int64 = 1
    let name = "add-status"
    let summary = "Give every customer a status"
    let checksum = SourceChecksums.of(#fileID)

    func plan(_ database: Database) async throws -> StepPlan { StepPlan() }

    func up(_ context: StepContext) async throws {
        for customer in try await context.database.findAll("customers", filter: ["status": ["$exists": false]]) {
            let change = FieldChange(id: customer["_id"] ?? .null, before: [:], after: ["status": "active"])
            try await context.run.apply([change], in: "customers", code: "status")
        }
    }

    func postconditions(_ database: Database) async throws -> [String] {
        let rest = try await database.findAll(
            "customers", filter: ["status": ["$exists": false]], options: ["limit": 1])
        return rest.isEmpty ? [] : ["every customer has a status"]
    }
}
