internal import Consistency
internal import Journal
internal import MigrationEngine
internal import Migrations

/// What `migrate plan` prints.
struct PlanResult: CommandResult {
    struct Step: Encodable {
        let version: Int64
        let name: String
        let summary: String
        let state: String
        /// `out-of-order` where a newer step is applied already.
        let problems: [StepProblem]
        let operations: [Operation]
        /// Why the step can't be applied to the data as it is.
        let blockers: [String]
        let left: [ChangeResult.Left]
        /// About how long it would take.
        let estimatedMS: Int64
    }

    struct Operation: Encodable {
        let code: String
        let collection: String
        let operation: String
        let matched: Int
        let access: Access
        let risk: Risk
        let warnings: [String]
        let samples: [JSONValue]
        let estimatedMS: Int64?

        init(_ operation: PlannedOperation) {
            code = operation.code
            collection = operation.collection
            self.operation = operation.operation
            matched = operation.matched
            access = operation.access
            risk = operation.risk
            warnings = operation.warnings
            samples = operation.samples.map(JSONValue.init)
            estimatedMS = operation.estimatedMS
        }
    }

    let command = "migrate plan"
    let database: String
    let series: String
    let pending: Int
    let steps: [Step]
    /// What was passed over in the series' directory.
    let warnings: [String]
    /// The newest applied step, which those that are out of order are older than.
    let newestApplied: Int64?
    /// The newest damage, where a step that mends the bug's is pending.
    var newestDamage: DamageResult?
    /// Whether it was asked to accept them.
    var allowsOutOfOrder = false
    let durationMS: Int64

    private enum CodingKeys: String, CodingKey {
        case command, database, series, pending, steps, warnings, newestDamage, durationMS
    }

    /// Whether a step mends references that are text.
    var hasTextReferences: Bool {
        let codes = [FindingCode.textReference, .emptyReference].map(\.rawValue)
        return steps.flatMap(\.operations).contains { codes.contains($0.code) }
    }

    func lines(_ style: TextStyle) -> [String] {
        guard !steps.isEmpty else { return [style.good("No step is pending in \(database).")] }
        var lines = [style.bold("\(pending) step\(pending == 1 ? " is" : "s are") pending in \(database):")]
        for step in steps { lines += text(step, style) }
        let isCounted = steps.contains { $0.version == ChatMigrations.recount && !$0.operations.isEmpty }
        if isCounted, series == ChatMigrations.series {
            lines.append(
                style.faint(
                    "Counted on the data as it is: steps 2 and 3 move messages to their sessions, which changes what step 5 "
                        + "has to count."))
        }
        if let newestDamage {
            lines.append((newestDamage.recent ? style.warning : style.faint)(newestDamage.sentence))
        }
        return lines
    }

    private func text(_ step: Step, _ style: TextStyle) -> [String] {
        var lines = ["\(step.version) \(style.bold(step.name)): \(step.summary)"]
        if step.problems.contains(.outOfOrder), let newestApplied {
            let refusal = allowsOutOfOrder ? "" : "; `migrate up` refuses it without --allow-out-of-order"
            lines.append(style.bad("    out of order: older than step \(newestApplied), which is applied\(refusal)"))
        }
        if step.state != StepState.pending.rawValue, step.state != StepState.reverted.rawValue {
            lines.append(style.warning("    \(step.state): it is resumed from where it stopped"))
        }
        if step.operations.isEmpty { lines.append("    nothing to do to the data as it is") }
        let rows = TextTable.lines(
            step.operations.map {
                [Readable.count($0.matched), $0.collection, $0.operation, PlainText.tied("(\($0.access), \($0.risk))")]
            },
            indent: "    ", width: style.width)
        for (row, operation) in zip(rows, step.operations) {
            lines.append(operation.risk == .dangerous ? style.bad(row) : row)
            if !operation.samples.isEmpty {
                let shown = JSONValue.shown(operation.samples, of: operation.matched)
                lines += shown.map { style.faint("        such as \($0.text)") }
            }
        }
        lines += Set(step.operations.flatMap(\.warnings)).subtracting(step.blockers).sorted().map {
            style.warning("    note: \($0)")
        }
        lines += step.blockers.map { style.bad("    can't be applied: \($0)") }
        lines += step.left.map {
            style.warning("    leaves \(Readable.count($0.count)) in \($0.collection): \($0.reason)")
        }
        // Shorter times say nothing that anybody would wait for.
        if step.estimatedMS >= 1000 {
            lines.append("    takes about \(Readable.duration(milliseconds: step.estimatedMS / 1000 * 1000))")
        }
        return lines
    }
}

/// What `migrate status` prints.
struct StatusResult: CommandResult {
    struct Step: Encodable {
        let version: Int64
        let name: String
        let summary: String
        let state: String
        let problems: [StepProblem]
        /// Whether it was declared to be so, and not run.
        let marked: Bool
        let startedAt: String?
        let finishedAt: String?
        let durationMS: Int64?
        let host: String?
        let user: String?
        let toolVersion: String?
        let changes: [Change]
        /// What it left as it was, and why.
        let left: [ChangeResult.Left]
        let error: String?
    }

    let command = "migrate status"
    let database: String
    let series: String
    let pending: Int
    let steps: [Step]
    let durationMS: Int64

    func lines(_ style: TextStyle) -> [String] {
        let rows = steps.map { step in
            // What was changed and reverted isn't changed any more.
            let isReverted = step.state == StepState.reverted.rawValue
            let changed = isReverted ? 0 : step.changes.reduce(0) { $0 + $1.changed }
            let left = step.left.reduce(0) { $0 + $1.count }
            let counts =
                (changed > 0 ? ["\(Readable.count(changed)) changed"] : [])
                + (left > 0 ? ["\(Readable.count(left)) left"] : [])
            // A step that is applied and has an error is one that couldn't be reverted.
            let prefix = step.state == StepState.applied.rawValue ? "last `migrate down` failed: " : ""
            let when = step.finishedAt ?? step.startedAt ?? ""
            let who = [step.user, step.host].compactMap { $0 }.joined(separator: "@")
            let took = step.durationMS.map { Readable.duration(milliseconds: $0) } ?? ""
            return [
                "\(step.version)", step.name, step.marked ? "\(step.state) (marked)" : step.state, when, who, took,
                counts.joined(separator: ", "),
                (step.problems.map(\.rawValue) + [step.error].compactMap { $0.map { prefix + $0 } }).joined(
                    separator: "; "),
            ]
        }
        let heading =
            pending == 0
            ? style.good(steps.isEmpty ? "There are no steps." : "Every step is applied.")
            : style.bold("\(pending) pending in \(database):")
        return ([heading] + TextTable.lines(rows)).map(Self.trimmed)
    }

    private static func trimmed(_ line: String) -> String {
        var line = Substring(line)
        while line.hasSuffix(" ") { line = line.dropLast() }
        return String(line)
    }
}
