internal import Journal

/// What would help with what a check finds and a repair leaves.
package enum RepairAdvice: Advice, Hashable {
    /// Apply the steps that make it.
    case migrate
    /// Seed: the users that are known are completed.
    case seedCompletes
    /// Give the documents ObjectIds.
    case repairIDs
    /// Count once more.
    case repairCounts

    /// The advice as a clause.
    package var words: String {
        switch self {
        case .migrate: "a migration's step makes it"
        case .seedCompletes: "seeding completes the users that it knows"
        case .repairIDs: "repairing the _ids mends that"
        case .repairCounts: "counting once more tries again"
        }
    }
}
