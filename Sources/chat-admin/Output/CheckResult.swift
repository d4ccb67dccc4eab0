internal import Chat
internal import Checks
internal import Consistency
internal import FoundationEssentials
internal import Journal
internal import Migrations
internal import MongoDriver

/// What `check` prints.
struct CheckResult: CommandResult {
    struct Item: Encodable {
        let code: String
        let severity: String
        let collection: String
        let field: String?
        let count: Int
        let samples: [JSONValue]
        let repair: String?
        /// How many of them the last recorded check didn't find, how many it did, and how many are accepted; nil where no
        /// check was compared.
        var new: Int?
        var known: Int?
        var accepted: Int?
        /// Since when each recorded check has found it.
        var since: String?
        /// How many of them were found before, and haven't changed since; nil for none, and where everything was looked at.
        let carried: Int?
        /// Some of the new ones; nil for none.
        var newSamples: [JSONValue]?
        /// What is wrong for this reason alone; nil for nothing.
        let consequences: [Consequence]?
    }

    struct Consequence: Encodable {
        let code: String
        let collection: String
        let field: String?
        let count: Int

        init(_ consequence: Finding.Consequence) {
            code = consequence.code.rawValue
            (collection, field, count) = (consequence.collection, consequence.field, consequence.count)
        }

        init(_ resolved: CheckComparison.Resolved) {
            (code, collection, field) = (resolved.name.code, resolved.name.collection, resolved.name.field)
            count = resolved.count
        }
    }

    /// What `check --incremental` has looked at.
    struct Coverage: Encodable {
        /// `incremental`, or `full` where it couldn't be told what has changed.
        let mode: String
        /// Why everything was looked at.
        var reason: String?
        /// The recorded check since which it looked at what has changed.
        var since: Int64?
        var sinceAt: String?
        /// By what it is known what has changed: `changeStream` or `index`.
        var by: String?
        /// How many documents had changed.
        var changed: [String: Int]?
        /// How many were looked at besides, as a part of the whole; nil for none.
        var slice: [String: Int]?

        init(fullBecause reason: String) { (mode, self.reason) = ("full", reason) }

        init(_ coverage: CheckCoverage) {
            mode = "incremental"
            (since, sinceAt) = (coverage.since, TimeText.iso8601(coverage.sinceAt))
            (by, changed) = (coverage.source.rawValue, coverage.changed)
            slice = coverage.slices.isEmpty ? nil : coverage.slices
        }

        /// What it says, in words.
        var sentences: [String] {
            if let reason { return ["Everything was looked at, not only what has changed: \(reason)."] }
            func list(_ counts: [String: Int]) -> String {
                let parts = counts.sorted { $0.key < $1.key }.map { "\(Readable.count($0.value)) \($0.key)" }
                return parts.isEmpty ? "nothing" : parts.joined(separator: ", ")
            }
            let source =
                by == CheckCoverage.Source.index.rawValue
                ? "indexes tell (no stream of changes)" : "the stream of changes tells"
            var sentences = [
                "Changed since check \(since ?? 0) (\(sinceAt ?? "")), as far as \(source): \(list(changed ?? [:])). What else was found then is taken over."
            ]
            if let slice { sentences.append("Besides, the next part of the whole: \(list(slice)).") }
            return sentences
        }
    }

    /// What was kept of the check.
    struct Recorded: Encodable {
        let number: Int64
        let at: String
        /// Whether there was none to compare it with.
        let baseline: Bool

        init(_ record: CheckRecord) {
            (number, at, baseline) = (record.number, TimeText.iso8601(record.at), record.isBaseline)
        }
    }

    struct Unsettled: Encodable {
        let collection: String
        let count: Int
        let samples: [JSONValue]

        init(_ unsettled: CheckReport.Unsettled) {
            (collection, count) = (unsettled.collection, unsettled.count)
            samples = unsettled.samples.map(JSONValue.init)
        }
    }

    let command = "check"
    let database: String
    let clean: Bool
    let complete: Bool
    /// The moment that the data looked at are not older than, as ISO 8601 text.
    let asOf: String
    /// What wasn't looked at, where the check isn't complete.
    let unchecked: [String]?
    /// Whether the data were so far behind that a person wants to know.
    private let isOld: Bool
    /// An idle primary writes every ten seconds.
    private static let noticeable = Duration.seconds(15)
    let findings: [Item]
    /// What the last recorded check found, and isn't found any more; nil where no check was compared.
    let resolved: [Consequence]?
    /// What was looked at; nil without --incremental.
    var coverage: Coverage?
    /// The record that was kept of this check.
    let recorded: Recorded?
    /// The newest damage, where there is any whose time is known.
    let newestDamage: DamageResult?
    let scanned: [String: Int]
    /// The counts that were being changed at every look; nil for none.
    let unsettled: [Unsettled]?
    let durationMS: Int64

    private enum CodingKeys: String, CodingKey {
        case command, database, clean, complete, asOf, unchecked, findings, resolved, newestDamage, scanned, unsettled
        case coverage, recorded, durationMS
    }

    init(
        _ report: CheckReport, _ database: Database, _ freshness: Freshness, made: Set<Installed>,
        damage: DamageResult? = nil, comparison: CheckComparison? = nil, record: CheckRecord? = nil, duration: Duration
    ) {
        recorded = record.map(Recorded.init)
        let isCompared = comparison.map { !$0.isBaseline || record != nil } ?? false
        resolved = isCompared ? comparison?.resolved.map(Consequence.init) : nil
        newestDamage = damage
        asOf = freshness.asOf.formatted(.iso8601)
        isOld = freshness.lag >= Self.noticeable
        self.database = database.name
        complete = report.unchecked.isEmpty
        // What nobody has looked at isn't clean.
        clean = report.isClean && complete
        unchecked = complete ? nil : report.unchecked
        let items = comparison?.items ?? []
        findings = report.findings.enumerated().map { index, finding in
            let compared = items.indices.contains(index) ? items[index] : nil
            return Item(
                code: finding.code.rawValue, severity: finding.severity.rawValue,
                collection: finding.collection, field: finding.field, count: finding.count,
                samples: finding.samples.map(JSONValue.init), repair: finding.repair(made),
                new: isCompared ? compared?.new : nil, known: isCompared ? compared?.known : nil,
                accepted: isCompared || compared?.accepted ?? 0 > 0 ? compared?.accepted : nil,
                since: isCompared ? (compared?.since ?? record?.at).map(TimeText.iso8601) : nil,
                carried: finding.carriedCount == 0 ? nil : finding.carriedCount,
                newSamples: isCompared
                    ? compared.flatMap { $0.newSubjects.isEmpty ? nil : $0.newSubjects.map(JSONValue.init(of:)) } : nil,
                consequences: finding.consequences.isEmpty
                    ? nil : finding.consequences.map(Consequence.init))
        }
        scanned = report.scanned
        unsettled = report.unsettled.isEmpty ? nil : report.unsettled.map(Unsettled.init)
        durationMS = duration.milliseconds
    }

    func lines(_ style: TextStyle) -> [String] {
        let looked = scanned.sorted { $0.key < $1.key }.map { "\(Readable.count($0.value)) \($0.key)" }.joined(
            separator: ", ")
        var footer = [
            style.faint(
                "Looked at \(looked.isEmpty ? "nothing" : looked) in \(Readable.duration(milliseconds: durationMS)), "
                    + "as of \(asOf).")
        ]
        footer += (coverage?.sentences ?? []).map(style.faint)
        if isOld { footer.append(style.warning("The data are as of \(asOf): what has changed since isn't in them.")) }
        if let newestDamage {
            footer.append((newestDamage.recent ? style.warning : style.faint)(newestDamage.sentence))
        }
        for item in resolved ?? [] {
            let place = Readable.place(item.collection, item.field)
            footer.append(style.good("Right again: \(Readable.count(item.count)) \(item.code) of \(place)."))
        }
        if let recorded {
            footer.append(
                style.faint(
                    recorded.baseline
                        ? "Recorded as check \(recorded.number), the baseline: what it found counts as known from now on."
                        : "Recorded as check \(recorded.number)."))
        }
        for item in unsettled ?? [] {
            footer.append(
                style.faint(
                    "\(Readable.count(item.count)) of \(item.collection) were being counted at every look: whether their counts "
                        + "are right isn't known."))
        }
        if let unchecked { footer.append(style.warning("Not looked at: \(unchecked.joined(separator: ", ")).")) }
        guard !complete || !findings.isEmpty else { return [style.good("\(database) is clean.")] + footer }
        guard !findings.isEmpty else { return [style.bold("Nothing was found in \(database) so far.")] + footer }
        let rows = findings.map { item in
            [
                item.code, Readable.place(item.collection, item.field), Readable.count(item.count),
                PlainText.tied(item.repair.map { "-> \($0)" } ?? "reported only"),
            ]
        }
        let lines = zip(TextTable.lines(rows, width: style.width), findings).flatMap { line, item in
            let isError = item.severity == "error"
            let shown = JSONValue.shown(item.samples, of: item.count)
            let consequences = (item.consequences ?? []).map { consequence in
                let place = Readable.place(consequence.collection, consequence.field)
                return
                    "      and \(Readable.count(consequence.count)) \(consequence.code) of \(place), right once it is mended"
            }
            let isAccepted = item.accepted == item.count
            let coloured = isAccepted ? style.faint(line) : isError ? style.bad(line) : style.warning(line)
            return [coloured] + item.standing.map { style.faint("      \($0)") } + consequences.map(style.faint)
                + shown.map { style.faint("      \(item.count > shown.count ? "such as " : "")\($0.text)") }
        }
        let errors = findings.filter { $0.severity == "error" }.reduce(0) { $0 + $1.count - ($1.accepted ?? 0) }
        let heading =
            errors == 0 && complete
            ? style.good("\(database) is clean, with warnings:")
            : style.bold("\(database) has \(Readable.counted(errors, "error")):")
        return [heading] + lines + footer
    }
}

extension CheckResult.Item {
    /// What has become of it since the last recorded check, in words.
    var standing: [String] {
        var parts: [String] = []
        if let new, new > 0 {
            let shown = (newSamples ?? []).map(\.text).joined(separator: ", ")
            parts.append(
                "\(Readable.count(new)) new"
                    + (shown.isEmpty ? "" : " (\(shown)\(new > Finding.sampleLimit ? ", …" : ""))"))
        }
        if let known, known > 0 {
            parts.append("\(Readable.count(known)) known" + (since.map { " since \($0.prefix(10))" } ?? ""))
        }
        if let accepted, accepted > 0 { parts.append("\(Readable.count(accepted)) accepted") }
        if let carried { parts.append("\(Readable.count(carried)) of them unchanged, and not looked at again") }
        return parts.isEmpty ? [] : [parts.joined(separator: ", ")]
    }
}

extension Finding {
    /// The command that mends it: what an applied step has made, and got lost, a repair makes again.
    func repair(_ made: Set<Installed>) -> String? {
        switch code {
        case .missingGuard where made.contains(.guards): return "repair guard"
        case .missingIndex:
            let index = DatabaseSchema.chat.collection(collection)?.indexes.first { $0.name == field }
            return made.contains(index?.isUnique ?? false ? .uniqueIndexes : .indexes) ? "repair indexes" : repair
        default: return repair
        }
    }
}
