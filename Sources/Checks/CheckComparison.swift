package import BSON
package import Consistency

/// What of a check's findings is new, known, or accepted, and what is right again: compared with the last checks that
/// looked for the same. A pure function of its arguments.
package struct CheckComparison: Sendable {
    /// What has become of one finding.
    package struct Item: Sendable {
        /// The finding.
        package let name: FindingName
        /// The documents that the last recorded check didn't find; none where nothing was recorded.
        package var new = 0
        /// Some of them, in the check's order; none where they can't be told apart.
        package var newSubjects: [BSONValue] = []
        /// Those that it did.
        package var known = 0
        /// Those that somebody has accepted, whether new or known.
        package var accepted = 0
        /// Since when each recorded check has found it, in milliseconds since 1970; nil where nothing was recorded.
        package var since: Int64?
    }

    /// Documents of a finding that are right again, or gone.
    package struct Resolved: Sendable, Equatable {
        /// The finding.
        package let name: FindingName
        /// How many.
        package let count: Int
    }

    /// The findings, in the check's order.
    package private(set) var items: [Item] = []
    /// What isn't found any more.
    package private(set) var resolved: [Resolved] = []
    /// Whether no recorded check has looked for any of it.
    package private(set) var isBaseline = true
    /// What no recorded check has looked for in this way: none of it can be new.
    package private(set) var uncompared: [FindingCode] = []

    /// Compares a check with those before it.
    ///
    /// - Parameters:
    ///   - report: What was found.
    ///   - codes: What was looked for.
    ///   - records: The recorded checks, newest first.
    ///   - accepted: What is accepted.
    ///   - now: The time, in milliseconds since 1970.
    /// - Throws: `ChecksumError`.
    package init(
        _ report: CheckReport, codes: Set<FindingCode>, records: [CheckRecord], accepted: [Acceptance], now: Int64
    ) throws {
        let accepted = accepted.filter { $0.holds(at: now) }
        // By code, the last check that looked at all of it.
        var last: [String: CheckRecord] = [:]
        for record in records where record.isComplete {
            // A check that didn't look for their cause tells what follows from it as findings of their own.
            let isAlike = record.codes.contains(FindingCode.textID.rawValue) == codes.contains(.textID)
            for code in record.codes where last[code] == nil && (isAlike || !code.hasPrefix("ref.")) {
                last[code] = record
            }
        }
        isBaseline = !codes.contains { last[$0.rawValue] != nil }
        uncompared = FindingCode.allCases.filter { codes.contains($0) && last[$0.rawValue] == nil }
        var found: Set<FindingName> = []
        for finding in report.findings {
            let name = FindingName(finding)
            found.insert(name)
            let record = last[name.code]
            let (item, right) = try Self.compare(finding, name, record, accepted.filter { $0.isAbout(name) })
            items.append(item)
            if right > 0 { resolved.append(Resolved(name: name, count: right)) }
        }
        // What wasn't looked at may be as it was.
        guard report.unchecked.isEmpty else { return }
        for (code, record) in last where codes.contains(where: { $0.rawValue == code }) {
            for item in record.items where item.name.code == code && !found.contains(item.name) {
                resolved.append(Resolved(name: item.name, count: item.count))
            }
        }
        resolved.sort { $0.name < $1.name }
    }

    /// - Returns: What has become of a finding, and how many of its documents aren't found any more.
    private static func compare(
        _ finding: Finding, _ name: FindingName, _ record: CheckRecord?, _ accepted: [Acceptance]
    ) throws -> (Item, Int) {
        var item = Item(name: name)
        let before = record?.items.first { $0.name == name }
        item.since = before?.since
        let isAllAccepted = accepted.contains { $0.subjects == nil }
        let identities = finding.hasAllSubjects ? try finding.subjects.map(name.identity) + finding.carried : nil
        guard let identities, record == nil || before == nil || before?.identities != nil else {
            // Too many to be told apart: by their number.
            let known = min(finding.count, before?.count ?? (record == nil ? finding.count : 0))
            item.accepted = isAllAccepted ? finding.count : 0
            (item.new, item.known) = isAllAccepted ? (0, 0) : (finding.count - known, known)
            return (item, max((before?.count ?? 0) - finding.count, 0))
        }
        let acceptedIDs = try Set(accepted.flatMap { $0.subjects ?? [] }.map(name.identity))
        let earlier = Set(before?.identities ?? [])
        // A group, such as users with one name, counts for all of its documents.
        let weight = identities.isEmpty ? 0 : finding.count
        var (new, known, taken) = (0, 0, 0)
        for (index, identity) in identities.enumerated() {
            if isAllAccepted || acceptedIDs.contains(identity) {
                taken += 1
            } else if record == nil || earlier.contains(identity) {
                known += 1
            } else {
                new += 1
                if index < finding.subjects.count, item.newSubjects.count < Finding.sampleLimit {
                    item.newSubjects.append(finding.subjects[index])
                }
            }
        }
        let isByDocument = identities.count == weight
        item.new = isByDocument ? new : (new > 0 ? max(weight - (before?.count ?? 0), new) : 0)
        item.accepted = isByDocument ? taken : (taken == identities.count ? weight : taken)
        item.known = weight - item.new - item.accepted
        return (item, earlier.subtracting(identities).count)
    }
}
