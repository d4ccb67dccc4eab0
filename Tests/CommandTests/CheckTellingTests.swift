import BSON
import Foundation
import TestSupport
import Testing

private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

/// The value of a metric's only sample that contains some text.
private func metric(_ file: String, _ name: String, _ part: String? = nil) throws -> String? {
    let lines = try text(file).split(separator: "\n").filter {
        $0.hasPrefix("chat_admin_\(name){") && part.map($0.contains) ?? true
    }
    try #require(lines.count <= 1, "\(lines)")
    return lines.first?.split(separator: " ").last.map(String.init)
}

@Suite("What a check tells others")
struct CheckTellingTests {
    private static let nowhere = ["--uri", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300", "--database", "chat"]

    @Test("is in files beside what it prints, byte for byte, and they can be read by all")
    func files() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await withFolder { folder in
                let result = try await Tool.run(
                    [
                        "check", "--format", "json", "--output", "json=\(folder)/a.json", "--output",
                        "junit=\(folder)/a.xml", "--metrics-file", "\(folder)/a.prom",
                    ] + target(database))
                #expect(result.exitCode == 1, "\(result)")
                try #expect(text("\(folder)/a.json") == result.output)
                let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
                #expect(names == ["a.json", "a.prom", "a.xml"])
                for name in names {
                    let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.posixPermissions]
                    #expect(mode as? Int == 0o644)
                }
                let report = try await python(
                    "import sys, xml.etree.ElementTree as e; s = e.parse(sys.argv[1]).getroot()[0]; "
                        + "print(s.get('failures'), sum(c.find('failure') is not None for c in s), s.get('errors'), "
                        + "s.get('tests') == str(len(s)))", "\(folder)/a.xml")
                #expect(report == "12 12 0 True\n")
                try #expect(
                    metric(
                        "\(folder)/a.prom", "findings",
                        #""id.string",collection="chat_sessions",field="_id",severity="error",state="known""#) == "3")
                try #expect(
                    metric(
                        "\(folder)/a.prom", "findings",
                        #""id.null",collection="",field="",severity="error",state="new""#) == "0")
                try #expect(metric("\(folder)/a.prom", "collection_documents", "messages") == "902")
                try #expect(metric("\(folder)/a.prom", "steps_pending") == "6")
                try #expect(metric("\(folder)/a.prom", "lease_held") == "0")
                try await promtool("\(folder)/a.prom")
            }
        }
    }

    @Test("stays true in the metrics when it couldn't look: nothing is right because nobody looked")
    func failures() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await withFolder { folder in
                let file = "\(folder)/a.prom"
                let options = ["check", "--metrics-file", file]
                _ = try await Tool.run(options + target(database))
                let success = try metric(file, "check_last_success_timestamp_seconds")
                let findings = try text(file).split(separator: "\n").filter { $0.hasPrefix("chat_admin_findings") }
                #expect(findings.count > 60)
                let named = ["--database", database.name]
                let failures: [(arguments: [String], code: Int32)] = [
                    (["--uri", Self.nowhere[1]] + named, 69), (["--bogus"] + named, 64), (["--bogus"], 64),
                    (target(database) + ["--settle", "60", "--max-time", "0.5"], 5),
                    (["--uri", "mongodb://a:b@127.0.0.1:1/?tls=perhaps"] + named, 64),
                    (["--env-file", "\(folder)/none"] + named, 78),
                ]
                for (arguments, code) in failures {
                    let result = try await Tool.run(options + arguments)
                    #expect(result.exitCode == code, "\(result)")
                    try #expect(metric(file, "check_up") == (code == 5 ? "1" : "0"), "\(result)")
                    try #expect(metric(file, "check_complete") == "0")
                    try #expect(metric(file, "check_last_success_timestamp_seconds") == success)
                    let kept = try text(file).split(separator: "\n").filter { $0.hasPrefix("chat_admin_findings") }
                    #expect(Set(kept) == Set(findings), "\(arguments)")
                    try await promtool(file)
                }
                // What is mended then is zero, not what it was.
                try await database.run(["delete": "messages", "deletes": [["q": [:], "limit": 0]]])
                _ = try await Tool.run(options + target(database))
                let rest = try text(file).split(separator: "\n").filter { $0.contains(#""ref.empty""#) }
                #expect(rest.count == 3 && rest.allSatisfy { $0.hasSuffix(" 0") }, "\(rest)")
            }
        }
    }

    @Test("is in the files within two seconds also where the server stops answering in the middle")
    func deadline() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await withFolder { folder in
                let arguments =
                    [
                        "check", "--only", "ref", "--max-time", "0.5", "--output", "junit=\(folder)/a.xml",
                        "--metrics-file",
                        "\(folder)/a.prom", "--notify", "cat > \(folder)/notice",
                    ] + target(database)
                let blocking = FailCommand("aggregate", on: "\(database.name).messages").blocking(milliseconds: 6_000)
                let (result, time) = try await database.withFailPoint(blocking) { _ in
                    let start = ContinuousClock.now
                    return (try await Tool.run(arguments), ContinuousClock.now - start)
                }
                // Half a second, two seconds, and what a busy machine takes.
                #expect(result.exitCode == 5 && time < .seconds(8), "\(time): \(result)")
                try #expect(metric("\(folder)/a.prom", "check_complete") == "0")
                let report = try text("\(folder)/a.xml")
                #expect(report.contains("<skipped message") || report.contains("<error message"))
                // On a busy machine the time is over before anything was looked at, or before the command has read it.
                let notice = (try? text("\(folder)/notice")) ?? ""
                #expect(
                    notice.contains(#""complete":false"#) || notice.contains(#""exitCode":5"#)
                        || result.errors.contains("--notify: it was killed"), "\(notice) \(result)")
            }
        }
    }

    /// What a command that is notified, and doesn't come to its end, says of itself.
    private static func endless(in folder: String) -> String {
        "echo $$ > '\(folder)/new' && mv '\(folder)/new' '\(folder)/pid'; exec sleep 600"
    }

    private static func expectEnded(in folder: String) async throws {
        let pid = try #require(pid_t(text("\(folder)/pid").trimmingCharacters(in: .whitespacesAndNewlines)))
        try await waitUntil("the command of --notify ends") { !ProcessState.isRunning(pid) }
    }

    @Test("lets no command go on that isn't done when the process has to end", arguments: [true, false])
    func endlessNotice(isServerSilent: Bool) async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await withFolder { folder in
                // Either the deadline starts the command, or the check that time was up for has.
                let arguments =
                    ["check", "--max-time", "1", "--settle", "60", "--notify", Self.endless(in: folder)]
                    + target(database)
                func run() async throws -> (ToolResult, Duration) {
                    let start = ContinuousClock.now
                    return (try await Tool.run(arguments), ContinuousClock.now - start)
                }
                let blocking = FailCommand("aggregate", on: "\(database.name).messages").blocking(milliseconds: 10_000)
                let (result, time) =
                    isServerSilent
                    ? try await database.withFailPoint(blocking) { _ in try await run() } : try await run()
                // A second, two seconds, and what a busy machine takes; the command would take longer.
                #expect(result.exitCode == 5 && time < .seconds(20), "\(time): \(result)")
                #expect(result.errors.contains("--notify: it was killed"), "\(result)")
                try await Self.expectEnded(in: folder)
            }
        }
    }

    @Test(
        "ends the command with the first signal where the server couldn't be reached, and with the second in any case")
    func endlessNoticeAtSignal() async throws {
        try await withFolder { folder in
            let arguments = ["check", "--notify", Self.endless(in: folder)] + Self.nowhere
            let pid = "\(folder)/pid"
            let start = ContinuousClock.now
            let ended = try await Tool.run(arguments, sending: SIGTERM) { _ in
                try await waitUntil("the command runs") { FileManager.default.fileExists(atPath: pid) }
            }
            // The command itself has half a minute.
            #expect(ended.result.exitCode == 69 && ContinuousClock.now - start < .seconds(20), "\(ended)")
            try await Self.expectEnded(in: folder)
        }
        try await withDatabase { database in
            try await database.loadIncident()
            try await withFolder { folder in
                let arguments = ["check", "--settle", "60", "-v", "--notify", Self.endless(in: folder)]
                let ended = try await Tool.start(arguments + target(database)) { tool in
                    try await tool.waitUntilPrinted("may be changing just now")
                    tool.send(SIGTERM)
                    try await waitUntil("the command runs") {
                        FileManager.default.fileExists(atPath: "\(folder)/pid")
                    }
                    tool.send(SIGTERM)
                }
                #expect(ended.result.exitCode == 128 + SIGTERM, "\(ended.result)")
                try await Self.expectEnded(in: folder)
            }
        }
    }

    @Test("is no all-clear where it was stopped before it had looked at anything", arguments: [false, true])
    func nothingLookedAt(isNagios: Bool) async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await withFolder { folder in
                let arguments =
                    [
                        "check", "--max-time", "0.5", "--output", "json=\(folder)/a.json", "--metrics-file",
                        "\(folder)/a.prom",
                    ] + (isNagios ? ["--nagios"] : []) + target(database)
                let blocking = FailCommand("listCollections", "find", "aggregate").blocking(milliseconds: 5_000)
                let result = try await database.withFailPoint(blocking) { _ in try await Tool.run(arguments) }
                #expect(result.exitCode == (isNagios ? 3 : 5), "\(result)")
                #expect(result.output.hasPrefix("CHAT UNKNOWN") || !isNagios, "\(result)")
                try #expect(metric("\(folder)/a.prom", "check_complete") == "0")
                try #expect(metric("\(folder)/a.prom", "check_last_success_timestamp_seconds") == "0")
                try #expect(!text("\(folder)/a.json").contains(#""clean":true"#))
            }
        }
    }

    @Test("tells a success of the whole only where a check has looked for all that the file tells")
    func partialCheck() async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await withFolder { folder in
                let file = "\(folder)/a.prom"
                func check(_ more: [String]) async throws -> (run: String?, success: String?, complete: String?) {
                    let result = try await Tool.run(["check", "--metrics-file", file] + more + target(database))
                    #expect(result.exitCode == 0, "\(result)")
                    return try (
                        metric(file, "check_last_run_timestamp_seconds"),
                        metric(file, "check_last_success_timestamp_seconds"), metric(file, "check_complete")
                    )
                }
                // Whoever looks for these alone has succeeded by them.
                for only in [["--only", "id"], ["--only", "id,guard"], []] {
                    let (run, success, complete) = try await check(only)
                    #expect(run == success && complete == "1", "\(only)")
                }
                let before = try await check([])
                let partial = try await check(["--only", "id"])
                #expect(partial.success == before.success && partial.run != before.run && partial.complete == "1")
                try await promtool(file)
                let after = try await check([])
                #expect(after.success == after.run && after.run != before.run)
            }
        }
    }

    @Test("keeps each database's metrics apart in one file, and takes none that is no name")
    func twoDatabases() async throws {
        try await withDatabase { first in
            try await withDatabase { second in
                for database in [first, second] { try await database.run(["create": "users"]) }
                try await withFolder { folder in
                    let file = "\(folder)/a.prom"
                    let options = ["check", "--metrics-file", file]
                    _ = try await Tool.run(options + target(first))
                    let before = try text(file).split(separator: "\n").filter { !$0.hasPrefix("#") }
                    _ = try await Tool.run(options + target(second))
                    let after = try text(file).split(separator: "\n")
                    #expect(Set(before).isSubset(of: Set(after)) && after.contains { $0.contains(second.name) })
                    try await promtool(file)
                    let missing = try await Tool.run(options + ["--uri", first.uri, "--database", "nosuch"])
                    #expect(missing.exitCode == 78, "\(missing)")
                    try #expect(metric(file, "check_last_success_timestamp_seconds", #""nosuch""#) == "0")
                    let odd = try await Tool.run(options + ["--database", "a\r", "--bogus"])
                    #expect(odd.exitCode == 64, "\(odd)")
                    try #expect(!text(file).contains("a\r"))
                    let next = try await Tool.run(options + target(first))
                    #expect(next.exitCode == 0, "\(next)")
                    try await promtool(file)
                }
            }
        }
    }

    @Test("never takes the place of the records, and records are nothing else")
    func records() async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await withFolder { folder in
                let records = "\(folder)/records.json"
                let check = ["check", "--only", "guard", "--record-file", records] + target(database)
                _ = try await Tool.run(check)
                let kept = try text(records)
                for output in [
                    "--output=json=\(records)", "--output=junit=\(folder)/./records.json", "--metrics-file=\(records)",
                ] {
                    let result = try await Tool.run(check + [output])
                    #expect(result.exitCode == 64 && result.errors.contains("named twice"), "\(result)")
                    try #expect(text(records) == kept)
                }
                func numbered(_ number: String) -> String {
                    kept.replacing(#"{ "$numberLong" : "1" }"#, with: #"{ "$numberLong" : "\#(number)" }"#)
                }
                #expect(numbered("7") != kept)
                for (line, words) in [
                    (#"{"name": "another's"}"#, "neither a recorded check"),
                    (numbered("-1"), "`number` isn't"), (numbered("9223372036854775807"), "`number` isn't"),
                ] {
                    try (kept + line).write(toFile: records, atomically: true, encoding: .utf8)
                    let result = try await Tool.run(check)
                    #expect(result.exitCode == 65, "\(result)")
                    #expect(
                        result.errors.contains("line 2") && result.errors.contains(words), "\(result)")
                }
            }
        }
    }

    @Test("leaves alone what isn't its own: another's metrics, a folder, a device; and says so with 74")
    func foreignFiles() async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await withFolder { folder in
                try "node_load1 3\n".write(toFile: "\(folder)/x.prom", atomically: true, encoding: .utf8)
                let only = ["check", "--only", "id"] + target(database)
                for (arguments, words) in [
                    (["--metrics-file", "\(folder)/x.prom"], "that chat-admin hasn't written (node_load1 3)"),
                    (["--metrics-file", folder], "it is a folder"),
                    (["--output", "json=/dev/null"], "no regular file"),
                    (["--output", "json=\(folder)/none/a.json"], "No such file"),
                ] {
                    let result = try await Tool.run(only + arguments)
                    #expect(result.exitCode == 74 && result.errors.contains(words), "\(result)")
                    #expect(result.output.contains("is clean"), "\(result)")
                }
                try #expect(text("\(folder)/x.prom") == "node_load1 3\n")
                try #expect(FileManager.default.contentsOfDirectory(atPath: folder) == ["x.prom"])
                let twice = try await Tool.run(only + ["--output", "json=a", "--output", "junit=a"])
                #expect(twice.exitCode == 64 && twice.errors.contains("named twice"), "\(twice)")
                let odd = try await Tool.run(only + ["--output", "yaml=a"])
                #expect(odd.exitCode == 64 && odd.errors.contains("--output"), "\(odd)")
            }
        }
    }

    @Test("goes where a symbolic link leads, also where nothing is there yet, and the link stays one")
    func links() async throws {
        let files = FileManager.default
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await withFolder { folder in
                let only = ["check", "--only", "guard"] + target(database)
                for name in ["links", "files"] {
                    try files.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: false)
                }
                for (name, end, arguments) in [
                    ("json", "../files/json", only + ["--output", "json=\(folder)/links/json"]),
                    ("prom", "\(folder)/files/prom", only + ["--metrics-file", "\(folder)/links/prom"]),
                    ("records", "step", only + ["--record-file", "\(folder)/links/records"]),
                    ("html", "../files/html", ["report", "\(folder)/links/html"] + target(database)),
                ] {
                    let link = "\(folder)/links/\(name)"
                    try files.createSymbolicLink(atPath: link, withDestinationPath: end)
                    // By one link more.
                    if end == "step" {
                        try files.createSymbolicLink(
                            atPath: "\(folder)/links/step", withDestinationPath: "../files/records")
                    }
                    // First nothing is there, then a file.
                    for _ in 1...2 {
                        let result = try await Tool.run(arguments)
                        #expect(result.exitCode == 0, "\(result)")
                        try #expect(files.destinationOfSymbolicLink(atPath: link) == end)
                        try #expect(!text("\(folder)/files/\(name)").isEmpty)
                    }
                }
                try #expect(
                    files.contentsOfDirectory(atPath: "\(folder)/files").sorted() == [
                        "html", "json", "prom", "records",
                    ])
                try #expect(files.contentsOfDirectory(atPath: "\(folder)/links").count == 5)

                for (name, end) in [("a", "b"), ("b", "a"), ("lost", "none/file"), ("new", "../files/new")] {
                    try files.createSymbolicLink(atPath: "\(folder)/links/\(name)", withDestinationPath: end)
                }
                for (name, words) in [
                    ("a", "Too many levels"), ("lost", "none/file couldn't be written: No such file"),
                ] {
                    let result = try await Tool.run(only + ["--output", "json=\(folder)/links/\(name)"])
                    #expect(result.exitCode == 74 && result.errors.contains(words), "\(result)")
                    try #expect(!files.destinationOfSymbolicLink(atPath: "\(folder)/links/\(name)").isEmpty)
                }
                let twice = try await Tool.run(
                    only + ["--output", "json=\(folder)/links/new", "--metrics-file", "\(folder)/files/new"])
                #expect(twice.exitCode == 64 && twice.errors.contains("named twice"), "\(twice)")
            }
        }
    }

    @Test("is one line and a code from 0 to 3 for Nagios")
    func nagios() async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            let only = ["check", "--nagios", "--only", "ref.dangling"] + target(database)
            let good = try await Tool.run(only)
            #expect(good.exitCode == 0, "\(good)")
            #expect(good.output.hasPrefix("CHAT OK - 0 findings, 0 new | ref_dangling=0;0;0 time="), "\(good)")
            #expect(good.output.split(separator: "\n").count == 1)
            try await Self.insert("6909f8dc21be47afd1d83101", database)
            let fresh = try await Tool.run(only)
            #expect(fresh.exitCode == 2 && fresh.output.hasPrefix("CHAT CRITICAL - 1 finding, 0 new | "), "\(fresh)")
            #expect(fresh.output.contains("ref_dangling=1;0;0"), "\(fresh)")
            _ = try await Tool.run(only + ["--record"])
            let known = try await Tool.run(only)
            #expect(known.exitCode == 1 && known.output.hasPrefix("CHAT WARNING - 1 finding, 0 new"), "\(known)")
            let quiet = try await Tool.run(only + ["--fail-on", "new"])
            #expect(quiet.exitCode == 0 && quiet.output.hasPrefix("CHAT OK - 1 finding, 0 new"), "\(quiet)")
            try await Self.insert("6909f8dc21be47afd1d83102", database)
            let new = try await Tool.run(only + ["--fail-on", "new"])
            #expect(new.exitCode == 2 && new.output.hasPrefix("CHAT CRITICAL - 2 findings, 1 new"), "\(new)")
        }
        for arguments in [Self.nowhere, ["--bogus"], ["--uri", "mongodb://"]] {
            let unknown = try await Tool.run(["check", "--nagios"] + arguments)
            #expect(unknown.exitCode == 3 && unknown.output.hasPrefix("CHAT UNKNOWN - "), "\(unknown)")
        }
        let json = try await Tool.run(["check", "--nagios", "--format", "json"] + Self.nowhere)
        #expect(json.exitCode == 3 && json.errors.contains("--output json=FILE"), "\(json)")
    }

    private static func insert(_ id: String, _ database: TestDatabase) async throws {
        try await database.insertJSON(
            "messages",
            #"{"_id": {"$oid": "\#(id)"}, "session_id": {"$oid": "6909dcb0d6aa2fce9e926431"}, "user_id": null, "deleted": false}"#
        )
    }

    @Test("reaches a command when something is new, right again, or unknown, and changes nothing else")
    func notify() async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await withFolder { folder in
                let notice = "\(folder)/notice"
                func check(_ command: String, _ more: [String] = []) async throws -> ToolResult {
                    try? FileManager.default.removeItem(atPath: notice)
                    return try await Tool.run(
                        ["check", "--only", "ref", "--record", "--notify", command] + more + target(database))
                }
                try await Self.insert("6909f8dc21be47afd1d83101", database)
                let save = "cat > '\(notice)'"
                _ = try await check(save)
                #expect(!FileManager.default.fileExists(atPath: notice))
                try await Self.insert("6909f8dc21be47afd1d83102", database)
                let new = try await check(save, ["--format", "json"])
                try #expect(text(notice) + "\n" == new.output)
                _ = try await check(save)
                #expect(!FileManager.default.fileExists(atPath: notice))
                try await database.run(["delete": "messages", "deletes": [["q": [:], "limit": 1]]])
                // Nobody gets the result, but whoever is notified.
                try await Self.insert("6909f8dc21be47afd1d83103", database)
                let full = try await OtherProgram.run(
                    "/bin/sh",
                    [
                        "-c", #"exec "$0" "$@" >/dev/full"#, ToolProgram.path(), "check", "--only", "ref", "--record",
                        "--settle", "0",
                    ]
                        + ["--notify", save] + target(database))
                #expect(full.code == 74, "\(full)")
                try #expect(text(notice).contains(#""new":1"#))
                try await database.run(["delete": "messages", "deletes": [["q": [:], "limit": 1]]])
                // It reads nothing, prints, and fails.
                let failing = try await check("echo said; exit 7")
                #expect(failing.exitCode == 1 && failing.errors.contains("it exited with code 7"), "\(failing)")
                #expect(failing.errors.contains("said") && !failing.output.contains("said"), "\(failing)")
                let lost = try await Tool.run(["check", "--notify", save] + Self.nowhere)
                #expect(lost.exitCode == 69, "\(lost)")
                try #expect(text(notice).contains(#""exitCode":69"#))
            }
        }
    }

    private func promtool(_ file: String) async throws {
        let answer = try await OtherProgram.run(OtherProgram.promtool(), ["check", "metrics"], input: text(file))
        #expect(answer.code == 0 && (answer.output + answer.errors).isEmpty, "\(answer)")
    }

    private func python(_ program: String, _ argument: String) async throws -> String {
        let answer = try await OtherProgram.run(OtherProgram.python(), ["-c", program, argument])
        try #require(answer.code == 0, "\(answer)")
        return answer.output
    }
}
