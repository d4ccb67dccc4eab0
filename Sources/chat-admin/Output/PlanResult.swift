internal import MigrationEngine

/// What `migrate plan` prints.
struct PlanResult: CommandResult {
    struct Step: Encodable {
        let version: Int64
        let name: String
        let summary: String
        let state: String
        let operations: [PlannedOperation]
        /// Why the step can't be applied to the data as it is.
        let blockers: [String]
        let left: [Leftover]
    }

    let command = "migrate plan"
    let database: String
    let pending: Int
    let steps: [Step]
    let durationMS: Int64

    func text(_ style: TextStyle) -> String {
        guard !steps.isEmpty else { return style.good("No step is pending in \(database).") }
        var lines = [style.bold("\(pending) step\(pending == 1 ? " is" : "s are") pending in \(database):")]
        for step in steps {
            lines.append("\(step.version) \(style.bold(step.name)): \(step.summary)")
            if step.operations.isEmpty { lines.append("    nothing to do to the data as it is") }
            lines += TextTable.lines(
                step.operations.map { ["\($0.matched)", $0.collection, $0.operation, "(\($0.access), \($0.risk))"] },
                indent: "    ")
            lines += Set(step.operations.flatMap(\.warnings)).subtracting(step.blockers).sorted().map {
                style.warning("    note: \($0)")
            }
            lines += step.blockers.map { style.bad("    can't be applied: \($0)") }
            lines += step.left.map { style.warning("    leaves \($0.count) in \($0.collection): \($0.reason)") }
        }
        lines.append(
            style.faint(
                "Counted on the data as it is: steps 2 and 3 move messages to their sessions, which changes what step 5 "
                    + "has to count."))
        return lines.joined(separator: "\n")
    }
}

/// What `migrate status` prints.
struct StatusResult: CommandResult {
    struct Step: Encodable {
        let version: Int64
        let name: String
        let summary: String
        let state: String
        let problems: [String]
        let startedAt: String?
        let finishedAt: String?
        let durationMS: Int64?
        let host: String?
        let user: String?
        let toolVersion: String?
        let changes: [Change]
        let error: String?
    }

    let command = "migrate status"
    let database: String
    let pending: Int
    let steps: [Step]
    let durationMS: Int64

    func text(_ style: TextStyle) -> String {
        let rows = steps.map { step in
            let changed = step.changes.reduce(0) { $0 + $1.changed }
            let when = step.finishedAt ?? step.startedAt ?? ""
            let who = [step.user, step.host].compactMap { $0 }.joined(separator: "@")
            let took = step.durationMS.map { "\($0) ms" } ?? ""
            return [
                "\(step.version)", step.name, step.state, when, who, took, changed > 0 ? "\(changed) changed" : "",
                (step.problems + [step.error].compactMap { $0 }).joined(separator: "; "),
            ]
        }
        let heading =
            pending == 0 ? style.good("Every step is applied.") : style.bold("\(pending) pending in \(database):")
        return ([heading] + TextTable.lines(rows)).map(Self.trimmed).joined(separator: "\n")
    }

    private static func trimmed(_ line: String) -> String {
        var line = Substring(line)
        while line.hasSuffix(" ") { line = line.dropLast() }
        return String(line)
    }
}
