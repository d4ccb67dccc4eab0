internal import Journal
internal import MigrationEngine

/// What stands in the way of going on with a half-applied step, in words.
struct HalfApplied: UndecidedError, CustomStringConvertible {
    let description: String

    /// A command may have been done, which nothing tells.
    static func unknown(_ version: Int64, _ direction: MigrationDirection) -> HalfApplied {
        let (done, other) = direction == .up ? ("applied", "reverted") : ("reverted", "applied")
        let back =
            direction == .up
            ? "take back what the step did, with `runs undo` and by hand" : "put back by hand what its .down.json did"
        return HalfApplied(
            description:
                "it was begun by a run that was killed, or failed on the way, and may have been done, or half done. Look. If "
                + "it was, do by hand what comes behind it in the file and say `migrate mark \(version) \(done)`. Or \(back), "
                + "and say `migrate mark \(version) \(other)`")
    }

    var isUndecided: Bool { true }
}
