internal import BSON
internal import Journal

/// What is being done with a step.
enum StepWork: Sendable, Equatable {
    /// It is applied.
    case applying
    /// It is reverted by its own means.
    case revertingByOwnMeans
    /// It is reverted from the journal.
    case revertingFromJournal

    /// - Parameter row: What the ledger knows of the step.
    init(_ direction: MigrationDirection, _ step: any Migration, _ row: LedgerRow?) {
        switch direction {
        case .up: self = .applying
        case .down: self = step.usesOwnDown(row) ? .revertingByOwnMeans : .revertingFromJournal
        }
    }

    var direction: MigrationDirection { self == .applying ? .up : .down }

    /// What the ledger calls the step meanwhile.
    var during: StepState { self == .applying ? .applying : .reverting }

    /// What it calls the step when the work is done.
    var after: StepState { direction.end }

    /// What it calls the step when the work has failed.
    var failed: StepState { self == .applying ? .failed : .reverting }

    /// Whether the work belongs to an attempt, which the next run resumes. A step that is reverted from the journal goes on
    /// where it was applied, should it be applied again.
    var isAttempt: Bool { self != .revertingFromJournal }
}

extension MigrationDirection {
    /// What the ledger calls a step when the work on it is done.
    var end: StepState { self == .up ? .applied : .reverted }
}

/// What the ledger is told when the work on a step begins.
struct StepBeginning {
    let work: StepWork
    let version: Int64
    let checksum: String?
    /// Where the work begins, for a step that saves how far it has come.
    let firstCheckpoint: BSONDocument?
    /// What the ledger knows of the step.
    let row: LedgerRow?
    let run: ObjectID

    private var isResumed: Bool { row?.isHalfDone ?? false }

    /// The changes of the step's row, beside who does it and when.
    var update: (set: BSONDocument, unset: BSONDocument, added: BSONDocument) {
        var change = (set: BSONDocument(), unset: BSONDocument(), added: BSONDocument())
        for field in ["marked", "undecided"] { change.unset.append(field, "") }
        if !isResumed {
            for field in ["accounted", "left"] { change.unset.append(field, "") }
        }
        switch work {
        case .applying: apply(&change)
        case .revertingByOwnMeans: revertByOwnMeans(&change)
        case .revertingFromJournal: break
        }
        if work.isAttempt { attempt(&change) }
        if let firstCheckpoint, work.isAttempt, !isResumed || row?.attempt.checkpoint == nil {
            change.set.append("checkpoint", .document(firstCheckpoint))
        } else if !isResumed || !work.isAttempt {
            change.unset.append("checkpoint", "")
        }
        return change
    }

    private func apply(_ change: inout (set: BSONDocument, unset: BSONDocument, added: BSONDocument)) {
        if let checksum {
            change.set.append("checksum", .string(checksum))
        } else {
            change.unset.append("checksum", "")
        }
        if !isResumed { change.unset.append("changes", "") }
        for field in ["appliedUnjournalled", "applied"] { change.unset.append(field, "") }
        change.added.append("runs", .objectID(run))
    }

    private func revertByOwnMeans(_ change: inout (set: BSONDocument, unset: BSONDocument, added: BSONDocument)) {
        change.added.append("revertedBy", .objectID(run))
        guard !isResumed, let row else { return }
        change.set.append("applied", .document(row.kept))
        // Should the step's own way back be given up, the journal's is still not the whole one.
        if row.attempt.isUnjournalled { change.set.append("appliedUnjournalled", true) }
    }

    private func attempt(_ change: inout (set: BSONDocument, unset: BSONDocument, added: BSONDocument)) {
        if isResumed {
            change.added.append("attempt", .objectID(run))
        } else {
            // What belongs to earlier attempts, of which nothing is resumed, is none of this one's.
            change.unset.append("unjournalled", "")
            change.set.append("attempt", [.objectID(run)])
        }
    }
}
