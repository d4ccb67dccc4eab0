internal import BSON
internal import FoundationEssentials
internal import Journal

/// What `runs list` prints.
struct RunsResult: CommandResult {
    struct Item: Encodable {
        let run: String
        let command: String
        let state: String
        let startedAt: String?
        let finishedAt: String?
        let user: String?
        let host: String?
        let changed: Int
        let undone: Bool

        init(_ record: RunRecord) {
            run = record.id.hex
            command = record.command
            state = record.state
            startedAt = record.startedAt.map(TimeText.iso8601)
            finishedAt = record.finishedAt.map(TimeText.iso8601)
            user = record.user
            host = record.host
            changed = record.changes.reduce(0) { $0 + $1.changed }
            undone = record.isUndone
        }
    }

    let command = "runs list"
    let database: String
    let runs: [Item]

    func lines(_ style: TextStyle) -> [String] {
        guard !runs.isEmpty else { return ["No run has changed \(database)."] }
        return TextTable.lines(
            runs.map { run in
                [
                    run.run, run.startedAt ?? "", run.command, run.undone ? "\(run.state), undone" : run.state,
                    PlainText.tied("\(Readable.count(run.changed)) changed"),
                    [run.user, run.host].compactMap { $0 }.joined(separator: "@"),
                ]
            }, indent: "")
    }
}

/// What `runs show` prints.
struct RunResult: CommandResult {
    /// One thing that the run did.
    struct Operation: Encodable {
        let step: Int64?
        let collection: String
        let operation: String
        /// Which documents, as Extended JSON; absent where no filter says so.
        let filter: JSONValue?
        let changed: Int
        let durationMS: Int64

        init(_ record: OperationRecord) {
            step = record.step
            collection = record.collection
            operation = record.operation
            filter = record.filter.map(JSONValue.init)
            changed = record.changed
            durationMS = record.durationMS
        }
    }

    let command = "runs show"
    let database: String
    let run: RunsResult.Item
    let arguments: [String]
    let error: String?
    let changes: [Change]
    let left: [ChangeResult.Left]
    let operations: [Operation]
    let journal: [JournalSummary]

    func lines(_ style: TextStyle) -> [String] {
        var lines = [
            style.bold("Run \(run.run): \(run.command), \(run.undone ? "\(run.state), undone" : run.state)"),
            "Started \(run.startedAt ?? "?"), ended \(run.finishedAt ?? "not yet"), by \(run.user ?? "?") on \(run.host ?? "?")",
        ]
        if !arguments.isEmpty { lines.append("Arguments: \(arguments.joined(separator: " "))") }
        if let error { lines.append(style.bad("Error: \(error)")) }
        if !operations.isEmpty { lines.append("Operations:") }
        lines += TextTable.lines(
            operations.map { item in
                [
                    item.step.map { "step \($0)" } ?? "", item.collection, item.operation,
                    "\(Readable.count(item.changed)) changed",
                    Readable.duration(milliseconds: item.durationMS), item.filter?.text ?? "",
                ]
            })
        lines.append("Journal:")
        lines += TextTable.lines(
            journal.map { item in
                [
                    item.kind, item.collection, item.code, item.state,
                    item.entries == 1 ? "1 entry" : "\(Readable.count(item.entries)) entries", Self.subject(item),
                    item.undone > 0 ? "\(item.undone) undone" : "",
                ]
            })
        lines += ChangeResult.Left.lines(left, style)
        return lines
    }

    /// What entries of a kind speak of, where it can be counted.
    private static func subject(_ item: JournalSummary) -> String {
        let noun: String
        switch item.kind {
        case "validator", "collection", "dropped": return ""
        case "indexes": noun = item.documents == 1 ? "index" : "indexes"
        default: noun = item.documents == 1 ? "document" : "documents"
        }
        return "\(Readable.count(item.documents)) \(noun)"
    }
}

/// Times as results print them.
enum TimeText {
    /// ISO 8601 in UTC, from milliseconds since 1970.
    static func iso8601(_ milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(.iso8601)
    }

    /// The last day before a moment, in UTC, such as `2027-03-31`.
    static func lastDay(_ milliseconds: Int64) -> String { String(iso8601(milliseconds - 1).prefix(10)) }
}
