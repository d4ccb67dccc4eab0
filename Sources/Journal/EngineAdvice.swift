public import BSON

/// What would help where a run or a step can't go on.
public enum EngineAdvice: Advice, Hashable {
    /// Do the same once more.
    case again
    /// Wait for the run that holds the lease.
    case waitForLease
    /// Make the lease anew, where no run is at work.
    case remakeLease
    /// Look at the runs.
    case listRuns
    /// Undo a run.
    case undoRun(ObjectID)
    /// Undo a run, and before it the newer ones that built on it.
    case undoThrough(ObjectID)
    /// Let a paused run go on that was paused through its record.
    case resumeRun(ObjectID)
    /// Let a paused run go on that was paused by its own process.
    case switchPauseOff
    /// Look at the steps.
    case listSteps
    /// Apply the steps up to one.
    case applyUpTo(Int64)
    /// Look at what the step would do, and allow what can lose data.
    case allowDangerous
    /// Revert the steps above one, or accept that older steps are applied after newer ones.
    case revertOrAcceptOrder(Int64, isOne: Bool)
    /// Declare what a step is.
    case declare(Int64, StepDeclaration)
    /// Declare what a step is, whichever; of a series that the caller may not have named.
    case declareEither(Int64, series: String? = nil)
    /// Give up a step that nobody knows any more, by declaring it reverted.
    case giveUp(Int64)
    /// Accept a step's edit, by declaring it applied.
    case acceptEdit(Int64)
    /// Finish reverting a step; of a series that the caller may not have named.
    case finishReverting(series: String? = nil)
    /// Let counters be set to zero.
    case allowZero
    /// Nobody else was said to write.
    case nobodyWrites

    /// What a step can be declared to be.
    public enum StepDeclaration: String, Sendable, Hashable {
        case applied, reverted
    }

    /// The advice as a clause.
    public var words: String {
        switch self {
        case .again: "do the same again to resume"
        case .waitForLease: "wait for it to end; a run that was killed holds it for half a minute at most"
        case .remakeLease: "the lease can be made anew, where no run is at work"
        case .listRuns: "the list of runs shows them"
        case .undoRun(let id): "undo run \(id.hex)"
        case .undoThrough: "they can be undone together, newest first"
        case .resumeRun: "until its record says otherwise"
        case .switchPauseOff: "until its switch is off"
        case .listSteps: "the status lists the steps"
        case .applyUpTo(let version): "the steps before it can be applied, up to \(version)"
        case .allowDangerous: "its plan shows what it would do; the settings can allow it"
        case .revertOrAcceptOrder(let version, let isOne):
            "revert the newer ones first, down to \(version), or accept \(isOne ? "it" : "them") out of order"
        case .declare(let version, let state): "declare step \(version) \(state.rawValue)"
        case .declareEither(let version, _): "declare what step \(version) is"
        case .giveUp: "declaring it reverted gives the step up"
        case .acceptEdit: "declare it applied"
        case .finishReverting: "reverting it goes on where it stopped"
        case .allowZero: "allow it"
        case .nobodyWrites: "nobody else was said to write"
        }
    }
}
