/// Where a step stands.
public enum StepState: String, Sendable, Codable {
    /// Never applied, or the ledger doesn't know it.
    case pending
    /// Being applied, or killed while it was.
    case applying
    /// Applied.
    case applied
    /// Stopped by an error.
    case failed
    /// Being reverted, or killed while it was.
    case reverting
    /// Reverted.
    case reverted
}
