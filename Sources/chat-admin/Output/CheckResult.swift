internal import Chat
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
    /// The newest damage, where there is any whose time is known.
    let newestDamage: DamageResult?
    let scanned: [String: Int]
    /// The counts that were being changed at every look; nil for none.
    let unsettled: [Unsettled]?
    let durationMS: Int64

    private enum CodingKeys: String, CodingKey {
        case command, database, clean, complete, asOf, unchecked, findings, newestDamage, scanned, unsettled
        case durationMS
    }

    init(
        _ report: CheckReport, _ database: Database, _ freshness: Freshness, made: Set<Installed>,
        damage: DamageResult? = nil, duration: Duration
    ) {
        newestDamage = damage
        asOf = freshness.asOf.formatted(.iso8601)
        isOld = freshness.lag >= Self.noticeable
        self.database = database.name
        complete = report.unchecked.isEmpty
        // What nobody has looked at isn't clean.
        clean = report.isClean && complete
        unchecked = complete ? nil : report.unchecked
        findings = report.findings.map { finding in
            Item(
                code: finding.code.rawValue, severity: finding.severity.rawValue,
                collection: finding.collection, field: finding.field, count: finding.count,
                samples: finding.samples.map(JSONValue.init), repair: finding.repair(made),
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
        if isOld { footer.append(style.warning("The data are as of \(asOf): what has changed since isn't in them.")) }
        if let newestDamage {
            footer.append((newestDamage.recent ? style.warning : style.faint)(newestDamage.sentence))
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
                item.code, item.collection + (item.field.map { ".\($0)" } ?? ""), Readable.count(item.count),
                PlainText.tied(item.repair.map { "-> \($0)" } ?? "reported only"),
            ]
        }
        let lines = zip(TextTable.lines(rows, width: style.width), findings).flatMap { line, item in
            let isError = item.severity == "error"
            let shown = JSONValue.shown(item.samples, of: item.count)
            let consequences = (item.consequences ?? []).map { consequence in
                let place = consequence.collection + (consequence.field.map { ".\($0)" } ?? "")
                return
                    "      and \(Readable.count(consequence.count)) \(consequence.code) of \(place), right once it is mended"
            }
            return [isError ? style.bad(line) : style.warning(line)] + consequences.map(style.faint)
                + shown.map { style.faint("      \(item.count > shown.count ? "such as " : "")\($0.text)") }
        }
        let errors = findings.filter { $0.severity == "error" }.reduce(0) { $0 + $1.count }
        let heading =
            errors == 0 && complete
            ? style.good("\(database) is clean, with warnings:")
            : style.bold("\(database) has \(Readable.count(errors)) error\(errors == 1 ? "" : "s"):")
        return [heading] + lines + footer
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
