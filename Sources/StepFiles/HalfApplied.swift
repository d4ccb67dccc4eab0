internal import Journal
internal import MigrationEngine

/// What stands in the way of resuming a half-applied step, in words.
struct HalfApplied: UndecidedError, AdvisingError {
    let sentence: Sentence

    /// A command may have been done, which nothing tells.
    static func unknown(_ version: Int64, _ direction: MigrationDirection) -> HalfApplied {
        let (done, other): (EngineAdvice.StepDeclaration, EngineAdvice.StepDeclaration) =
            direction == .up ? (.applied, .reverted) : (.reverted, .applied)
        let back: Sentence =
            direction == .up ? "\(StepFileAdvice.undoRunAndByHand)" : "put back by hand what its .down.json did"
        return HalfApplied(
            sentence:
                "it was begun by a run that was killed, or failed on the way, and may have been done, or half done. Look. If "
                + "it was, do by hand what comes behind it in the file and \(EngineAdvice.declare(version, done)). Or "
                + "\(back), and \(EngineAdvice.declare(version, other))")
    }

    var isUndecided: Bool { true }
}
