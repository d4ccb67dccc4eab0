/// Why the engine stopped. ``description`` says what happened and what to do.
public enum EngineError: Error, Sendable, CustomStringConvertible {
    /// Another run holds the lease.
    case leaseHeld(owner: String, since: String)
    /// This run's lease was lost: expired, or taken by force.
    case leaseLost
    /// The run was asked to stop, and did at a batch boundary.
    case interrupted(StopReason)
    /// The ledger and the known steps contradict each other.
    case ledger(String)
    /// A step can't be applied to the data as it is; nothing was touched. The version is that of the pending step before it,
    /// if there is one.
    case blocked(version: Int64, name: String, reasons: [String], before: Int64?)
    /// A step can lose data, and that wasn't allowed; nothing was touched.
    case dangerous(version: Int64, name: String, reasons: [String])
    /// A step is half applied, or half taken back, and can't be gone on with as asked; nothing was touched.
    case halfApplied(version: Int64, name: String, reason: String)
    /// A step failed; its state is in the ledger. It is kept as it was where what was to take it back had no effect.
    case stepFailed(version: Int64, name: String, isKept: Bool = false, underlying: any Error)
    /// The caller asked for something that isn't there.
    case notFound(String)
    /// Something to be done can't be, for a reason in words.
    case refused(String)
    /// The same for several reasons, between what they keep from being done and what to do.
    case refusedFor([String], what: String, advice: String)

    private static func withoutStop(_ error: any Error) -> String {
        let text = "\(error)"
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }

    /// One or two sentences, with several reasons on a line each.
    public var description: String { lines.joined(separator: "\n") }

    /// The same line by line: a line break within one comes from elsewhere.
    public var lines: [String] {
        switch self {
        case .blocked(let version, let name, let reasons, let before):
            ["Step \(version) (\(name)) can't be applied to the data as it is, so nothing was touched:"]
                + Self.list(reasons) + (before.map { ["`migrate up --to \($0)` applies the steps before it."] } ?? [])
        case .dangerous(let version, let name, let reasons):
            ["Step \(version) (\(name)) can lose data, so nothing was touched:"] + Self.list(reasons)
                + ["`migrate plan` shows what it would do; --allow-dangerous lets it."]
        case .refusedFor(let reasons, let what, let advice): [what] + Self.list(reasons) + [advice]
        default: [sentence]
        }
    }

    private static func list(_ reasons: [String]) -> [String] { reasons.map { "  - \($0)" } }

    private var sentence: String {
        switch self {
        case .leaseHeld(let owner, let since):
            "Another run holds the lease on this database: \(owner), since \(since). "
                + "Wait for it to end (--wait SECONDS), or look at it with `runs list`. A run that was killed holds it for "
                + "half a minute at most; `migrate unlock --force` stops any run."
        case .leaseLost:
            "This run lost its lease and stopped before its next write. What it did is in the journal; "
                + "run the same command again to go on."
        case .interrupted:
            "Interrupted at a batch boundary. Nothing is half done; run the same command again to go on."
        case .ledger(let sentence), .notFound(let sentence), .refused(let sentence): sentence
        case .blocked, .dangerous, .refusedFor: lines.joined(separator: "\n")
        case .halfApplied(let version, let name, let reason):
            "Step \(version) (\(name)) can't be gone on with: \(reason)."
        case .stepFailed(let version, let name, true, let underlying):
            "Step \(version) (\(name)) couldn't be taken back: \(Self.withoutStop(underlying)). Nothing of it was changed, and "
                + "it is applied as before. If there is nothing to take back, say so with `migrate mark \(version) reverted`."
        case .stepFailed(let version, let name, false, let underlying):
            "Step \(version) (\(name)) failed: \(Self.withoutStop(underlying)). Its state is in the ledger"
                + (underlying.leavesUndecided
                    ? "." : "; the same command goes on with it when the cause is gone.")
        }
    }
}

/// A failure that couldn't be written down either.
public struct FailureTwice: Error, CustomStringConvertible {
    /// What went wrong.
    public let first: any Error
    /// What went wrong while that was written down.
    public let second: any Error

    package init(first: any Error, second: any Error) {
        self.first = first
        self.second = second
    }

    /// Both, in a sentence.
    public var description: String { "\(first) (and this couldn't be written down: \(second))" }
}
