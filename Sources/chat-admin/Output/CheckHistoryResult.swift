internal import Checks
internal import Consistency
internal import Journal

/// What `check history` prints.
struct CheckHistoryResult: CommandResult {
    struct Item: Encodable {
        let number: Int64
        let at: String
        let mode: String
        /// The codes that it looked for; nil for all.
        let only: [String]?
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
            only = record.isOfAllCodes ? nil : record.codes
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
    /// What records a check where these are.
    fileprivate let recording: String

    private enum CodingKeys: String, CodingKey {
        case command, database, checks
    }

    init(database: String, _ records: [CheckRecord], recording: String) {
        (self.database, self.recording) = (database, recording)
        checks = records.map(Item.init)
    }

    func lines(_ style: TextStyle) -> [String] {
        guard !checks.isEmpty else { return ["No check of \(database) was recorded; `check \(recording)` does so."] }
        return TextTable.lines(
            checks.map { check in
                return [
                    "\(check.number)", check.at,
                    PlainText.tied("took \(Readable.duration(milliseconds: check.durationMS))"),
                    PlainText.tied(Readable.counted(check.findings, "finding")),
                    "\(Readable.count(check.new)) new", "\(Readable.count(check.resolved)) resolved",
                    check.remarks.joined(separator: "; "),
                ]
            }, indent: "")
    }
}

extension CheckHistoryResult.Item {
    /// What tells it from a check that looked at everything, and was compared with another one.
    fileprivate var remarks: [String] {
        var remarks: [String] = []
        if !complete { remarks.append("not everything was looked at") } else if baseline { remarks.append("baseline") }
        if mode == CheckRecord.incrementalMode { remarks.append("incremental") }
        if let only { remarks.append(FindingCode.part(only)) }
        return remarks
    }
}

extension FindingCode {
    /// Which part of all codes some are: `only ref, id.empty`, or, where that is shorter, `all but count.wrong`.
    fileprivate static func part(_ codes: [String]) -> String {
        let others = allCases.map(\.rawValue).filter { !codes.contains($0) }
        return others.count < codes.count
            ? "all but \(named(others).joined(separator: ", "))" : "only \(named(codes).joined(separator: ", "))"
    }

    /// Codes as --only takes them: by their kind, such as `ref`, where there are several of it and all are meant.
    private static func named(_ codes: [String]) -> [String] {
        var names: [String] = []
        for code in codes {
            let kind = String(code.prefix { $0 != "." })
            let ofKind = allCases.map(\.rawValue).filter { $0.hasPrefix("\(kind).") }
            let name = ofKind.count > 1 && ofKind.allSatisfy(codes.contains) ? kind : code
            if !names.contains(name) { names.append(name) }
        }
        return names
    }
}
