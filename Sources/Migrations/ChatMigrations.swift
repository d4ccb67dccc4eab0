package import MigrationEngine

/// The versioned steps of the chat database. A new step is a file beside this one, and a line here.
package enum ChatMigrations {
    /// The name of the series in the ledger.
    package static let series = "chat"

    /// Every step, oldest first.
    package static let steps: [any Migration] = [
        Step001Guard(),
        Step002RepairIDs(),
        Step003RepairReferences(),
        Step004Indexes(),
        Step005Recount(),
        Step006UniqueUsers(),
    ]

    /// The step that counts, whose plan goes by the data as the steps before it find them.
    package static let recount = Step005Recount().version

    /// Applies the steps and reverts them.
    package static var runner: MigrationRunner { MigrationRunner(series: series, steps: steps) }
}
