import BSON
import Foundation
import TestSupport
import Testing

/// A folder of a test's own.
private func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/chat-admin-telling-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
}

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
                #expect(result.exitCode == 5 && time < .seconds(5), "\(time): \(result)")
                try #expect(metric("\(folder)/a.prom", "check_complete") == "0")
                try #expect(text("\(folder)/a.xml").contains("<skipped message"))
                try await waitUntil("the notice") {
                    (try? text("\(folder)/notice").contains(#""complete":false"#)) ?? false
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
                // A link stays one.
                try "".write(toFile: "\(folder)/real", atomically: true, encoding: .utf8)
                try FileManager.default.createSymbolicLink(
                    atPath: "\(folder)/link", withDestinationPath: "\(folder)/real")
                let linked = try await Tool.run(only + ["--output", "json=\(folder)/link"])
                #expect(linked.exitCode == 0, "\(linked)")
                try #expect(text("\(folder)/real").hasPrefix("{"))
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
        #expect(answer.code == 0 && answer.output.isEmpty, "\(answer)")
    }

    private func python(_ program: String, _ argument: String) async throws -> String {
        let answer = try await OtherProgram.run(OtherProgram.python(), ["-c", program, argument])
        try #require(answer.code == 0, "\(answer)")
        return answer.output
    }
}
