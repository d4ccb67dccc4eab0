internal import Consistency

/// A check's outcome in the text format of Prometheus
/// (https://prometheus.io/docs/instrumenting/exposition_formats/), for the textfile collector of node_exporter.
///
/// What couldn't be looked at keeps the value that it had in the file before: an alarm doesn't end because a check failed.
package struct MetricsText {
    /// What a file holds that this tool hasn't written.
    package struct Foreign: Error, CustomStringConvertible, Sendable {
        /// The first line that is another's.
        package let line: String
        package var description: String {
            "It holds metrics that chat-admin hasn't written (\(line)); name a file of its own"
        }
    }

    /// The new text.
    package private(set) var text = ""

    private typealias Label = (name: String, value: String)

    private static let prefix = "chat_admin_"
    /// What the file held of this database, and of others, which stays as it is.
    private let old: [Sample]
    private let others: [Sample]

    private typealias Sample = (line: String, metric: String, value: String)

    /// Makes the text.
    ///
    /// - Parameters:
    ///   - outcome: How the check ended.
    ///   - now: The time, in milliseconds since 1970.
    ///   - before: What the file held; nil where there was none.
    /// - Throws: ``Foreign``.
    package init(_ outcome: CheckOutcome, now: Int64, before: String?) throws(Foreign) {
        let all = try Self.read(before ?? "")
        var outcome = outcome
        // A command line that can't be read names no database.
        if outcome.database.isEmpty, let known = all.lazy.compactMap({ Self.database($0.line) }).first {
            outcome.database = known
        }
        old = all.filter { Self.database($0.line) == outcome.database }
        others = all.filter { Self.database($0.line) != outcome.database }
        let database: [Label] = [("database", outcome.database)]
        let seconds = Self.seconds(now)
        add("check_up", "Whether the last check could look at the data.", [(database, outcome.hasLooked ? "1" : "0")])
        add(
            "check_complete", "Whether it looked at everything, and was recorded where that was asked for.",
            [(database, outcome.isComplete ? "1" : "0")])
        add(
            "check_last_run_timestamp_seconds", "When the last check ended, whatever came of it.", [(database, seconds)]
        )
        let isSuccess = outcome.isComplete && coversOld(outcome.codes)
        let success = isSuccess ? seconds : kept("check_last_success_timestamp_seconds") ?? "0"
        add(
            "check_last_success_timestamp_seconds",
            "When a check last looked for all that is told here; 0 for never.",
            [(database, success)])
        add(
            "check_duration_seconds", "How long the last check took.",
            [(database, Self.seconds(outcome.durationMS))])
        addFindings(outcome)
        addState(outcome, database)
    }

    /// Whether a check has looked for whatever the file told before. One that looks for less, as with --only, mustn't hide
    /// that the others don't come to their end any more.
    private func coversOld(_ codes: [FindingCode]) -> Bool {
        let told = old.lazy.filter { $0.metric == "findings" }
        return FindingCode.allCases.allSatisfy { code in
            codes.contains(code) || !told.contains { Self.is($0, of: code) }
        }
    }

    private static func `is`(_ sample: Sample, of code: FindingCode) -> Bool {
        sample.line.contains("code=\"\(code.rawValue)\"")
    }

    private mutating func addFindings(_ outcome: CheckOutcome) {
        var samples: [(labels: [Label], value: String)] = []
        func add(_ name: (code: String, collection: String, field: String), _ severity: Severity, _ counts: [Int]) {
            for (state, count) in zip(["new", "known", "accepted"], counts) {
                let labels = [
                    ("database", outcome.database), ("code", name.code), ("collection", name.collection),
                    ("field", name.field), ("severity", severity.rawValue), ("state", state),
                ]
                samples.append((labels, "\(count)"))
            }
        }
        for found in outcome.found {
            add(
                (found.name.code, found.name.collection, found.name.field ?? ""), found.severity,
                [found.new, found.known, found.accepted])
        }
        let codes = Set(outcome.found.map(\.name.code))
        if outcome.hasLookedAtAll {
            for code in outcome.codes where !codes.contains(code.rawValue) {
                add((code.rawValue, "", ""), code.severity, [0, 0, 0])
            }
        }
        let written = Set(samples.map { Self.line("findings", $0.labels) })
        // What wasn't looked at may be as it was; what was is told above.
        let rest = old.filter { sample in
            guard sample.metric == "findings", !written.contains(sample.line) else { return false }
            return !outcome.hasLookedAtAll || !outcome.codes.contains { Self.is(sample, of: $0) }
        }
        self.add(
            "findings", "Documents with a finding, by what has become of it since the last recorded check.", samples,
            kept: rest)
    }

    private mutating func addState(_ outcome: CheckOutcome, _ database: [Label]) {
        let sizes = outcome.sizes.sorted { $0.key < $1.key }.map { name, size in
            (database + [("collection", name)], "\(size)")
        }
        addOrKeep("collection_documents", "Documents in a collection.", outcome.isComplete ? sizes : nil)
        let state = outcome.state
        addOrKeep(
            "steps_pending", "Steps that are to be applied.", state.map { [(database, "\($0.pendingSteps)")] })
        addOrKeep(
            "journal_open", "Journal entries that a run has left open or is at.",
            state.map { [(database, "\($0.openEntries)")] })
        addOrKeep(
            "lease_held", "Whether a run is at work.", state.map { [(database, $0.isLeaseHeld ? "1" : "0")] })
    }

    private mutating func addOrKeep(_ metric: String, _ help: String, _ samples: [([Label], String)]?) {
        if let samples { return add(metric, help, samples) }
        add(metric, help, [], kept: old.filter { $0.metric == metric })
    }

    private mutating func add(
        _ metric: String, _ help: String, _ samples: [(labels: [Label], value: String)],
        kept: [Sample] = []
    ) {
        let written = samples.map { Sample(Self.line(metric, $0.labels), metric, $0.value) }
        let lines = written + kept + others.filter { $0.metric == metric }
        guard !lines.isEmpty else { return }
        text += "# HELP \(Self.prefix)\(metric) \(help)\n# TYPE \(Self.prefix)\(metric) gauge\n"
        for (line, _, value) in lines { text += "\(line) \(value)\n" }
    }

    private func kept(_ metric: String) -> String? { old.first { $0.metric == metric }?.value }

    /// A sample's name and labels.
    private static func line(_ metric: String, _ labels: [Label]) -> String {
        prefix + metric + "{" + labels.map { "\($0.name)=\"\(escaped($0.value))\"" }.joined(separator: ",") + "}"
    }

    private static func escaped(_ text: String) -> String {
        // By scalars: a carriage return and a line feed are one character.
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The database that a sample is about.
    private static func database(_ line: String) -> String? {
        guard let start = line.firstRange(of: "database=\"")?.upperBound else { return nil }
        var (value, isEscaped) = ("", false)
        for character in line[start...] {
            switch (character, isEscaped) {
            case ("\"", false): return value
            case ("\\", false): isEscaped = true
            case ("n", true): (value, isEscaped) = (value + "\n", false)
            default: (value, isEscaped) = (value + String(character), false)
            }
        }
        return nil
    }

    /// Milliseconds as seconds with three decimals, exactly.
    private static func seconds(_ milliseconds: Int64) -> String {
        let rest = String(abs(milliseconds % 1000))
        return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }

    /// The samples of a file of this tool's.
    private static func read(_ text: String) throws(Foreign) -> [Sample] {
        var samples: [Sample] = []
        for scalars in text.unicodeScalars.split(separator: "\n") where scalars.first != "#" {
            let line = String(scalars.last == "\r" ? scalars.dropLast() : scalars)
            // A value has no space in it, and a label may.
            guard line.hasPrefix(prefix), let space = line.lastIndex(of: " "), line[..<space].hasSuffix("}"),
                let brace = line.firstIndex(of: "{"), Double(line[line.index(after: space)...]) != nil
            else { throw Foreign(line: String(line.prefix(80))) }
            let name = line[line.index(line.startIndex, offsetBy: prefix.count)..<brace]
            samples.append((String(line[..<space]), String(name), String(line[line.index(after: space)...])))
        }
        return samples
    }
}
