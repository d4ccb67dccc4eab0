/// Why the engine stopped. ``description`` says what happened and what to do.
public enum EngineError: AdvisingError, Sendable {
    /// The server is older than the engine can work with.
    case unsupportedServer(version: String)
    /// The server isn't what it was when this began: a standalone server has become a member of a replica set, say.
    case serverChanged(Sentence)
    /// Another run holds the lease.
    case leaseHeld(owner: String, since: String)
    /// This run's lease was lost: expired, or taken by force.
    case leaseLost
    /// The run was asked to stop, and did at a batch boundary.
    case interrupted(StopReason)
    /// The ledger and the known steps contradict each other.
    case ledger(Sentence)
    /// A step can't be applied to the data as it is; nothing was touched. The version is that of the pending step before it,
    /// if there is one.
    case blocked(version: Int64, name: String, reasons: [Sentence], before: Int64?)
    /// A step can lose data, and that wasn't allowed; nothing was touched.
    case dangerous(version: Int64, name: String, reasons: [Sentence])
    /// A step is half applied, or half undone, and can't be resumed as asked; nothing was touched.
    case halfApplied(version: Int64, name: String, reason: Sentence)
    /// A step failed; its state is in the ledger. It is kept as it was where what was to undo it had no effect.
    case stepFailed(version: Int64, name: String, isKept: Bool = false, underlying: any Error)
    /// The caller asked for something that isn't there.
    case notFound(Sentence)
    /// Something to be done can't be, for a reason in words.
    case refused(Sentence)
    /// The same for several reasons, between what they keep from being done and what to do.
    case refusedFor([Sentence], what: Sentence, advice: Sentence)

    /// One or two sentences, with several reasons on a line each.
    public var sentence: Sentence {
        lines.dropFirst().reduce(lines.first ?? "") { $0 + "\n" + $1 }
    }

    /// The same line by line: a line break within one comes from elsewhere.
    public var lines: [Sentence] {
        switch self {
        case .blocked(let version, let name, let reasons, let before):
            ["Step \(version) (\(name)) can't be applied to the data as it is, so nothing was touched:"]
                + Self.list(reasons) + (before.map { ["\(EngineAdvice.applyUpTo($0))."] } ?? [])
        case .dangerous(let version, let name, let reasons):
            ["Step \(version) (\(name)) can lose data, so nothing was touched:"] + Self.list(reasons)
                + ["\(EngineAdvice.allowDangerous)."]
        case .refusedFor(let reasons, let what, let advice): [what] + Self.list(reasons) + [advice]
        case .unsupportedServer(let version): ["MongoDB \(version) is too old; 4.4 or newer is needed."]
        case .leaseHeld(let owner, let since):
            [
                "Another run holds the lease on this database: \(owner), since \(since). \(EngineAdvice.waitForLease)."
            ]
        case .leaseLost:
            [
                "This run lost its lease and stopped before its next write. What it did is in the journal; "
                    + "\(EngineAdvice.again)."
            ]
        case .interrupted:
            ["Interrupted at a batch boundary. Nothing is half done; \(EngineAdvice.again)."]
        case .serverChanged(let sentence), .ledger(let sentence), .notFound(let sentence), .refused(let sentence):
            [sentence]
        case .halfApplied(let version, let name, let reason):
            ["Step \(version) (\(name)) can't be resumed: \(reason)."]
        case .stepFailed(let version, let name, true, let underlying):
            [
                "Step \(version) (\(name)) couldn't be reverted: \(Sentence(of: underlying).open). Nothing of it was "
                    + "changed, and it is applied as before. If there is nothing to revert, "
                    + "\(EngineAdvice.declare(version, .reverted))."
            ]
        case .stepFailed(let version, let name, false, let underlying):
            [
                "Step \(version) (\(name)) failed: \(Sentence(of: underlying).open). Its state is in the ledger"
                    + (underlying.leavesUndecided
                        ? "." : "; when the cause is gone, \(EngineAdvice.again).")
            ]
        }
    }

    private static func list(_ reasons: [Sentence]) -> [Sentence] { reasons.map { "  - \($0)" } }
}

extension Error {
    /// Whether it says that somebody asked for a stop, and nothing of what was done.
    package var isStop: Bool {
        if case .interrupted = asStop as? EngineError { true } else { false }
    }

    /// The error, with what Swift throws where a task is cancelled as the request to stop that it is.
    package var asStop: any Error { self is CancellationError ? EngineError.interrupted(.cancelled) : self }
}

/// A failure that couldn't be written down either.
public struct UnrecordedFailure: AdvisingError {
    /// What went wrong.
    public let first: any Error
    /// What went wrong while that was written down.
    public let second: any Error

    package init(first: any Error, second: any Error) {
        self.first = first
        self.second = second
    }

    /// Both, in a sentence.
    public var sentence: Sentence { "\(first) (and this couldn't be written down: \(second))" }
}
