import Testing

@testable import ReportPage

@Suite("A report's timeline")
struct TimelineTests {
    private static let hour: Int64 = 3_600_000

    @Test("has a column for each check, and gaps where one is missing")
    func gaps() {
        let times = [0, 1, 2.1, 3, 6, 7].map { Int64($0 * Double(Self.hour)) }
        let columns = Timeline(times: times, now: times[5] + Self.hour).columns
        #expect(
            columns == [
                .checks(0..<1), .checks(1..<2), .checks(2..<3), .checks(3..<4), .gap, .gap, .checks(4..<5),
                .checks(5..<6),
            ])
        let late = Timeline(times: times, now: times[5] + 3 * Self.hour)
        #expect(late.columns.suffix(2) == [.gap, .gap] && late.columns.count == 10 && late.isOverdue)
    }

    @Test(
        "misses none, and calls none late, where checks come by no schedule",
        arguments: [
            [0, 30, 60, 90], [0, 60, 120], [0, 60, 4_000, 4_200, 90_000], [0, 3_600, 7_200], [0], [],
        ] as [[Int64]])
    func byHand(seconds: [Int64]) {
        let times = seconds.map { $0 * 1000 }
        let timeline = Timeline(times: times, now: (times.last ?? 0) + 7 * 86_400_000)
        #expect(timeline.columns == times.indices.map { .checks($0..<$0 + 1) } && !timeline.isOverdue)
    }

    @Test(
        "waits some minutes for the next check, which may be looking still, and for years doesn't forget that it is late"
    )
    func late() {
        let minutes = (0..<5).map { Int64($0) * 60_000 }
        #expect(!Timeline(times: minutes, now: minutes[4] + 300_000).isOverdue)
        #expect(Timeline(times: minutes, now: minutes[4] + 361_000).isOverdue)
        let year = (0..<8_760).map { Int64($0) * Self.hour }
        #expect(Timeline(times: year, now: year[8_759] + 2 * Self.hour).isOverdue)
        #expect(!Timeline(times: year, now: year[8_759] + Self.hour).isOverdue)
    }

    @Test("is as wide as can be told apart, whatever there is", arguments: [0, 1, 2, 119, 120, 121, 365, 9_600])
    func width(count: Int) {
        let times = (0..<count).map { Int64($0) * Self.hour }
        let columns = Timeline(times: times, now: times.last ?? 0).columns
        #expect(columns.count <= Timeline.mostColumns)
        let covered = columns.flatMap { column -> [Int] in
            if case .checks(let range) = column { Array(range) } else { [] }
        }
        #expect(covered == Array(0..<count))
    }

    @Test("takes checks at one moment, and clocks that went back")
    func oddTimes() {
        #expect(Timeline(times: [5, 5, 5], now: 5).columns.count == 3)
        #expect(Timeline(times: [5], now: 0).columns == [.checks(0..<1)])
    }
}

@Suite("A report's charts")
struct ChartTests {
    @Test(
        "shade by the logarithm",
        arguments: [(0, 0), (1, 1), (3, 1), (4, 2), (16, 3), (64, 4), (250, 4), (1_000, 5), (1_001, 5)])
    func levels(count: Int, level: Int) { #expect(Chart.level(count, of: 1_000) == level) }

    @Test("draw a line that gaps break, and a check that stands alone")
    func line() {
        let svg = Chart.line([1, 2, nil, 4], most: 4, label: "a<b")
        #expect(svg.contains(#"d="M0 29.0L10 20.0"/><path class="dots" d="M30 2.0L30 2.0""#), "\(svg)")
        #expect(svg.contains(#"aria-label="a&lt;b""#))
        #expect(Chart.line([], most: 0, label: "").contains(#"d="""#))
        #expect(Chart.line([0], most: 0, label: "").contains("M5 38"))
    }

    @Test("mark a failed check with a cross and a missing one with nothing")
    func heat() {
        let cells: [Chart.Cell] = [.gap, .failed("<"), .count(1_000, #"<&">"#), .count(0, "")]
        let svg = Chart.heatStrip(cells, most: 1_000, label: "x")
        #expect(svg.contains(#"<svg x="36.25%" y="50%"><title>&lt;</title>"#), "\(svg)")
        #expect(
            svg.contains(#"class="h5" x="50.0%" width="22.5%""#) && svg.contains(#"class="h0" x="75.0%""#), "\(svg)")
        #expect(!svg.contains(#"x="0.0%""#), "\(svg)")
        #expect(svg.contains("<title>&lt;&amp;&quot;&gt;</title>"), "\(svg)")
    }
}

@Suite("A report's page")
struct ReportPageTests {
    private static func check(
        _ number: Int64, _ findings: [ReportData.Finding], isComplete: Bool = true, new: Int = 1, resolved: Int = 0
    ) -> ReportData.Check {
        ReportData.Check(
            number: number, at: number * 3_600_000, durationMS: 1_500, isComplete: isComplete, isBaseline: number == 1,
            findings: findings, new: new, resolved: resolved, sizes: ["messages": 1_000])
    }

    private static func page(_ checks: [ReportData.Check], saying text: String? = nil) throws -> String {
        let runs = text.map { ReportData.Run(at: 1, command: $0, state: $0, changed: $0, undo: $0) }
        let steps = text.map { ReportData.Step(version: $0, name: $0, state: $0, at: 1) }
        let accepted = text.map {
            ReportData.Accepted(
                number: $0, code: $0, place: $0, until: $0, reason: $0, user: $0, documents: $0)
        }
        return try ReportPage(
            ReportData(
                database: "<db>", server: "s&s", now: 4 * 3_600_000, since: 0, checks: checks,
                runs: [runs].compactMap { $0 },
                steps: [steps].compactMap { $0 }, accepted: [accepted].compactMap { $0 },
                recording: "chat-admin check --record-file 'a b'")
        ).html
    }

    private static let error = ReportData.Finding(
        code: "id.empty", place: "messages._id", isError: true, count: 1_234, since: 0)

    @Test("says the verdict")
    func verdicts() throws {
        let warning = ReportData.Finding(code: "index.missing", place: "users", isError: false, count: 1, since: 0)
        try #expect(Self.page([]).contains(#"<h1 class="unknown">No check was recorded</h1>"#))
        try #expect(Self.page([]).contains("chat-admin check --record-file &#39;a b&#39; records one."))
        try #expect(Self.page([Self.check(1, [])]).contains(#"<h1 class="good">Clean</h1>"#))
        try #expect(Self.page([Self.check(1, [warning])]).contains(">Clean, with 1 warning<"))
        try #expect(Self.page([Self.check(1, [Self.error])]).contains(#"<h1 class="bad">1,234 errors, 1 new</h1>"#))
        try #expect(Self.page([Self.check(1, [], isComplete: false)]).contains("couldn&#39;t look at everything"))
    }

    @Test("tells of the same news above and below, also of a watch that began with a baseline, and went on")
    func news() throws {
        let nothing = "Nothing was new or right again"
        let watch = try Self.page([Self.check(1, [Self.error], new: 2, resolved: 1)])
        #expect(watch.contains(">1,234 errors, 2 new, 1 right again</h1>"), "\(watch)")
        #expect(watch.contains(">2 new</td>") && watch.contains(">1 right again</td>"), "\(watch)")
        #expect(watch.contains("Check 1, the baseline, 3 hours ago") && !watch.contains(nothing), "\(watch)")
        let quiet = try Self.page([Self.check(1, [Self.error], new: 0)])
        #expect(quiet.contains(">1,234 errors</h1>") && quiet.contains(nothing), "\(quiet)")
        let many = try Self.page((1...23).map { Self.check($0, [Self.error]) })
        #expect(many.matches(of: />1 new<\/td>/).count == 20 && many.contains(">3 earlier checks since 1970-01-01"))
    }

    @Test("doesn't paint a single document as many, and says so where the last check found nothing any more")
    func single() throws {
        let one = ReportData.Finding(code: "id.empty", place: "messages._id", isError: true, count: 1, since: 0)
        let html = try Self.page([Self.check(1, [one]), Self.check(2, [])])
        #expect(html.contains(#"class="h1" x="0.0%""#) && !html.contains(#"class="h5""#), "\(html)")
        #expect(html.contains(#"<p class="faint">Nothing.</p>"#) && html.contains("0 (at most 1)"), "\(html)")
    }

    @Test("says how many checks share a cell, and shows the worst of them")
    func shared() throws {
        let mild = ReportData.Finding(code: "id.empty", place: "messages._id", isError: true, count: 1, since: 0)
        let checks = (1...300).map {
            Self.check($0, [$0 == 100 ? Self.error : mild], isComplete: $0 != 200)
        }
        let html = try Self.page(checks)
        #expect(html.contains("Up to 3 checks share a cell. It shows the most that one of them found"), "\(html)")
        #expect(html.contains("<title>1970-01-05 04:00 – 1970-01-05 06:00: at most 1,234</title>"), "\(html)")
        #expect(html.contains("<title>1970-01-09 07:00 – 1970-01-09 09:00: not everything was looked at</title>"))
        try #expect(!Self.page(Array(checks[..<120])).contains("share a cell"))
    }

    @Test("escapes whatever comes from a database, and holds no script and no address")
    func escaped() throws {
        let hostile = #"<script>alert("1")</script>&'"#
        let finding = ReportData.Finding(code: hostile, place: hostile, isError: true, count: 1, since: 0)
        let html = try Self.page(
            [Self.check(1, [finding]), Self.check(2, [finding])], saying: hostile)
        #expect(!html.contains("<script") && html.contains("&lt;script&gt;"))
        #expect(!html.contains("http") && !html.contains("url(") && !html.contains("src="))
        #expect(!html.contains("<db>"))
    }

    @Test("writes all times alike, and at the ends of its charts those of a day, where it is of one day")
    func dates() throws {
        let html = try Self.page([Self.check(1, [Self.error]), Self.check(3, [Self.error])], saying: "x")
        #expect(html.matches(of: /<td class="number">1970-01-01 00:00<\/td>/).count == 2, "\(html)")
        #expect(html.contains("<span>1970-01-01 01:00</span><span>1970-01-01 03:00</span>"), "\(html)")
        #expect(html.contains("Check 3, 1 hour ago (1970-01-01 03:00)"), "\(html)")
        let days = try Self.page([Self.check(1, [Self.error]), Self.check(25, [Self.error])])
        #expect(days.contains("<span>1970-01-01</span><span>1970-01-02</span>"), "\(days)")
        #expect(Moment.ends(60_000, 119_999) == ("1970-01-01 00:01", ""))
    }

    @Test(
        "tells how long ago a check was without digits that nobody needs",
        arguments: [
            (-5, "just now"), (999, "just now"), (1_000, "1 second ago"), (26_000, "26 seconds ago"),
            (119_999, "1 minute ago"), (7_199_999, "1 hour ago"), (172_799_999, "47 hours ago"),
            (172_800_000, "2 days ago"), (86_400_000_000, "1,000 days ago"),
        ] as [(Int64, String)])
    func ages(milliseconds: Int64, text: String) { #expect(Moment.age(milliseconds) == text) }

    @Test(
        "tells how long a check took in two units at most",
        arguments: [
            (0, "0 ms"), (842, "842 ms"), (1_040, "1 s"), (1_400, "1.4 s"), (26_900, "26 s"), (60_000, "1 min"),
            (123_000, "2 min 3 s"), (3_600_000, "1 h"), (3_900_000, "1 h 5 min"), (360_000_000, "100 h"),
        ] as [(Int64, String)])
    func lengths(milliseconds: Int64, text: String) { #expect(Moment.length(milliseconds) == text) }

    @Test(
        "tells times as they are",
        arguments: [
            (0, "1970-01-01 00:00"), (951_782_399_000, "2000-02-28 23:59"), (951_868_800_000, "2000-03-01 00:00"),
            (1_806_451_199_000, "2027-03-30 23:59"), (-1, "1969-12-31 23:59"), (4_107_542_340_000, "2100-02-28 23:59"),
        ] as [(Int64, String)])
    func times(milliseconds: Int64, text: String) {
        #expect(Moment.minute(milliseconds) == text)
    }
}
