public import BSON
public import Journal

/// A versioned step: what it would do, how it does it, and how it is reverted.
///
/// A step changes the database only through its context's `Run`, which journals everything; that is why reverting
/// it needs no code of its own.
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

    /// What must be true for the step to begin, asked right before it does, after the steps before it and not when it is
    /// resumed: empty when all of it is. What it names makes the step fail before it has changed anything.
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

    /// Whether ``down(_:)`` does the work; where it is false the step is reverted from the journal.
    var hasOwnDown: Bool { get }

    /// Reverts the step by its own means, if ``hasOwnDown``. Like ``up(_:)`` it must be repeatable.
    ///
    /// - Throws: `EngineError`, `MongoError`.
    func down(_ context: StepContext) async throws

    /// What ``down(_:)`` would do. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    func planDown(_ database: Database) async throws -> StepPlan

    /// Why the step can't be reverted; empty when it can. Asked of every step before the first is reverted.
    ///
    /// - Throws: `MongoError`.
    func downBlockers(_ database: Database) async throws -> [String]

    /// The lowest version that a step of this kind may have.
    static var lowestVersion: Int64 { get }

    /// The collections that the step is known to change: what later steps would find in them isn't there yet.
    var touched: Set<String> { get }

    /// What the step does that none may: it is refused before anything is touched, whatever is allowed.
    func refusals(_ database: Database) -> [String]

    /// Why another tool may have applied the step already; nil where none has. Asked where the ledger knows nothing of the
    /// series.
    ///
    /// - Throws: `MongoError`.
    func appliedElsewhere(_ database: Database) async throws -> Sentence?

    /// What of the step is still to be done. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    func plan(_ database: Database, _ situation: StepSituation) async throws -> StepPlan

    /// The same as ``blockers(_:)``, of what is still to be done.
    ///
    /// - Throws: `MongoError`.
    func blockers(_ database: Database, _ situation: StepSituation) async throws -> [String]

    /// What the rest of the step does to the data as they are that can lose some, beyond ``dangers(_:)``.
    ///
    /// - Throws: `MongoError`.
    func dangers(
        _ database: Database, _ direction: MigrationDirection, _ situation: StepSituation
    ) async throws -> [String]

    /// Whether an earlier attempt has done anything of the step.
    ///
    /// - Throws: `MongoError`.
    func isBegun(_ row: LedgerRow?, _ database: Database) async throws -> Bool

    /// Whether an attempt that failed has changed anything, or may have. A step that hasn't needs no reverting.
    ///
    /// - Throws: `MongoError`.
    func hasEffect(_ row: LedgerRow, _ database: Database) async throws -> Bool

    /// Where the step begins, for one that saves how far it has come: the ledger has it before the step's first change.
    ///
    /// - Throws: What keeps it from being told.
    func firstCheckpoint(_ direction: MigrationDirection) throws -> BSONDocument?

    /// Why a step that is half done can't be resumed in a direction; nil where it can.
    ///
    /// - Throws: What keeps it from being told.
    func objection(to direction: MigrationDirection, _ row: LedgerRow) throws -> Sentence?

    /// Counts as left what earlier runs of the attempt couldn't tell of: whoever ended them may have said nothing of it.
    ///
    /// - Throws: `MongoError`.
    func nameUnknown(of runs: [ObjectID], _ run: Run) async throws

    /// Whether the ledger says of an attempt that didn't come to its end what of it isn't in the journal, so that
    /// ``downBlockers(_:)``, which speaks of the whole step, needn't be asked.
    var notesUnjournalled: Bool { get }

    /// What would let a step be reverted that can't be; nil where nothing would.
    var downAdvice: Sentence? { get }
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

    /// Most steps are reverted from the journal.
    public var hasOwnDown: Bool { false }

    /// Nothing: the step is reverted from the journal.
    public func down(_ context: StepContext) async throws {}

    /// Nothing: the step is reverted from the journal.
    public func planDown(_ database: Database) async throws -> StepPlan { StepPlan() }

    /// What is in the journal can be reverted.
    public func downBlockers(_ database: Database) async throws -> [String] { [] }

    /// Versions count from 1.
    public static var lowestVersion: Int64 { 1 }

    /// Most steps don't say.
    public var touched: Set<String> { [] }

    /// Most steps may do what they do.
    public func refusals(_ database: Database) -> [String] { [] }

    /// No other tool knows of most steps.
    public func appliedElsewhere(_ database: Database) async throws -> Sentence? { nil }

    /// The whole of it: the data tell what is left to do.
    public func plan(_ database: Database, _ situation: StepSituation) async throws -> StepPlan {
        try await plan(database)
    }

    /// Those of the whole step.
    public func blockers(_ database: Database, _ situation: StepSituation) async throws -> [String] {
        try await blockers(database)
    }

    /// Most steps lose nothing.
    public func dangers(
        _ database: Database, _ direction: MigrationDirection, _ situation: StepSituation
    ) async throws -> [String] { [] }

    /// Whatever a run has begun may have done something.
    public func isBegun(_ row: LedgerRow?, _ database: Database) async throws -> Bool {
        row.map { $0.isHalfDone && !$0.attempt.runs.isEmpty } ?? false
    }

    /// Most steps may have changed something.
    public func hasEffect(_ row: LedgerRow, _ database: Database) async throws -> Bool { true }

    /// Most steps save nothing.
    public func firstCheckpoint(_ direction: MigrationDirection) throws -> BSONDocument? { nil }

    /// Most steps are resumed by being applied again.
    public func objection(to direction: MigrationDirection, _ row: LedgerRow) throws -> Sentence? { nil }

    /// Most steps say all that they leave.
    public func nameUnknown(of runs: [ObjectID], _ run: Run) async throws {}

    /// Most steps do all through the journal.
    public var notesUnjournalled: Bool { false }

    /// Most steps are reverted from the journal or not at all.
    public var downAdvice: Sentence? { nil }
}

/// Where a step stands when it is looked at.
public struct StepSituation: Sendable {
    /// What the ledger knows of it.
    public let row: LedgerRow?
    /// Whether an earlier attempt has done some of it: what it finds of its own isn't in its way.
    public let isBegun: Bool
    /// The collections that the steps before it change.
    public let touched: Set<String>

    init(_ step: any Migration, _ row: LedgerRow?, _ database: Database, touched: Set<String>) async throws {
        self.row = row
        self.touched = touched
        isBegun = try await step.isBegun(row, database)
    }
}

extension Migration {
    /// Whether the step is reverted by its own means: not where an undo has begun to revert it from the journal.
    package func usesOwnDown(_ row: LedgerRow?) -> Bool {
        guard hasOwnDown else { return false }
        guard let row, row.state == .reverting else { return true }
        return row.attempt.checkpoint?["direction"]?.string == MigrationDirection.down.rawValue
    }
}

/// Applying a step, or reverting it.
public enum MigrationDirection: String, Sendable {
    /// Applying.
    case up
    /// Reverting.
    case down
}

/// What a step works with.
public struct StepContext: Sendable {
    /// Where everything it changes goes through.
    public let run: Run
    /// How it shall behave.
    public let settings: RepairSettings
    /// The step's position in the ledger, where it keeps how far it has come; nil outside of a migration.
    package var position: LedgerPosition?
    /// The database.
    public var database: Database { run.database }

    /// Makes a context.
    package init(run: Run, settings: RepairSettings) {
        self.run = run
        self.settings = settings
    }

    /// How far an earlier attempt came, as it was saved; nil for a first attempt.
    public var checkpoint: BSONDocument? { position?.checkpoint }

    /// Notes durably that the step does something that the journal can't revert.
    ///
    /// - Returns: Whether that wasn't noted yet.
    @discardableResult
    package func noteUnjournalled() async throws -> Bool {
        run.record.isUnjournalled = true
        return try await position?.noteUnjournalled(run) ?? false
    }

    /// Withdraws that note: the command that it was about was refused.
    package func retractUnjournalled() async throws { try await position?.retractUnjournalled(run) }

    /// Saves durably how far the step has come. A step that is killed afterwards is given it back as ``checkpoint``.
    ///
    /// - Throws: `EngineError.leaseLost`, `MongoError`.
    public func save(checkpoint: BSONDocument) async throws {
        try await position?.save(checkpoint, run)
    }
}
