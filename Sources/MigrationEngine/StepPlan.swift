/// How much an operation of a step can harm.
public enum Risk: String, Sendable, Codable {
    /// Adds or loosens; loses nothing.
    case safe
    /// Changes data, journalled, or may make other writes fail.
    case careful
    /// Can lose data.
    case dangerous
}

/// How the server finds what an operation touches.
public enum Access: String, Sendable, Codable {
    /// By an index, reading about what it touches.
    case index
    /// By reading the whole collection.
    case scan
}

/// One thing that a step would do.
public struct PlannedOperation: Sendable, Codable {
    /// What is mended or made, as a result's `changes` call it.
    public let code: String
    /// The collection it touches.
    public let collection: String
    /// What it does, in a few words.
    public let operation: String
    /// How many documents (or indexes, or validators) it would touch.
    public let matched: Int
    /// How the server finds them.
    public let access: Access
    /// How much it can harm.
    public let risk: Risk
    /// What to know before running it.
    public let warnings: [String]

    /// Describes an operation.
    public init(
        code: String, collection: String, operation: String, matched: Int, access: Access, risk: Risk,
        warnings: [String] = []
    ) {
        self.code = code
        self.collection = collection
        self.operation = operation
        self.matched = matched
        self.access = access
        self.risk = risk
        self.warnings = warnings
    }
}

/// What a step would do to the data as it is.
public struct StepPlan: Sendable {
    /// What it would do, in order; empty when there is nothing to do.
    public var operations: [PlannedOperation]
    /// What it would leave, and why.
    public var leftovers: [Leftover]

    /// Makes a plan.
    public init(operations: [PlannedOperation] = [], leftovers: [Leftover] = []) {
        self.operations = operations
        self.leftovers = leftovers
    }

    /// How many documents it would touch in all.
    public var matched: Int { operations.reduce(0) { $0 + $1.matched } }
}
