package import BSON
package import Consistency

/// What a watch knows to be wrong, and what of that is news. A value without a clock: whoever looks says when.
package struct WatchedFindings: Sendable {
    /// Something that is news.
    package struct News: Sendable {
        /// The finding.
        package let name: FindingName
        package let severity: Severity
        /// The command that mends it, or nil when it is only reported.
        package let repair: String?
        /// How many documents.
        package let count: Int
        /// Identifying fields of some of them; empty for what is right again.
        package let samples: [BSONDocument]
        /// Since when it was known, in milliseconds since 1970; nil for what is new.
        package let since: Int64?

        /// Whether it is right again.
        package var isResolved: Bool { since != nil }
    }

    fileprivate struct Known {
        var severity: Severity
        var repair: String?
        /// The documents' identities; at most ``WatchedFindings/mostKnown``.
        var identities: Set<UInt64> = []
        /// Those that were found since the present round of slices began.
        var confirmed: Set<UInt64> = []
        /// Documents beyond those, which can't be told apart.
        var others = 0
        var since: Int64
        /// Where several documents have one identity: how many they are, as far as all of them were looked at.
        var documents: Int?
    }

    private var known: [FindingName: Known] = [:]
    /// What is accepted: it is known, and no news.
    private var accepted: [Acceptance] = []

    /// More documents of one finding aren't told apart, nor told of.
    static let mostKnown = 100_000

    /// How many documents were new, and right again, since the watch began.
    package private(set) var new = 0
    package private(set) var resolved = 0

    /// Begins with nothing.
    package init() {}

    /// Begins anew with what a check of everything has found: what was known and isn't found any more is right again.
    ///
    /// - Parameters:
    ///   - findings: What was found.
    ///   - comparison: What of it is new, by the recorded checks; nil to compare with what the watch knows.
    ///   - now: The time, in milliseconds since 1970.
    /// - Returns: What is news.
    /// - Throws: `ChecksumError`.
    package mutating func begin(
        _ findings: [Finding], _ comparison: CheckComparison?, now: Int64
    ) throws -> [News] {
        guard let comparison else {
            let all = Set(findings.map(FindingName.init)).union(known.keys)
            return try update(findings, looked: all.map { .everything($0) }, now: now)
        }
        var news: [News] = []
        for (finding, item) in zip(findings, comparison.items) {
            try add(finding, since: item.since ?? now)
            let count = comparison.isBaseline ? finding.count - item.accepted : item.new
            if count > 0 { news.append(Self.news(finding, count, finding.samples)) }
        }
        let right = comparison.isBaseline ? [] : comparison.resolved
        for item in right {
            let code = FindingCode(rawValue: item.name.code)
            news.append(
                News(
                    name: item.name, severity: code?.severity ?? .error, repair: nil, count: item.count, samples: [],
                    since: now))
        }
        // What the first check has found counts as known.
        if !comparison.isBaseline { count(news) }
        return news
    }

    /// Takes what was looked at, and what is wrong of it.
    ///
    /// - Returns: What is news.
    /// - Throws: `ChecksumError`.
    package mutating func update(_ findings: [Finding], _ looked: [Looked], now: Int64) throws -> [News] {
        try update(findings, looked: looked.map { .part($0) }, now: now)
    }

    /// Takes what is accepted now.
    package mutating func accept(_ accepted: [Acceptance], now: Int64) {
        self.accepted = accepted.filter { $0.holds(at: now) }
    }

    private enum Scope {
        case everything(FindingName)
        case part(Looked)
    }

    private mutating func update(_ findings: [Finding], looked: [Scope], now: Int64) throws -> [News] {
        // What was looked at isn't known any more, until it is found again.
        var before: [FindingName: Known] = [:]
        for scope in looked {
            for (name, item) in known {
                let gone = try Self.identities(of: item, name, scope)
                guard let gone else { continue }
                let seen = item.identities.intersection(gone.identities)
                guard !seen.isEmpty || gone.isAll else { continue }
                before[name, default: Known(severity: item.severity, repair: item.repair, since: item.since)].identities
                    .formUnion(gone.isAll ? item.identities : seen)
                if gone.isAll { before[name]?.others = item.others }
                known[name]?.identities.subtract(gone.isAll ? item.identities : seen)
                if gone.isAll {
                    known[name]?.others = 0
                    known[name]?.documents = nil
                }
            }
        }
        var news: [News] = []
        for finding in findings {
            let name = FindingName(finding)
            var earlier = before[name]?.identities ?? []
            var (count, samples) = (0, [BSONDocument]())
            let accepted = accepted.filter { $0.isAbout(name) }
            if accepted.contains(where: { $0.subjects == nil }) {
                before[name]?.identities.subtract(try finding.subjects.map(name.identity))
            } else if finding.hasAllSubjects {
                let taken = try Set(accepted.flatMap { $0.subjects ?? [] }.map(name.identity))
                let isFull = (known[name]?.others ?? 0) > 0
                for subject in finding.subjects {
                    let identity = try name.identity(of: subject)
                    let isKnown = earlier.remove(identity) != nil || known[name]?.identities.contains(identity) ?? false
                    guard !isKnown, !isFull, !taken.contains(identity) else { continue }
                    count += 1
                    guard samples.count < Finding.sampleLimit else { continue }
                    // Of those that are known the samples may be.
                    let shown = finding.samples.first { $0.elements.contains { $0.value == subject } }
                    samples.append(shown ?? [finding.code.kind == .document ? "_id" : name.field ?? "_id": subject])
                }
                before[name]?.identities = earlier
            } else {
                count = max(0, finding.count - (before[name]?.count ?? 0))
                samples = finding.samples
                before[name] = nil
            }
            try add(finding, since: before[name]?.since ?? known[name]?.since ?? now)
            if count > 0 { news.append(Self.news(finding, count, Array(samples.prefix(Finding.sampleLimit)))) }
        }
        for (name, item) in before.sorted(by: { $0.key < $1.key }) where item.count > 0 {
            news.append(
                News(
                    name: name, severity: item.severity, repair: nil, count: item.count, samples: [], since: item.since)
            )
        }
        known = known.filter { $0.value.count > 0 }
        count(news)
        return news
    }

    /// Ends a round of slices of a collection: what is known of its documents and wasn't found in it is gone.
    ///
    /// Counters settle over the end of a round, and are left.
    ///
    /// - Returns: What is right again.
    package mutating func endRound(of collection: String) -> [News] {
        var news: [News] = []
        for (name, item) in known.sorted(by: { $0.key < $1.key }) where name.collection == collection {
            guard let code = FindingCode(rawValue: name.code), !code.isOfGroups, code.kind == .document else {
                continue
            }
            let gone = item.identities.subtracting(item.confirmed)
            known[name]?.confirmed = []
            known[name]?.identities.subtract(gone)
            guard !gone.isEmpty else { continue }
            news.append(
                News(
                    name: name, severity: item.severity, repair: nil, count: gone.count, samples: [],
                    since: item.since))
        }
        known = known.filter { $0.value.count > 0 }
        count(news)
        return news
    }

    private mutating func count(_ news: [News]) {
        for item in news { if item.isResolved { resolved += item.count } else { new += item.count } }
    }

    private mutating func add(_ finding: Finding, since: Int64) throws {
        let name = FindingName(finding)
        let isFirst = known[name] == nil || known[name]?.identities.isEmpty ?? true
        var item = known[name] ?? Known(severity: finding.severity, repair: finding.repair, since: since)
        item.documents = finding.code.isOfGroups && isFirst ? finding.count : nil
        if finding.hasAllSubjects {
            let identities = try Set(finding.subjects.map(name.identity)).union(finding.carried)
            let room = Self.mostKnown - item.identities.count
            let fresh = identities.subtracting(item.identities)
            item.identities.formUnion(fresh.prefix(max(room, 0)))
            item.confirmed.formUnion(identities)
            item.others += max(fresh.count - max(room, 0), 0)
        } else {
            item.others += finding.count
        }
        known[name] = item
    }

    private static func news(_ finding: Finding, _ count: Int, _ samples: [BSONDocument]) -> News {
        News(
            name: FindingName(finding), severity: finding.severity, repair: finding.repair, count: count,
            samples: samples, since: nil)
    }

    /// Of what is known of a finding, what was looked at; nil for nothing.
    private static func identities(
        of item: Known, _ name: FindingName, _ scope: Scope
    ) throws -> (identities: Set<UInt64>, isAll: Bool)? {
        guard let code = FindingCode(rawValue: name.code) else { return nil }
        switch scope {
        case .everything(let other): return name == other ? ([], true) : nil
        case .part(.all(let codes, let collection, let field)):
            return codes.contains(code) && name.collection == collection && name.field == field ?? name.field
                ? ([], true) : nil
        case .part(.documents(let ids, let collection)):
            return try identities(ids, collection, name, code.kind == .document)
        case .part(.identities(let ids, let collection)):
            return try identities(ids, collection, name, code.kind == .identity)
        case .part(.counters(let ids, let collection)):
            return try identities(ids, collection, name, code.kind == .counter)
        }
    }

    private static func identities(
        _ ids: [BSONValue], _ collection: String, _ name: FindingName, _ isMeant: Bool
    ) throws -> (identities: Set<UInt64>, isAll: Bool)? {
        guard isMeant, name.collection == collection else { return nil }
        return (try Set(ids.map(name.identity)), false)
    }

    /// By collection, the fields in which references to what isn't there are known.
    package var orphaned: [String: Set<String>] { FindingName.orphaned(known.keys) }

    /// How many documents are known to be wrong.
    package var count: Int { known.values.reduce(0) { $0 + $1.count } }

    /// What is known, as a record keeps it.
    ///
    /// - Returns: By name.
    /// - Throws: `ChecksumError`.
    package func items() throws -> [CheckRecord.Item] {
        try known.sorted { $0.key < $1.key }.map { name, item in
            let isOfGroups = FindingCode(rawValue: name.code)?.isOfGroups ?? false
            // A later check can go on from what is told apart alone.
            let isExact = item.others == 0 && (item.documents != nil || !isOfGroups)
            var kept = CheckRecord.Item(
                name: name, severity: item.severity.rawValue, count: item.count,
                identities: isExact ? item.identities.sorted() : nil, since: item.since)
            kept.accepted = try acceptedCount(item, name)
            return kept
        }
    }

    /// How many documents of a finding are accepted, as a check counts them.
    private func acceptedCount(_ item: Known, _ name: FindingName) throws -> Int {
        let accepted = accepted.filter { $0.isAbout(name) }
        if accepted.contains(where: { $0.subjects == nil }) { return item.count }
        let taken = try Set(accepted.flatMap { $0.subjects ?? [] }.map(name.identity)).intersection(item.identities)
        return taken.count == item.identities.count && item.others == 0 ? item.count : taken.count
    }
}

extension WatchedFindings.Known {
    fileprivate var count: Int { documents ?? identities.count + others }
}

extension FindingCode {
    fileprivate enum Kind {
        case identity, document, counter, catalogue
    }

    /// What it is found in.
    fileprivate var kind: Kind {
        switch self {
        case .emptyID, .nullID, .textID, .foreignID: .identity
        case .missingGuard, .missingIndex, .unfinishedRun: .catalogue
        case _ where isOfCounter: .counter
        default: .document
        }
    }

    /// Whether one of its subjects may stand for several documents: an account, or a name that is taken twice.
    var isOfGroups: Bool {
        switch self {
        case .orphan, .duplicateUser, .lookalikeUser: true
        default: false
        }
    }
}
