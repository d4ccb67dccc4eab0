/// What can be wrong between the steps and the ledger.
public enum StepProblem: String, Sendable, Codable {
    /// The step was applied from another source than the one that is here.
    case edited
    /// The ledger has the step applied, and nobody knows it here.
    case missing
    /// The step is pending, and a newer one is applied.
    case outOfOrder = "out-of-order"
}
