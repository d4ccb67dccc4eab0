public import BSON
public import Journal

/// The ledger's knowledge of one step of one series.
public struct LedgerRow: Sendable, Equatable {
    /// The step's series, such as `chat`.
    public let series: String
    /// The step's version.
    public let version: Int64
    /// The step's name when it was begun last.
    public let name: String
    /// SHA-256 of the source that it was begun with last.
    public let checksum: String?
    /// Where it stands.
    public let state: StepState
    /// The run that has written to it last.
    let lastRun: ObjectID?
    /// Its last change of state: who made it, and when.
    public let work: Work
    /// The runs that applied it, oldest first; several when one was killed.
    public let runs: [ObjectID]
    /// The runs that reverted it by its own means and not from the journal, oldest first.
    public let revertedBy: [ObjectID]
    /// How far its present attempt has come.
    public let attempt: Attempt
    /// What it changed.
    public let changes: [Change]
    /// What it left as it was, and why.
    public let leftovers: [Leftover]
    /// Why it failed.
    public let failure: Failure?
    /// Whether it was declared applied, or reverted, without being run.
    public let isMarked: Bool
    /// What the row said of the step when it was applied, while its own way back is under way; nil otherwise.
    let applied: Applied?
    /// What the row says now of what ``Applied`` keeps.
    let kept: BSONDocument

    /// A change of a step's state: who made it, and when.
    public struct Work: Sendable, Equatable {
        /// When it began, in milliseconds since 1970.
        public let startedAt: Int64?
        /// When it ended, in milliseconds since 1970.
        public let finishedAt: Int64?
        /// How long it took, in milliseconds.
        public let durationMS: Int64?
        /// The machine it was run from.
        public let host: String?
        /// The operating system's user who ran it.
        public let user: String?
        /// The tool's version.
        public let toolVersion: String?
    }

    /// What one run has begun and others may have resumed.
    public struct Attempt: Sendable, Equatable {
        /// The runs, oldest first: those that a run which resumes it begins from.
        public let runs: [ObjectID]
        /// How far they had come when they were last at work; what it holds is the step's own affair.
        public let checkpoint: BSONDocument?
        /// The last run whose work is in the row's changes, leftovers and duration; later ones were killed.
        let accounted: ObjectID?
        /// Whether what they did can't be undone from the journal, or not all of it.
        public let isUnjournalled: Bool
    }

    /// Why a step failed.
    public struct Failure: Sendable, Equatable {
        /// In words.
        public let words: String
        /// Whether trying again doesn't help, because nothing tells whether a command was done.
        public let isUndecided: Bool
    }

    /// What a step's own way back overwrites in the row, and puts back where it fails before it has an effect.
    struct Applied: Equatable {
        /// The fields, as they were; nil of a row that an earlier version of the tool wrote.
        let fields: BSONDocument?
        /// Whether what the step did when it was applied isn't in the journal, or not all of it.
        let isUnjournalled: Bool

        static let names = [
            "attempt", "startedAt", "finishedAt", "durationMS", "host", "user", "toolVersion", "unjournalled", "marked",
            "left",
        ]

        /// The fields of a document to set and to remove so that it says again what it said.
        static func restoration(_ fields: BSONDocument?) -> (set: BSONDocument, unset: BSONDocument) {
            var set: BSONDocument = [:]
            var unset: BSONDocument = ["checkpoint": "", "appliedUnjournalled": "", "applied": "", "accounted": ""]
            for name in names {
                if let value = fields?[name] { set.append(name, value) } else { unset.append(name, "") }
            }
            return (set, unset)
        }
    }

    /// Whether a run that resumes the step finds something of it done, or begun.
    var isHalfDone: Bool { state == .applying || state == .failed || state == .reverting }

    /// The row's `_id`.
    var id: String { "\(series)/\(version)" }

    /// Reads a row.
    ///
    /// - Throws: ``StateError`` where it isn't as this tool writes them.
    init(reading document: BSONDocument) throws(StateError) {
        let fields = StateFields(StateCollection.migrations, document)
        series = try fields.require("series", .text)
        version = try fields.require("version", .number)
        guard fields.id == .string("\(series)/\(version)") else {
            throw fields.fault("_id", "made of its series and its version, \(series)/\(version)")
        }
        name = try fields.require("name", .text)
        checksum = try fields.read("checksum", .text)
        state = try fields.require("state", .word)
        work = try Work(reading: fields)
        runs = try fields.read("runs", .objectIDs) ?? []
        revertedBy = try fields.read("revertedBy", .objectIDs) ?? []
        attempt = try Attempt(reading: fields)
        changes = try Change.list(fields, "changes")
        // A run that was killed has said at its last command what those before had left.
        let saved = document["left"] == nil ? try fields.inner("checkpoint") : nil
        leftovers = try Leftover.list(saved ?? fields, "left")
        let isUndecided = try fields.read("undecided", .flag) ?? false
        failure = try fields.read("error", .text).map { Failure(words: $0, isUndecided: isUndecided) }
        isMarked = try fields.read("marked", .flag) ?? false
        let isAppliedUnjournalled = try fields.read("appliedUnjournalled", .flag) ?? false
        let applied = try fields.read("applied", .document)
        self.applied =
            applied == nil && !isAppliedUnjournalled
            ? nil : Applied(fields: applied, isUnjournalled: isAppliedUnjournalled)
        _ = try fields.read("token", .token)
        lastRun = try fields.read("lastRun", .objectID)
        kept = BSONDocument(Applied.names.compactMap { name in document[name].map { (name, $0) } })
    }
}

extension LedgerRow.Work {
    fileprivate init(reading fields: StateFields) throws(StateError) {
        startedAt = try fields.read("startedAt", .date)
        finishedAt = try fields.read("finishedAt", .date)
        durationMS = try fields.read("durationMS", .count)
        host = try fields.read("host", .text)
        user = try fields.read("user", .text)
        toolVersion = try fields.read("toolVersion", .text)
    }
}

extension LedgerRow.Attempt {
    fileprivate init(reading fields: StateFields) throws(StateError) {
        runs = try fields.read("attempt", .objectIDs) ?? []
        checkpoint = try Self.checkpoint(fields)
        accounted = try fields.read("accounted", .objectID)
        isUnjournalled = try fields.read("unjournalled", .flag) ?? false
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
}
