internal import Checks
internal import Journal

/// What `check history` prints.
struct CheckHistoryResult: CommandResult {
    struct Item: Encodable {
        let number: Int64
        let at: String
        let mode: String
        let complete: Bool
        let baseline: Bool
        let findings: Int
        let new: Int
        let resolved: Int
        let exitCode: Int32
        let toolVersion: String
        let serverVersion: String
        let durationMS: Int64

        init(_ record: CheckRecord) {
            number = record.number
            at = TimeText.iso8601(record.at)
            (mode, complete, baseline) = (record.mode, record.isComplete, record.isBaseline)
            findings = record.items.reduce(0) { $0 + $1.count }
            (new, resolved, exitCode) = (record.new, record.resolved, record.exitCode)
            (toolVersion, serverVersion) = (record.toolVersion, record.serverVersion)
            durationMS = record.durationMS
        }
    }

    let command = "check history"
    let database: String
    let checks: [Item]

    func lines(_ style: TextStyle) -> [String] {
        guard !checks.isEmpty else { return ["No check of \(database) was recorded; `check --record` does so."] }
        return TextTable.lines(
            checks.map { check in
                let state = check.complete ? (check.baseline ? "baseline" : "") : "not everything was looked at"
                return [
                    "\(check.number)", check.at,
                    PlainText.tied("took \(Readable.duration(milliseconds: check.durationMS))"),
                    PlainText.tied("\(Readable.count(check.findings)) finding\(check.findings == 1 ? "" : "s")"),
                    "\(Readable.count(check.new)) new", "\(Readable.count(check.resolved)) resolved", state,
                ]
            }, indent: "")
    }
}
