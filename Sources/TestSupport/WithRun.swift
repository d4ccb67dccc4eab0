package import Journal
internal import MongoDriver

/// A run on a test's database, without a lease.
package func withRun<R: Sendable>(
    on database: TestDatabase, interruption: Interruption = Interruption(), offline: Bool = false,
    progress: @escaping ProgressReport = { _ in }, _ body: (Run) async throws -> R
) async throws -> R {
    try await database.withClient { client in
        let run = Run(
            database: Database(client: client, name: database.name, server: try await client.describeServer()),
            description: RunDescription(command: "test", arguments: [], toolVersion: "0"), lease: nil,
            interruption: interruption, offline: offline, progress: progress)
        let result = try await body(run)
        try await run.makeDurable()
        try await run.record.finish(run)
        return result
    }
}
