internal import Journal
package import MigrationEngine

/// What would help with steps in files.
package enum StepFileAdvice: Advice, Hashable {
    /// Declare what golang-migrate has applied applied.
    case baseline
    /// Name the collection that golang-migrate keeps its version in.
    case nameVersionCollection
    /// Finish a step in the direction in which it is half done, or undo what it did.
    case finishOrUndo(MigrationDirection)
    /// Undo the run.
    case undoRun
    /// Undo the run, and by hand what that leaves.
    case undoRunAndByHand
    /// Make the directory.
    case makeDirectory(String)
    /// Give the series a name.
    case nameSeries

    /// The advice as a clause.
    package var words: String {
        switch self {
        case .baseline: "declare them applied"
        case .nameVersionCollection: "name that"
        case .finishOrUndo: "finish that, or undo what it did"
        case .undoRun: "undo what it did"
        case .undoRunAndByHand: "undo what it did, and by hand what that leaves"
        case .makeDirectory: "make it"
        case .nameSeries: "name the series"
        }
    }
}
