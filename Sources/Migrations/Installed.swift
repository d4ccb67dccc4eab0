package import Journal
internal import MigrationEngine

/// What a step makes that is to stand from then on, by the step's version: somebody may drop it.
package enum Installed: Int64, CaseIterable, Sendable {
    /// The guards of the collections.
    case guards = 1
    /// The indexes that are read by.
    case indexes = 4
    /// The indexes that keep users' names and emails unique.
    case uniqueIndexes = 6

    /// What the applied steps have made: where it isn't there, it got lost.
    ///
    /// - Throws: `StateError` where the ledger can't be read; `MongoError`.
    package static func made(in database: Database) async throws -> Set<Installed> {
        let status = try await ChatMigrations.runner.status(database)
        return Set(status.filter { $0.state == .applied }.compactMap { Installed(rawValue: $0.version) })
    }
}
