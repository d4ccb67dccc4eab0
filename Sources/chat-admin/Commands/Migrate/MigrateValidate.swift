internal import ArgumentParser
internal import BSON
internal import Journal
import MigrationEngine

/// Looks whether steps and ledger agree.
struct MigrateValidate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Look whether the steps and the database's ledger agree; change nothing.",
        discussion: """
            Exits 1 when a step was edited since it was applied, is missing here, is older than the newest applied one, \
            failed, is half applied, or has left something as it was; 65 when a step's file can't be used. Pending steps are no problem.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var series: SeriesOptions

    func run() async throws {
        try await MigrationSession.run("migrate validate", options, series, isWhole: true) { session in
            let start = ContinuousClock.now
            try MigrationPlanner.check(session.runner.known)
            let status = try await session.runner.status(session.database)
            let problems = status.flatMap { ValidateResult.Problem.list($0, series.words) }
            let result = ValidateResult(
                database: session.database.name, series: session.runner.series, valid: problems.isEmpty,
                steps: status.count, problems: problems, warnings: session.warnings,
                durationMS: (ContinuousClock.now - start).milliseconds)
            try session.console.print(result, options.format)
            return problems.isEmpty ? .done : .findings
        }
    }
}

/// What `migrate validate` prints.
struct ValidateResult: CommandResult {
    struct Problem: Encodable {
        let version: Int64
        let name: String
        /// `edited`, `missing`, `out-of-order`, `left`, or the state of a step that isn't whole.
        let problem: String
        /// What it means, and what to do.
        let message: String

        static func list(_ status: StepStatus, _ words: AdviceWords) -> [Problem] {
            var list = status.problems.map {
                Problem(
                    version: status.version, name: status.name, problem: $0.rawValue,
                    message: $0.advice(status, words))
            }
            switch status.state {
            case .failed:
                let reason = status.row?.failure.map { " (\($0.words))" } ?? ""
                let advice =
                    status.row?.failure?.isUndecided ?? false
                    ? "" : "; remove the cause, then the same command resumes it"
                list.append(
                    Problem(
                        version: status.version, name: status.name, problem: "failed",
                        message: "it failed\(reason)\(advice)"))
            case .applying, .reverting:
                let verb = status.state == .applying ? "applied" : "reverted"
                let command = status.state == .applying ? "up" : "down"
                let undecided = status.row?.failure?.isUndecided ?? false ? status.row?.failure?.words : nil
                list.append(
                    Problem(
                        version: status.version, name: status.name, problem: status.state.rawValue,
                        message: undecided
                            ?? "it is half \(verb), or being \(verb) just now; \(words.migrate(command)) finishes it"))
            case .pending, .applied, .reverted: break
            }
            return list + left(status, words)
        }

        /// What a step hasn't done, or reverted.
        private static func left(_ status: StepStatus, _ words: AdviceWords) -> [Problem] {
            guard let row = status.row, !row.leftovers.isEmpty else { return [] }
            let isReverted = status.state == .reverted || status.state == .reverting
            let list = row.leftovers.map { left in
                let samples = left.samples.map { ", " + JSONValue(["_id": $0]).text }
                return "\(left.count) in \(left.collection) (\(words.text(left.reason))\(samples.joined()))"
            }
            return [
                Problem(
                    version: status.version, name: status.name, problem: "left",
                    message:
                        "it left \(list.joined(separator: ", ")). Look at them; once they are as they should be, say so "
                        + "with " + words.migrate("mark \(status.version) \(isReverted ? "reverted" : "applied")"))
            ]
        }
    }

    let command = "migrate validate"
    let database: String
    let series: String
    let valid: Bool
    let steps: Int
    let problems: [Problem]
    let warnings: [String]
    let durationMS: Int64

    func lines(_ style: TextStyle) -> [String] {
        guard !valid else {
            return [style.good("The steps of \(series) (\(steps)) and the ledger of \(database) agree.")]
        }
        return problems.map { style.bad("Step \($0.version) (\($0.name)): \($0.message).") }
    }
}

extension StepProblem {
    /// What it means for a step, and what to do.
    fileprivate func advice(_ status: StepStatus, _ words: AdviceWords) -> String {
        switch self {
        case .edited:
            "it has been edited since it was applied; restore its source and put the change into a new step, or accept "
                + "it with " + words.migrate("mark \(status.version) applied")
        case .missing:
            "the database has it applied, and it is missing here; use the version, or the directory, that applied it, "
                + "or give it up with " + words.migrate("mark \(status.version) reverted")
        case .outOfOrder:
            "it is pending, and a newer step is applied; apply it with "
                + words.migrate("up --allow-out-of-order") + ", or give it a new version"
        }
    }
}
