/// A versioned step: what it would do, how it does it, and how it is taken back.
///
/// A step changes the database only through its context's ``Run``, which journals everything; that is why taking it
/// back needs no code of its own.
public protocol Migration: Sendable {
    /// Where the step stands in its series; versions only grow and are never used twice.
    var version: Int64 { get }
    /// A short name, in words joined by hyphens.
    var name: String { get }
    /// What the step does, in a sentence.
    var summary: String { get }

    /// The findings that are gone, or can't be mended, once the step is applied: codes, or what they begin with.
    var mends: [String] { get }

    /// Looks what the step would do to the data as it is. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    func plan(_ database: Database) async throws -> StepPlan

    /// Why the step can't be applied to the data as it is; empty when it can. Asked of every pending step before the
    /// first one is applied.
    ///
    /// - Throws: `MongoError`.
    func blockers(_ database: Database) async throws -> [String]

    /// Applies the step. It must be repeatable: a step that was killed is applied again.
    ///
    /// - Throws: `EngineError`, `MongoError`.
    func up(_ context: StepContext) async throws
}

extension Migration {
    /// Most steps mend nothing that a check looks for.
    public var mends: [String] { [] }

    /// Nothing stands in the way of most steps.
    public func blockers(_ database: Database) async throws -> [String] { [] }
}

/// What a step works with.
public struct StepContext: Sendable {
    /// Where everything it changes goes through.
    public let run: Run
    /// How it shall behave.
    public let settings: RepairSettings
    /// The database.
    public var database: Database { run.database }

    /// Makes a context.
    public init(run: Run, settings: RepairSettings) {
        self.run = run
        self.settings = settings
    }
}

/// How repairs behave towards an application that writes at the same time.
public struct RepairSettings: Sendable {
    /// Nobody else writes: counters are set at once, without waiting for them to settle.
    public var offline = false
    /// How long a counter must have been seen at rest before it is set, in seconds. It must exceed the application's
    /// longest gap between an insert and its increment.
    public var settle = Duration.seconds(10)
    /// How long a repair may go on; nil for as long as it takes.
    public var maxTime: Duration?
    /// How many connections work at once.
    public var workers = RepairSettings.defaultWorkers

    /// As many as keep a small server busy without taking it from the application.
    public static let defaultWorkers = 2

    /// The defaults: an application that writes, 10 s, no limit, two workers.
    public init() {}
}
