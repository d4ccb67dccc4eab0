public import MigrationEngine

/// The versioned steps of the chat database. A new step is a file beside this one, and a line here.
public enum ChatMigrations {
    /// The name of the series in the ledger.
    public static let series = "chat"

    /// Every step, oldest first.
    public static let steps: [any Migration] = [
        Step001Guard(),
        Step002RepairIDs(),
        Step003RepairReferences(),
        Step004Indexes(),
        Step005Recount(),
        Step006UniqueUsers(),
    ]

    /// Applies the steps and takes them back.
    public static var runner: MigrationRunner { MigrationRunner(series: series, steps: steps) }
}
