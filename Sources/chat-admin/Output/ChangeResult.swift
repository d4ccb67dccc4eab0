internal import BSON
internal import Journal

/// What every command prints that changes the database: `repair`, `migrate up`, `migrate down`, `seed`, `runs undo`.
struct ChangeResult: CommandResult {
    struct Step: Encodable {
        let version: Int64
        let name: String
        let state: String
        let durationMS: Int64
    }

    /// What was left, why, and which documents.
    struct Left: Encodable {
        let code: String
        let collection: String
        /// The field, where it is known.
        let field: String?
        let count: Int
        let reason: String
        let samples: [JSONValue]

        init(_ leftover: Leftover, _ words: AdviceWords, field: String? = nil, samples: [JSONValue]? = nil) {
            self.field = field ?? leftover.field
            code = leftover.code
            collection = leftover.collection
            count = leftover.count
            reason = words.text(leftover.reason)
            self.samples = samples ?? leftover.samples.map { JSONValue(["_id": $0]) }
        }

        /// The lines that show a list of them; none for an empty list.
        static func lines(_ left: [Left], _ style: TextStyle) -> [String] {
            guard !left.isEmpty else { return [] }
            let rows = TextTable.lines(
                left.map { left in
                    return [
                        left.code, Readable.place(left.collection, left.field), Readable.count(left.count), left.reason,
                    ]
                })
            let samples = left.map { $0.samples.map { style.faint("    \($0.text)") } }
            return [style.warning("Left as it is:")] + zip(rows, samples).flatMap { [$0] + $1 }
        }
    }

    let command: String
    let database: String
    /// The run's id; nil when nothing was written.
    let run: String?
    let dryRun: Bool
    let changes: [Change]
    let left: [Left]
    var steps: [Step]?
    /// The runs that were undone, in order, for `runs undo`.
    var undone: [UndoResult.Undone]?
    /// What was seeded, for `seed`.
    var seeded: SeedResult?
    /// The server, for `seed`.
    var place: Place?
    /// The newest damage, for `migrate up`.
    var newestDamage: DamageResult?
    /// Whether the run did something that the journal can't undo.
    var isUnjournalled = false
    /// Whether the text is part of a question, before anything was done.
    var isQuestion = false
    let durationMS: Int64

    private enum CodingKeys: String, CodingKey {
        case command, database, run, dryRun, changes, left, steps, undone, seeded, newestDamage, durationMS
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(command, forKey: .command)
        try container.encode(database, forKey: .database)
        // Present even when it is null: readers look for it.
        try container.encode(run, forKey: .run)
        try container.encode(dryRun, forKey: .dryRun)
        try container.encode(changes, forKey: .changes)
        try container.encode(left, forKey: .left)
        try container.encodeIfPresent(steps, forKey: .steps)
        try container.encodeIfPresent(undone, forKey: .undone)
        try container.encodeIfPresent(seeded, forKey: .seeded)
        try container.encodeIfPresent(newestDamage, forKey: .newestDamage)
        try container.encode(durationMS, forKey: .durationMS)
    }

    func lines(_ style: TextStyle) -> [String] {
        var lines: [String] = []
        for step in steps ?? [] {
            let state = dryRun && command == "migrate down" ? " would be reverted" : ": \(step.state)"
            lines.append("Step \(step.version) (\(step.name))\(state)")
        }
        // Of one it goes without saying.
        for run in undone ?? [] where (undone?.count ?? 0) > 1 {
            lines.append(
                "Run \(run.run) (\(run.command)): \(Readable.count(run.changed)) "
                    + (dryRun ? "would be changed back" : "changed back")
                    + (run.left == 0 ? "" : ", \(Readable.count(run.left)) left"))
        }
        if let seeded {
            let hosts = place?.hosts.joined(separator: ",") ?? ""
            lines += seeded.lines("\(database) at \(hosts)", dryRun: dryRun, style)
        }
        if changes.isEmpty {
            lines.append(dryRun ? "Nothing would be changed." : "Nothing to change.")
        } else {
            let total = changes.reduce(0) { $0 + $1.changed }
            lines.append(
                style.bold(dryRun ? "Would change \(Readable.count(total)):" : "Changed \(Readable.count(total)):"))
            lines += TextTable.lines(changes.map { [$0.code, $0.collection, Readable.count($0.changed)] })
        }
        lines += Left.lines(left, style)
        // A run has been told before it began.
        if dryRun, let newestDamage { lines.append(newestDamage.sentence) }
        if let run {
            let isFinal = ["runs undo", "migrate down", "migrate mark", "migrate baseline"].contains(command)
            let what = isUnjournalled ? "what the journal holds of it, not all," : "it"
            let undo = isFinal ? "." : "; \(PlainText.tied("`chat-admin runs undo \(run)`")) undoes \(what)."
            lines.append(style.faint("Run \(run) took \(Readable.duration(milliseconds: durationMS))\(undo)"))
        } else if dryRun, !isQuestion {
            lines.append(style.faint("Nothing was written."))
        }
        return lines
    }
}
