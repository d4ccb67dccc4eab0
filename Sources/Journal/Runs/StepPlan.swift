public import BSON

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
public struct PlannedOperation: Sendable {
    /// What is mended or made, as a result's `changes` call it.
    public let code: String
    /// The collection it touches.
    public let collection: String
    /// The field it touches, where it is about one.
    public let field: String?
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
    /// At most five of the documents, by what identifies them.
    public let samples: [BSONDocument]
    /// About how long it would take, in milliseconds; nil where only the whole step is estimated.
    public let estimatedMS: Int64?

    /// So many documents stand for all.
    public static let mostSamples = 5

    /// Describes an operation.
    public init(
        code: String, collection: String, field: String? = nil, operation: String, matched: Int, access: Access,
        risk: Risk,
        warnings: [String] = [], samples: [BSONDocument] = [], estimatedMS: Int64? = nil
    ) {
        self.code = code
        self.collection = collection
        self.field = field
        self.operation = operation
        self.matched = matched
        self.access = access
        self.risk = risk
        self.warnings = warnings
        self.samples = samples.map(\.excerpt)
        self.estimatedMS = estimatedMS
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

    /// About how long the step would take, in milliseconds: as long as looking took, and what changing a document costs,
    /// as measured on a small machine.
    ///
    /// - Parameter looking: How long it took to make the plan.
    public func estimatedMS(looking: Duration) -> Int64 {
        let known = operations.compactMap(\.estimatedMS).reduce(0, +)
        let unknown = operations.filter { $0.estimatedMS == nil }.reduce(0) { $0 + $1.matched }
        return looking.milliseconds + known + Int64(unknown) * Self.microsecondsPerChange / 1000
    }

    /// 100,000 references or counts take 3 s (docs/performance.md).
    private static let microsecondsPerChange: Int64 = 30

    /// How many documents it would touch in all.
    public var matched: Int { operations.reduce(0) { $0 + $1.matched } }
}
