public import BSON

/// A versioned step: what it would do, how it does it, and how it is taken back.
///
/// A step changes the database only through its context's ``Run``, which journals everything; that is why taking it
/// back needs no code of its own.
///
/// ```swift
/// struct AddStatus: Migration {
///     let version: Int64 = 7
///     let name = "add-status"
///     let summary = "Give every user a status"
///
///     func plan(_ database: Database) async throws -> StepPlan { StepPlan() }
///
///     func up(_ context: StepContext) async throws {
///         let users = try await context.database.findAll("users", filter: ["status": ["$exists": false]])
///         let changes = users.map { FieldChange(id: $0["_id"] ?? .null, before: [:], after: ["status": "active"]) }
///         try await context.run.apply(changes, in: "users", code: "status")
///     }
/// }
/// ```
public protocol Migration: Sendable {
    /// Where the step stands in its series; versions only grow and are never used twice.
    var version: Int64 { get }
    /// A short name, in words joined by hyphens.
    var name: String { get }
    /// What the step does, in a sentence.
    var summary: String { get }

    /// SHA-256 of the step's source, in hexadecimal; nil where nothing watches over it. A step that is applied may not
    /// change any more: the ledger keeps the checksum that it was applied with.
    var checksum: String? { get }

    /// Other checksums that stand for the same step: as earlier versions of the tool computed them, or of a source that
    /// was rewritten without doing anything else. A step that was applied with one of them hasn't changed.
    var formerChecksums: Set<String> { get }

    /// The findings that are gone, or can't be mended, once the step is applied: codes, or what they begin with.
    var mends: [String] { get }

    /// Looks what the step would do to the data as it is. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    func plan(_ database: Database) async throws -> StepPlan

    /// What the step does that can lose data, in words; it then needs a permission of its own.
    func dangers(_ direction: MigrationDirection) -> [String]

    /// Why the step can't be applied to the data as it is; empty when it can. Asked of every pending step before the
    /// first one is applied.
    ///
    /// - Throws: `MongoError`.
    func blockers(_ database: Database) async throws -> [String]

    /// What must be true for the step to begin, asked right before it does, after the steps before it and not when it is resumed: empty when all of
    /// it is. What it names makes the step fail before it has changed anything.
    ///
    /// - Throws: `MongoError`.
    func preconditions(_ database: Database) async throws -> [String]

    /// Notes what the step has to know of the data as they are before the first of a run's steps is applied.
    ///
    /// - Throws: `EngineError`, `MongoError`.
    func prepare(_ context: StepContext) async throws

    /// Applies the step. It must be repeatable: a step that was killed is applied again.
    ///
    /// - Throws: `EngineError`, `MongoError`.
    func up(_ context: StepContext) async throws

    /// What must be true once the step is applied, and isn't: empty when all of it is. What it names makes the step
    /// fail.
    ///
    /// - Throws: `MongoError`.
    func postconditions(_ database: Database) async throws -> [String]

    /// Whether ``down(_:)`` does the work; where it is false the step is taken back from the journal.
    var hasOwnDown: Bool { get }

    /// Takes the step back by its own means, if ``hasOwnDown``. Like ``up(_:)`` it must be repeatable.
    ///
    /// - Throws: `EngineError`, `MongoError`.
    func down(_ context: StepContext) async throws

    /// What ``down(_:)`` would do. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    func planDown(_ database: Database) async throws -> StepPlan

    /// Why the step can't be taken back; empty when it can. Asked of every step before the first is taken back.
    ///
    /// - Throws: `MongoError`.
    func downBlockers(_ database: Database) async throws -> [String]
}

extension Migration {
    /// Nothing watches over the source of most steps.
    public var checksum: String? { nil }

    /// The checksums of most steps have always been computed in one way.
    public var formerChecksums: Set<String> { [] }

    /// Most steps mend nothing that a check looks for.
    public var mends: [String] { [] }

    /// Most steps lose nothing.
    public func dangers(_ direction: MigrationDirection) -> [String] { [] }

    /// Nothing stands in the way of most steps.
    public func blockers(_ database: Database) async throws -> [String] { [] }

    /// Most steps ask for nothing.
    public func preconditions(_ database: Database) async throws -> [String] { [] }

    /// Most steps look at the data when their turn comes.
    public func prepare(_ context: StepContext) async throws {}

    /// Most steps promise nothing.
    public func postconditions(_ database: Database) async throws -> [String] { [] }

    /// Most steps are taken back from the journal.
    public var hasOwnDown: Bool { false }

    /// Nothing: the step is taken back from the journal.
    public func down(_ context: StepContext) async throws {}

    /// Nothing: the step is taken back from the journal.
    public func planDown(_ database: Database) async throws -> StepPlan { StepPlan() }

    /// What is in the journal can be taken back.
    public func downBlockers(_ database: Database) async throws -> [String] { [] }
}

extension Migration {
    /// Whether the step is taken back by its own means: not where an undo has begun to take it back from the journal.
    func usesOwnDown(_ row: LedgerRow?) -> Bool {
        guard hasOwnDown else { return false }
        guard let row, row.state == .reverting else { return true }
        return row.checkpoint?["direction"]?.string == MigrationDirection.down.rawValue
    }
}

/// Applying a step, or taking it back.
public enum MigrationDirection: String, Sendable {
    /// Applying.
    case up
    /// Taking back.
    case down
}

/// What a step works with.
public struct StepContext: Sendable {
    /// Where everything it changes goes through.
    public let run: Run
    /// How it shall behave.
    public let settings: RepairSettings
    /// The step's place in the ledger, where it keeps how far it has come; nil outside of a migration.
    var place: LedgerPlace?
    /// The database.
    public var database: Database { run.database }

    /// Makes a context.
    public init(run: Run, settings: RepairSettings) {
        self.run = run
        self.settings = settings
    }

    /// How far an earlier attempt came, as it was saved; nil for a first attempt.
    public var checkpoint: BSONDocument? { place?.checkpoint }

    /// Notes durably that the step does something that the journal can't take back.
    ///
    /// - Returns: Whether that wasn't noted yet.
    @discardableResult
    func noteUnjournalled() async throws -> Bool {
        run.isUnjournalled = true
        return try await place?.noteUnjournalled(run) ?? false
    }

    /// Takes that note back: the command that it was about was refused.
    func retractUnjournalled() async throws { try await place?.retractUnjournalled(run) }

    /// Saves durably how far the step has come. A step that is killed afterwards is given it back as ``checkpoint``.
    ///
    /// - Throws: ``EngineError/leaseLost``, `MongoError`.
    public func save(checkpoint: BSONDocument) async throws {
        try await place?.save(checkpoint, run)
    }
}

/// How steps behave towards an application that writes at the same time, and what they may do.
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
    /// Whether counters are set to zero also where what they count isn't there at all.
    public var setsZero = false
    /// Whether a step may do what can lose data.
    public var allowsDangerous = false
    /// The largest number of bytes of documents that are journalled before a command that destroys them; a larger
    /// collection is destroyed without, and can't be restored.
    public var journalLimit = RepairSettings.defaultJournalLimit

    /// As many as keep a small server busy without taking it from the application.
    public static let defaultWorkers = 2

    /// 1 GiB.
    public static let defaultJournalLimit: Int64 = 1 << 30

    /// The defaults: an application that writes, 10 s, no limit, two workers, nothing dangerous.
    public init() {}
}
