internal import Journal
internal import Mustache

/// The page that `report` writes: one HTML file that needs nothing else.
package struct ReportPage {
    /// The page.
    package let html: String

    /// Why the template that is part of the program can't be used.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Makes the page.
    ///
    /// - Throws: ``Failure``, which is a mistake in the template.
    package init(_ data: ReportData) throws(Failure) {
        let template: MustacheTemplate
        do {
            template = try MustacheTemplate(string: String(decoding: PackageResources.report_html, as: UTF8.self))
        } catch {
            throw Failure(description: "The report's template can't be read: \(error)")
        }
        html = template.render(Page(data))
    }
}

/// What the template shows, in its own words.
private struct Page {
    let database: String
    let server: String
    let made: String
    let since: String
    let verdict: String
    let verdictClass: String
    let age: String
    let ageClass: String
    let hasChecks: Bool
    let hasCodes: Bool
    let current: [Standing]
    let noCurrent: Bool
    let news: [News]
    let first: String
    let last: String
    let heat: [Strip]
    /// So many checks may share a cell; nil where each has its own.
    let shared: String?
    let lines: [Strip]
    let sizes: [Strip]
    let durations: [Strip]
    let runs: [Dated<ReportData.Run>]
    let steps: [Dated<ReportData.Step>]
    let accepted: [ReportData.Accepted]
    let noRuns: Bool
    let noSteps: Bool
    let noAccepted: Bool
    let noNews: Bool
    /// How many checks more had news; nil for none.
    let earlier: String?

    /// So many documents are the darkest in a heat map, or more where more were found: one alone isn't many.
    private static let many = 10

    /// So many checks that had news are shown, the newest.
    private static let mostNews = 20

    struct Standing {
        let code: String
        let place: String
        let count: String
        let since: String
        let kind: String
    }

    /// A row of a table, and when it was.
    struct Dated<Row> {
        let row: Row
        let when: String

        init(_ row: Row, at time: Int64?) { (self.row, when) = (row, time.map(Moment.minute) ?? "") }
    }

    struct News {
        let when: String
        let new: String
        let resolved: String
    }

    struct Strip {
        let name: String
        let chart: String
        let value: String
    }

    init(_ data: ReportData) {
        (database, server) = (data.database, data.server)
        (made, since) = (Moment.minute(data.now), Moment.day(data.since))
        let checks = data.checks
        let timeline = Timeline(times: checks.map(\.at), now: data.now)
        hasChecks = !checks.isEmpty
        (verdict, verdictClass) = Self.verdict(checks.last, data.standing, isPartial: data.isPartial)
        (age, ageClass) = Self.age(checks.last, data, isOverdue: timeline.isOverdue)
        current = data.standing.map { finding in
            Standing(
                code: finding.code, place: finding.place,
                count: finding.count.withSeparators
                    + (finding.accepted > 0 ? " (\(finding.accepted.withSeparators) accepted)" : ""),
                since: Moment.day(finding.since), kind: finding.isError ? "error" : "warning")
        }
        noCurrent = current.isEmpty
        // A baseline has news where it is a watch's, which goes on.
        let newsworthy = checks.filter { $0.new > 0 || $0.resolved > 0 }
        earlier = newsworthy.count > Self.mostNews ? (newsworthy.count - Self.mostNews).withSeparators : nil
        news = newsworthy.suffix(Self.mostNews).reversed().map {
            News(
                when: Moment.minute($0.at), new: $0.new > 0 ? "\($0.new.withSeparators) new" : "",
                resolved: $0.resolved > 0 ? "\($0.resolved.withSeparators) right again" : "")
        }
        noNews = news.isEmpty
        // A gap at the end goes on until now.
        let end = timeline.isOverdue ? data.now : checks.last?.at
        if let start = checks.first?.at, let end {
            (first, last) = Moment.ends(start, end)
        } else {
            (first, last) = ("", "")
        }
        let codes = data.codes
        hasCodes = !codes.isEmpty
        let counts = codes.map { code in checks.map { $0.count(of: code) } }
        let most = max(counts.joined().max() ?? 0, Self.many)
        heat = zip(codes, counts).map { code, counts in
            let cells = timeline.columns.map { Self.cell($0, checks, code, counts) }
            let last = checks.lastIndex { $0.looked(for: code) }
            return Strip(
                name: code, chart: Chart.heatStrip(cells, most: most, label: "\(code) by check"),
                value: last.map { counts[$0].withSeparators } ?? "–")
        }
        shared = timeline.checksPerColumn > 1 ? timeline.checksPerColumn.withSeparators : nil
        let number = { (value: Double) in Int(value).withSeparators }
        func strip(
            _ name: String, _ unit: (Double) -> String, isKnown: (Int) -> Bool = { _ in true }, value: (Int) -> Double?
        ) -> Strip {
            let values = timeline.values(value)
            let most = values.compactMap { $0 }.max() ?? 0
            let last = checks.indices.last { isKnown($0) }.flatMap(value)
            return Strip(
                name: name, chart: Chart.line(values, most: most, label: "\(name) by check"),
                value: (last.map(unit) ?? "–") + (last == most ? "" : " (at most \(unit(most)))"))
        }
        lines = zip(codes, counts).map { code, counts in
            strip(
                code, number, isKnown: { checks[$0].looked(for: code) },
                value: { checks[$0].isComplete && checks[$0].looked(for: code) ? Double(counts[$0]) : nil })
        }
        sizes = Set(checks.flatMap(\.sizes.keys)).sorted().map { name in
            strip(name, number, value: { checks[$0].isComplete ? checks[$0].sizes[name].map(Double.init) : nil })
        }
        durations =
            checks.isEmpty
            ? [] : [strip("check", { Moment.length(Int64($0)) }, value: { Double(checks[$0].durationMS) })]
        (runs, steps) = (data.runs.map { Dated($0, at: $0.at) }, data.steps.map { Dated($0, at: $0.at) })
        accepted = data.accepted
        (noRuns, noSteps, noAccepted) = (runs.isEmpty, steps.isEmpty, accepted.isEmpty)
    }

    private static func verdict(
        _ check: ReportData.Check?, _ standing: [ReportData.Finding], isPartial: Bool
    ) -> (String, String) {
        guard let check else { return ("No check was recorded", "unknown") }
        guard check.isComplete else { return ("The last check couldn't look at everything", "unknown") }
        let errors = standing.filter(\.isError).reduce(0) { $0 + $1.count - $1.accepted }
        let warnings = standing.filter { !$0.isError }.reduce(0) { $0 + $1.count - $1.accepted }
        func words(_ count: Int, _ noun: String) -> String { "\(count.withSeparators) \(noun)\(count == 1 ? "" : "s")" }
        if errors > 0 {
            // Of a watch, what was new may be right again.
            let news = [(check.new, "new"), (check.resolved, "right again")].filter { $0.0 > 0 }
            return (words(errors, "error") + news.map { ", \($0.0.withSeparators) \($0.1)" }.joined(), "bad")
        }
        if warnings > 0 { return ("Clean, with " + words(warnings, "warning"), "warn") }
        return isPartial ? ("Clean, of what was looked for", "good") : ("Clean", "good")
    }

    private static func age(_ last: ReportData.Check?, _ data: ReportData, isOverdue: Bool) -> (String, String) {
        guard let last else { return ("\(data.recording) records one.", "") }
        return (
            "Check \(last.number.withSeparators)\(last.isBaseline ? ", the baseline" : ""), \(Moment.age(data.now - last.at)) (\(Moment.minute(last.at)))"
                + (isOverdue ? ": the next one is overdue" : ""), isOverdue ? "warn" : ""
        )
    }

    private static func cell(
        _ column: Timeline.Column, _ checks: [ReportData.Check], _ code: String, _ counts: [Int]
    ) -> Chart.Cell {
        guard case .checks(let range) = column else { return .gap }
        let first = Moment.minute(checks[range.lowerBound].at)
        let times = range.count > 1 ? "\(first) – \(Moment.minute(checks[range.upperBound - 1].at))" : first
        guard checks[range].allSatisfy(\.isComplete) else { return .failed("\(times): not everything was looked at") }
        // A check that looked for other codes alone says nothing of this one.
        let looked = range.filter { checks[$0].looked(for: code) }
        guard !looked.isEmpty else { return .gap }
        let count = looked.map { counts[$0] }.max() ?? 0
        return .count(count, "\(times): \(range.count > 1 ? "at most " : "")\(count.withSeparators)")
    }
}
