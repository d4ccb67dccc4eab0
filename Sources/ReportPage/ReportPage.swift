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
    let news: [News]
    let first: String
    let last: String
    let heat: [Strip]
    let lines: [Strip]
    let sizes: [Strip]
    let durations: [Strip]
    let runs: [ReportData.Run]
    let steps: [ReportData.Step]
    let accepted: [ReportData.Accepted]
    let noRuns: Bool
    let noSteps: Bool
    let noAccepted: Bool
    let noNews: Bool

    struct Standing {
        let code: String
        let place: String
        let count: String
        let since: String
        let kind: String
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
        (verdict, verdictClass) = Self.verdict(checks.last)
        (age, ageClass) = Self.age(checks, data.now)
        current = (checks.last?.findings ?? []).map { finding in
            Standing(
                code: finding.code, place: finding.place,
                count: Number.text(finding.count)
                    + (finding.accepted > 0 ? " (\(Number.text(finding.accepted)) accepted)" : ""),
                since: Moment.day(finding.since), kind: finding.isError ? "error" : "warning")
        }
        news = checks.filter { !$0.isBaseline && ($0.new > 0 || $0.resolved > 0) }.suffix(20).reversed().map {
            News(
                when: Moment.minute($0.at), new: $0.new > 0 ? "\(Number.text($0.new)) new" : "",
                resolved: $0.resolved > 0 ? "\(Number.text($0.resolved)) right again" : "")
        }
        noNews = news.isEmpty
        (first, last) = (checks.first.map { Moment.day($0.at) } ?? "", checks.last.map { Moment.day($0.at) } ?? "")
        let codes = data.codes
        hasCodes = !codes.isEmpty
        let most = codes.flatMap { code in checks.map { $0.count(of: code) } }.max() ?? 0
        heat = codes.map { code in
            let cells = timeline.columns.map { Self.cell($0, code, checks) }
            return Strip(
                name: code, chart: Chart.heatStrip(cells, most: most, label: "\(code) by check"),
                value: Number.text(checks.last?.count(of: code) ?? 0))
        }
        let number = { (value: Double) in Number.text(Int(value)) }
        func strip(_ name: String, _ unit: (Double) -> String, value: (ReportData.Check) -> Double?) -> Strip {
            let values = timeline.values { value(checks[$0]) }
            let most = values.compactMap { $0 }.max() ?? 0
            let last = checks.last.flatMap(value)
            return Strip(
                name: name, chart: Chart.line(values, most: most, label: "\(name) by check"),
                value: (last.map(unit) ?? "–") + " (at most \(unit(most)))")
        }
        lines = codes.map { code in
            strip(code, number, value: { $0.isComplete ? Double($0.count(of: code)) : nil })
        }
        sizes = Set(checks.flatMap(\.sizes.keys)).sorted().map { name in
            strip(name, number, value: { $0.isComplete ? $0.sizes[name].map(Double.init) : nil })
        }
        durations =
            checks.isEmpty ? [] : [strip("check", { Moment.length(Int64($0)) }, value: { Double($0.durationMS) })]
        (runs, steps, accepted) = (data.runs, data.steps, data.accepted)
        (noRuns, noSteps, noAccepted) = (runs.isEmpty, steps.isEmpty, accepted.isEmpty)
    }

    private static func verdict(_ check: ReportData.Check?) -> (String, String) {
        guard let check else { return ("No check was recorded", "unknown") }
        guard check.isComplete else { return ("The last check couldn't look at everything", "unknown") }
        let errors = check.findings.filter(\.isError).reduce(0) { $0 + $1.count - $1.accepted }
        let warnings = check.findings.filter { !$0.isError }.reduce(0) { $0 + $1.count - $1.accepted }
        func words(_ count: Int, _ noun: String) -> String { "\(Number.text(count)) \(noun)\(count == 1 ? "" : "s")" }
        if errors > 0 {
            return (words(errors, "error") + (check.new > 0 ? ", \(Number.text(check.new)) new" : ""), "bad")
        }
        return warnings > 0 ? ("Clean, with " + words(warnings, "warning"), "warn") : ("Clean", "good")
    }

    private static func age(_ checks: [ReportData.Check], _ now: Int64) -> (String, String) {
        guard let last = checks.last else { return ("`chat-admin check --record` records one.", "") }
        let timeline = Timeline(times: checks.map(\.at), now: now)
        let isMissing = timeline.columns.last == .gap
        return (
            "Check \(last.number), \(Moment.length(max(now - last.at, 0))) ago (\(Moment.minute(last.at)))"
                + (isMissing ? ": the next one is overdue" : ""), isMissing ? "warn" : ""
        )
    }

    private static func cell(_ column: Timeline.Column, _ code: String, _ checks: [ReportData.Check]) -> Chart.Cell {
        guard case .checks(let range) = column else { return .gap }
        let shared = checks[range]
        let complete = shared.filter(\.isComplete)
        guard complete.count == shared.count else { return .failed }
        let count = complete.map { $0.count(of: code) }.max() ?? 0
        let when = shared.first.map { Moment.minute($0.at) } ?? ""
        return .count(count, "\(when): \(Number.text(count))")
    }
}
