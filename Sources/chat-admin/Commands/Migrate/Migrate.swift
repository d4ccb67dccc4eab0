internal import ArgumentParser

/// Versioned steps.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Apply versioned steps, revert them, and show where they stand.",
        subcommands: [
            MigratePlan.self, MigrateUp.self, MigrateDown.self, MigrateStatus.self, MigrateValidate.self,
            MigrateBaseline.self, MigrateMark.self, MigrateCreate.self, MigrateUnlock.self,
        ])
}
