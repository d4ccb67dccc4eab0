import BSON
import Foundation
import TestSupport
import Testing

@Suite("The report")
struct ReportTests {
    private static let hour: Int64 = 3_600_000
    private static let start: Int64 = 1_790_000_000_000

    /// Records as checks keep them: one an hour, with a missing one and one that failed.
    private static func records(_ count: Int) -> [BSONDocument] {
        (0..<count).filter { $0 != 5 }.map { index in
            let at = start + Int64(index) * hour
            let findings: [BSONDocument] = [
                [
                    "code": "ref.dangling", "collection": "messages", "field": "session_id", "severity": "error",
                    "count": .int64(Int64(1 + index % 40)), "since": .date(start),
                ],
                [
                    "code": "guard.missing", "collection": "users", "severity": "warning", "count": 1,
                    "since": .date(start),
                ],
            ]
            return [
                "_id": .objectID(ObjectID(timestamp: UInt32(at / 1000))), "kind": "check",
                "number": .int64(Int64(index + 1)), "at": .date(at), "durationMS": 1_200, "toolVersion": "0.1.0",
                "serverVersion": "6.0.5", "mode": "full", "codes": ["ref.dangling", "guard.missing"],
                "complete": .bool(index != 8), "unchecked": .array(BSONArray(index == 8 ? ["messages"] : [])),
                "findings": .array(BSONArray(findings.map { .document($0) })),
                "sizes": ["messages": .int64(Int64(1_000 + index)), "users": 12], "exitCode": 1,
                "new": .int64(index % 7 == 0 ? 1 : 0), "resolved": 0, "baseline": .bool(index == 0),
            ]
        }
    }

    private static func page(_ database: TestDatabase, _ more: [String] = []) async throws -> String {
        let now = TimeInterval(start / 1000) + 365 * 86_400
        let date = Date(timeIntervalSince1970: now).formatted(.iso8601)
        let result = try await Tool.run(["report", "-", "--since", "400d", "--now", date] + more + target(database))
        try #require(result.exitCode == 0, "\(result)")
        return result.output
    }

    /// What a browser calls a page, once the page's script has run.
    private static func title(of file: String, in folder: String, width: Int) async throws -> Substring {
        let shown = try await OtherProgram.run(
            OtherProgram.chromium(),
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--allow-file-access-from-files",
                "--user-data-dir=\(folder)/profile", "--window-size=\(width + 100),1000", "--dump-dom",
                "file://\(folder)/\(file)",
            ])
        return try #require(
            shown.output.firstMatch(of: /<title>([^<]*)<\/title>/)?.1, "\((shown.output + shown.errors).suffix(300))")
    }

    @Test("fits the width of a telephone and of a desk, without a script and a request", arguments: [0, 12, 8_760])
    func browser(checks: Int) async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            if checks > 0 {
                let all = Self.records(checks)
                for part in stride(from: 0, to: all.count, by: 1_000) {
                    try await database.load("chat_admin.checks", Array(all[part..<min(part + 1_000, all.count)]))
                }
            }
            let html = try await Self.page(database)
            #expect(!html.contains("<script") && !html.contains("http:") && !html.contains("https:"))
            #expect(!html.contains("url(") && !html.contains("src=") && !html.contains("href="))
            try await withFolder { folder in
                try html.write(toFile: "\(folder)/page.html", atomically: true, encoding: .utf8)
                for width in [400, 1_400] {
                    // Frames may be narrower than windows, and whoever frames the page measures it.
                    let frame = """
                        <iframe src="page.html" style="border:0;width:\(width)px;height:900px" onload="const w = this.contentWindow
                        const d = w.document; document.title = [w.innerWidth, d.documentElement.scrollWidth,
                        d.body.innerText.includes('Findings by check'),
                        w.performance.getEntriesByType('resource').length].join(' ')"></iframe>
                        """
                    try frame.write(toFile: "\(folder)/frame.html", atomically: true, encoding: .utf8)
                    let title = try await Self.title(of: "frame.html", in: folder, width: width)
                    #expect(title == "\(width) \(width) \(checks > 0) 0", "\(width): \(title)")
                }
            }
        }
    }

    @Test("breaks no word of what is accepted, however long a reason is", arguments: [750, 840, 1_400])
    func accepted(width: Int) async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            let reason = String(
                repeating: "Their sessions were deleted by hand in March, nobody misses them. ", count: 9)
            for finding in ["ref.dangling:messages.session_id", "count.wrong:chat_sessions.message_count"] {
                let accepted = try await Tool.run(
                    ["check", "accept", finding, "--reason", reason, "--until", "2099-12-31"] + target(database))
                #expect(accepted.exitCode == 0, "\(accepted)")
            }
            let html = try await Tool.run(["report", "-"] + target(database)).output
            try await withFolder { folder in
                try html.write(toFile: "\(folder)/page.html", atomically: true, encoding: .utf8)
                // A word that is broken stands in two rectangles.
                let script = """
                    const d = this.contentWindow.document, texts = d.createTreeWalker(d.querySelector('.accepted'), 4);
                    const broken = [];
                    let words = 0;
                    for (let t; t = texts.nextNode();) for (const m of t.data.matchAll(/\\S+/g)) {
                      const r = d.createRange(); r.setStart(t, m.index); r.setEnd(t, m.index + m[0].length); words++;
                      if (r.getClientRects().length > 1) broken.push(m[0]);
                    }
                    document.title = (words > 150) + ' ' + broken.join(' ');
                    """
                let frame = """
                    <iframe src="page.html" style="border:0;width:\(width)px;height:900px" onload="\(script)"></iframe>
                    """
                try frame.write(toFile: "\(folder)/frame.html", atomically: true, encoding: .utf8)
                let title = try await Self.title(of: "frame.html", in: folder, width: width)
                #expect(title == "true ", "\(title)")
            }
        }
    }

    @Test("tells runs with what undoes them, steps, and what is accepted; documents' _ids only where asked")
    func contents() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let run = try await runID(["migrate", "up"], on: database)
            _ = try await Tool.run(["check", "--record"] + target(database))
            let id = "6909f8dc21be47afd1d83101"
            let accepted = try await Tool.run(
                ["check", "accept", "ref.dangling", "--id", id, "--reason", "<b>old</b>", "--until", "2099-12-31"]
                    + target(database))
            #expect(accepted.exitCode == 0, "\(accepted)")
            let plain = try await Tool.run(["report", "-"] + target(database))
            #expect(plain.output.contains("chat-admin runs undo \(run)"), "\(plain)")
            #expect(plain.output.contains("repair-ids") && plain.output.contains("2099-12-31"))
            #expect(plain.output.contains("&lt;b&gt;old") && !plain.output.contains("<b>"))
            #expect(plain.output.contains(#"<h1 class="bad">2 errors</h1>"#), "\(plain)")
            let ids = try plain.output.matches(of: Regex("[0-9a-f]{24}")).map { String($0.output[0].substring ?? "") }
            #expect(Set(ids) == [run])
            // What a check has found accepted isn't counted any more.
            _ = try await Tool.run(
                ["check", "accept", "ref.dangling", "--reason", "x", "--until", "forever"] + target(database))
            _ = try await Tool.run(["check", "--record"] + target(database))
            let less = try await Tool.run(["report", "-"] + target(database))
            #expect(less.output.contains(#"<h1 class="bad">1 error</h1>"#), "\(less)")
            #expect(less.output.contains("1 (1 accepted)"), "\(less)")
            let samples = try await Tool.run(["report", "-", "--samples"] + target(database))
            #expect(samples.output.contains(id))
        }
    }

    @Test("names what records a check in the place that was given, where there is none")
    func empty() async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await withFolder { folder in
                for (place, words) in [
                    ([], "--record"), (["--record-file", "\(folder)/c.json"], "--record-file \(folder)/c.json"),
                ] {
                    let page = try await Tool.run(["report", "-"] + place + target(database))
                    #expect(page.output.contains("chat-admin check \(words) records one."), "\(page)")
                    let history = try await Tool.run(["check", "history"] + place + target(database))
                    #expect(history.output.contains("`check \(words)` does so."), "\(history)")
                }
            }
        }
    }

    @Test("is a file, whole or not at all, and says what it has written")
    func file() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await withFolder { folder in
                let path = "\(folder)/report.html"
                let wrote = try await json(["report", path], on: database, expecting: 0)
                #expect(wrote["file"]?.string == path && wrote["checks"]?.integer == 0, "\(wrote)")
                try #expect(String(contentsOfFile: path, encoding: .utf8).hasSuffix("</html>\n"))
                let full = try await Tool.run(["report", "/dev/full"] + target(database))
                #expect(full.exitCode == 74 && full.errors.contains("no regular file"), "\(full)")
                for arguments in [["report"], ["report", "-", "--format", "json"]] {
                    let refused = try await Tool.run(arguments + target(database))
                    #expect(refused.exitCode == 64, "\(refused)")
                }
            }
        }
    }

    @Test(
        "is of a moment that there is, or of none",
        arguments: [
            "soon", "2026-11-27trash", "2027-02-30", "2027-02-29", "2026-13-01", "2026-11-7", " 2026-11-27",
            "2026-11-27T10:00:00Ztrash", "2026-11-27T10:00:00", "2026-11-27T24:00:00Z", "2026-02-30T10:00:00Z", "",
        ])
    func impossible(now: String) async throws {
        let refused = try await Tool.run(["report", "-", "--now", now, "--uri", "mongodb://127.0.0.1:1"])
        #expect(refused.exitCode == 64 && refused.errors.contains("--now must be a date"), "\(refused)")
    }

    @Test(
        "goes back as far as a number with a unit says: without one it would be seconds", arguments: ["90", "0", "1.5"])
    func unit(since: String) async throws {
        let refused = try await Tool.run(["report", "-", "--since", since, "--uri", "mongodb://127.0.0.1:1"])
        #expect(refused.exitCode == 64 && refused.errors.contains("--since needs a unit, such as 90d"), "\(refused)")
    }

    @Test("is of the beginning of a day in UTC, or of a moment with a zone")
    func moments() async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            for (now, shown) in [
                ("2028-02-29", "2028-02-29 00:00"), ("2027-03-31T09:05:00Z", "2027-03-31 09:05"),
                ("2027-03-31T00:05:00+02:00", "2027-03-30 22:05"),
            ] {
                let page = try await Tool.run(["report", "-", "--now", now] + target(database))
                #expect(page.exitCode == 0 && page.output.contains(shown), "\(page)")
            }
        }
    }
}
