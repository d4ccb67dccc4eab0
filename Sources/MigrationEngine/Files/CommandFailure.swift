/// A command of a step's file that failed, or that can't be gone on with.
public struct CommandFailure: Error, CustomStringConvertible {
    /// The command's place in the file, from 1.
    public let position: Int
    /// How many commands the file has.
    public let count: Int
    /// The command's name and collection.
    public let command: String
    /// What went wrong.
    public let underlying: any Error

    /// One sentence.
    public var description: String { "command \(position) of \(count) (\(command)): \(underlying)" }
}

/// What stands in the way of going on with a half-applied step, in words.
struct HalfApplied: Error, CustomStringConvertible {
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

    /// Whether that is what made a step fail: trying again doesn't help.
    static func isCause(of error: any Error) -> Bool {
        ((error as? CommandFailure)?.underlying ?? error) is HalfApplied
    }
}
