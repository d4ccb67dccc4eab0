internal import BSON
internal import Chat
internal import Consistency
internal import Journal
internal import MigrationEngine
internal import Migrations
internal import StepFiles

/// Puts advice into words: which command to run, with which options.
struct AdviceWords: Sendable {
    /// What names the steps that the command was about: without it an advised command would be about the built-in ones.
    private let series: String

    /// The words for the built-in steps.
    init() { series = "" }

    /// The words for the steps of a directory.
    ///
    /// - Parameter series: The series' name, where it was given one.
    init(steps: String, series: String?) {
        self.series = " --steps \(Self.quoted(steps))" + (series.map { " --series \(Self.quoted($0))" } ?? "")
    }

    /// Text as a shell takes it for one word.
    static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: #"'\''"#) + "'"
    }

    /// A sentence with its advice in words.
    func text(_ sentence: Sentence) -> String { sentence.text(words) }

    /// A `migrate` command, to be typed as it stands.
    ///
    /// - Parameter other: The series that it is about, where that may not be the one that the command was about.
    func migrate(_ arguments: String, of other: String? = nil) -> String {
        guard series.isEmpty, let other, other != ChatMigrations.series else {
            return "`migrate \(arguments)\(series)`"
        }
        return "`migrate \(arguments) --steps DIR --series \(Self.quoted(other))`"
    }

    /// Advice in words: which command to run, with which options.
    func words(_ advice: any Advice) -> String {
        switch advice {
        case let advice as EngineAdvice: words(engine: advice)
        case let advice as StepFileAdvice: words(files: advice)
        case let advice as RepairAdvice: words(repair: advice)
        case SeedAdvice.resetPasswords: "--reset-passwords changes it"
        case SeedAdvice.update: "--update changes it"
        case SeedAdvice.reset: "--reset makes it anew"
        default: advice.words
        }
    }

    private func words(engine advice: EngineAdvice) -> String {
        switch advice {
        case .again: "run the same command again to resume"
        case .waitForLease:
            "wait for it to end (--wait SECONDS), or look at it with `runs list`. A run that was killed holds it for half a "
                + "minute at most; `migrate unlock --force` stops any run"
        case .remakeLease: "`migrate unlock --force` makes a lease anew, where no run is at work"
        case .listRuns: "`runs list` shows them"
        case .undoRun(let id): "`runs undo \(id.hex)`"
        case .undoThrough(let id): "`runs undo --through \(id.hex)` undoes them all, newest first"
        case .resumeRun(let id): "`runs resume \(id.hex)` continues"
        case .switchPauseOff: "SIGUSR2 continues"
        case .listSteps: "\(migrate("status")) lists the steps"
        case .applyUpTo(let version): "\(migrate("up --to \(version)")) applies the steps before it"
        case .allowDangerous: "\(migrate("plan")) shows what it would do; --allow-dangerous lets it"
        case .revertOrAcceptOrder(let version, let isOne):
            "revert the newer ones first (\(migrate("down --to \(version)"))), or apply \(isOne ? "it" : "them") all the same "
                + "(--allow-out-of-order)"
        case .declare(let version, let state): "say so with \(migrate("mark \(version) \(state.rawValue)"))"
        case .declareEither(let version, let series):
            "say what the step is with \(migrate("mark \(version) applied", of: series)), or reverted"
        case .giveUp(let version): "\(migrate("mark \(version) reverted")) gives the step up"
        case .acceptEdit(let version): "accept it with \(migrate("mark \(version) applied"))"
        case .finishReverting(let series): "\(migrate("down", of: series)) reverts the rest"
        case .allowZero: "say --zero-counts"
        case .nobodyWrites: "--offline says that nobody writes"
        }
    }

    private func words(files advice: StepFileAdvice) -> String {
        switch advice {
        case .baseline: "declare them applied with \(migrate("baseline --from golang-migrate"))"
        case .nameVersionCollection: "name that with --from-collection"
        case .finishOrUndo(let direction):
            "finish that with \(migrate(direction.rawValue)), or undo what it did with `runs undo`"
        case .undoRun: "undo what it did with `runs undo`"
        case .undoRunAndByHand: "undo what it did with `runs undo`, and by hand what that leaves"
        case .makeDirectory(let path): "`migrate create NAME --steps \(Self.quoted(path))` makes one"
        case .nameSeries: "give one with --series"
        }
    }

    private func words(repair advice: RepairAdvice) -> String {
        switch advice {
        case .migrate: "`migrate up` makes it"
        case .seedCompletes: "`seed` completes its own users"
        case .repairIDs: "`repair ids` mends that"
        case .repairCounts: "`repair counts` tries again"
        }
    }
}
