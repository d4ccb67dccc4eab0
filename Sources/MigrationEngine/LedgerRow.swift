public import BSON
internal import FoundationEssentials
public import Journal

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

/// The ledger's knowledge of one step of one series.
public struct LedgerRow: Sendable {
    /// The step's series, such as `chat`.
    public let series: String
    /// The step's version.
    public let version: Int64
    /// The step's name when it was applied.
    public var name: String
    /// Where it stands.
    public var state: StepState
    /// The runs that applied it, oldest first; several when one was killed.
    public var runs: [ObjectID]
    /// When its last change of state began, in milliseconds since 1970.
    public var startedAt: Int64?
    /// When it was applied or reverted, in milliseconds since 1970.
    public var finishedAt: Int64?
    /// How long that took, in milliseconds.
    public var durationMS: Int64?
    /// What it changed.
    public var changes: [Change] = []
    /// What it left as it was, and why.
    public var leftovers: [Leftover] = []
    /// The last run whose work is in ``changes``, ``leftovers`` and ``durationMS``; later ones were killed.
    var accounted: ObjectID?
    /// What the row said of the step when it was applied, while its own way back is under way.
    var applied: BSONDocument?
    /// The machine it was run from.
    public var host: String?
    /// The operating system's user who ran it.
    public var user: String?
    /// The tool's version.
    public var toolVersion: String?
    /// Why it failed.
    public var error: String?
    /// Whether trying again doesn't help, because nothing tells whether a command was done.
    public var isUndecided = false
    /// SHA-256 of the source that it was begun with last.
    public var checksum: String?
    /// How far the step had come when it was last at work; what it holds is the step's own affair.
    public var checkpoint: BSONDocument?
    /// The runs that reverted the step by its own means and not from the journal, oldest first.
    public var revertedBy: [ObjectID] = []
    /// The run that has written to it last.
    var lastRun: ObjectID?
    /// The runs of its present attempt, oldest first: those that a run which resumes it begins from.
    public var attempt: [ObjectID] = []
    /// Whether what it did last can't be reverted from the journal, or not all of it.
    public var isUnjournalled = false
    /// Whether that is so of its being applied, while it is reverted by its own means.
    public var isAppliedUnjournalled = false
    /// Whether it was declared applied, or reverted, without being run.
    public var isMarked = false

    /// Whether a run that resumes the step finds something of it done, or begun.
    var isHalfDone: Bool { state == .applying || state == .failed || state == .reverting }

    /// The row's `_id`.
    var id: String { "\(series)/\(version)" }

    init(series: String, version: Int64, name: String, state: StepState, runs: [ObjectID] = []) {
        self.series = series
        self.version = version
        self.name = name
        self.state = state
        self.runs = runs
    }

    /// Reads a row.
    ///
    /// - Throws: ``StateError`` where it isn't as this tool writes them.
    init(reading document: BSONDocument) throws(StateError) {
        let fields = StateFields(StateCollection.migrations, document)
        let series = try fields.require("series", .text)
        let version = try fields.require("version", .number)
        guard fields.id == .string("\(series)/\(version)") else {
            throw fields.fault("_id", "made of its series and its version, \(series)/\(version)")
        }
        self.init(
            series: series, version: version, name: try fields.require("name", .text),
            state: try fields.require("state", .word), runs: try fields.read("runs", .objectIDs) ?? [])
        startedAt = try fields.read("startedAt", .date)
        finishedAt = try fields.read("finishedAt", .date)
        durationMS = try fields.read("durationMS", .count)
        changes = try Change.list(fields, "changes")
        applied = try fields.read("applied", .document)
        accounted = try fields.read("accounted", .objectID)
        host = try fields.read("host", .text)
        user = try fields.read("user", .text)
        toolVersion = try fields.read("toolVersion", .text)
        error = try fields.read("error", .text)
        checksum = try fields.read("checksum", .text)
        checkpoint = try Self.checkpoint(fields)
        // A run that was killed has said at its last command what those before had left.
        let saved = document["left"] == nil ? try fields.inner("checkpoint") : nil
        leftovers = try Leftover.list(saved ?? fields, "left")
        attempt = try fields.read("attempt", .objectIDs) ?? []
        revertedBy = try fields.read("revertedBy", .objectIDs) ?? []
        isUnjournalled = try fields.read("unjournalled", .flag) ?? false
        isAppliedUnjournalled = try fields.read("appliedUnjournalled", .flag) ?? false
        isUndecided = try fields.read("undecided", .flag) ?? false
        isMarked = try fields.read("marked", .flag) ?? false
        _ = try fields.read("token", .token)
        lastRun = try fields.read("lastRun", .objectID)
        toRestore = [:]
        for name in Self.restored {
            if let value = document[name] { toRestore.append(name, value) }
        }
    }

    /// A step's own checkpoint is its own affair; that of a step's file is read here as far as it is counted with.
    private static func checkpoint(_ fields: StateFields) throws(StateError) -> BSONDocument? {
        guard let checkpoint = try fields.inner("checkpoint") else { return nil }
        if checkpoint.document["direction"] != nil {
            let _: MigrationDirection = try checkpoint.require("direction", .word)
            guard try checkpoint.require("position", .count) <= mostCommands else {
                throw checkpoint.fault("position", "the number of a command")
            }
            _ = try checkpoint.require("digest", .text)
            _ = try checkpoint.read("command", .text)
            _ = try checkpoint.read("begun", .document)
            _ = try Change.list(checkpoint, "changes")
            _ = try Leftover.list(checkpoint, "left")
        }
        return checkpoint.document
    }

    /// More commands than a file can hold.
    private static let mostCommands: Int64 = 1 << 30

    /// What reverting the step by its own means overwrites, and puts back where it fails before it has an effect.
    static let restored = [
        "attempt", "startedAt", "finishedAt", "durationMS", "host", "user", "toolVersion", "unjournalled", "marked",
        "left",
    ]
    /// That, as it is.
    private(set) var toRestore: BSONDocument = [:]

    /// The fields to set and to remove so that the row says what it said when the step was applied.
    var restoration: (set: BSONDocument, unset: BSONDocument) {
        var set: BSONDocument = [:]
        var unset: BSONDocument = ["checkpoint": "", "appliedUnjournalled": "", "applied": "", "accounted": ""]
        for name in Self.restored {
            if let value = applied?[name] { set.append(name, value) } else { unset.append(name, "") }
        }
        return (set, unset)
    }
}
