import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// The tool on a machine whose clock is an hour wrong, and a server whose clock is right.
@Suite("A machine's clock that is an hour wrong")
struct WrongClockTests {
    private static let hour: Int64 = 3_600_000
    /// By how much the clock is wrong from check to check.
    private static let shifts = ["-1h", "+1h", "-0", "+1h", "-1h"]

    /// Runs the tool by another clock.
    ///
    /// What sleeps isn't tried so: the library that moves the clock moves Dispatch's timers, too, which go by no wall clock.
    private static func run(
        _ arguments: [String], shift: String, in folder: String
    ) async throws -> (code: Int32?, output: String, errors: String) {
        let environment = ["-i", "PATH=/usr/bin:/bin", "HOME=\(folder)", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
        return try await OtherProgram.run(
            "/usr/bin/env", environment + [OtherProgram.faketime(), "-f", shift, ToolProgram.path()] + arguments)
    }

    private static func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/chat-admin-clock-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    /// Milliseconds since 1970, by the server's clock.
    private static func now(_ database: TestDatabase) async throws -> Int64 {
        let hello = try await database.run(["hello": 1])
        return try #require(hello["localTime"]?.date)
    }

    private static func times(_ output: String, _ field: String) throws -> [Int64] {
        try output.matches(of: Regex(#""\#(field)":"([^"]*)""#)).map { match in
            let date = try Date(String(match.output[1].substring ?? ""), strategy: .iso8601)
            return Int64(date.timeIntervalSince1970 * 1000)
        }
    }

    @Test("changes no record's time, number or order, and nothing that is told of them", arguments: [false, true])
    func records(isFile: Bool) async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await Self.withFolder { folder in
                let target = ["--uri", database.uri, "--database", database.name]
                let place = isFile ? ["--record-file", "\(folder)/checks.jsonl"] : []
                let record =
                    ["check", "--settle", "0", "--fail-on", "new", "--format", "json"] + (isFile ? place : ["--record"])
                let start = try await Self.now(database) / 1000 * 1000
                for (index, shift) in Self.shifts.enumerated() {
                    let check = try await Self.run(record + target, shift: shift, in: folder)
                    #expect(check.code == 0, "\(check)")
                    let json = try Self.document(check.output)
                    #expect(json.value(at: "recorded", "number")?.integer == Int64(index + 1))
                    let findings = json["findings"]?.array?.values.compactMap(\.document) ?? []
                    #expect(!findings.isEmpty && findings.allSatisfy { $0["new"]?.integer ?? 0 == 0 }, "\(check)")
                    // Since the first of them, whatever that said the time was.
                    let since = try Self.times(check.output, "since")
                    try await #expect((start...Self.now(database)).contains(since.min() ?? 0), "\(shift): \(since)")
                    #expect(since.allSatisfy { $0 == since[0] }, "\(shift): \(since)")
                }
                let end = try await Self.now(database)
                for shift in ["-1h", "+1h"] {
                    let history = try await Self.run(
                        ["check", "history", "--format", "json"] + place + target, shift: shift, in: folder)
                    let checks = try Self.document(history.output)["checks"]?.array?.values.compactMap(\.document) ?? []
                    #expect(checks.map { $0["number"]?.integer } == [5, 4, 3, 2, 1], "\(history)")
                    let times = try Self.times(history.output, "at")
                    #expect(times.count == 5 && times == times.sorted(by: >), "\(times)")
                    #expect(times.allSatisfy { (start...end).contains($0) }, "\(times)")

                    let report = try await Self.run(["report", "-"] + place + target, shift: shift, in: folder)
                    #expect(report.code == 0 && report.output.contains("Check 5, "), "\(report.output.prefix(3000))")
                    let age = report.output.firstMatch(of: /Check 5, (?:just now|([0-9]+) (second|minute)s? ago)/)
                    let found = try #require(age, "\(report.output.prefix(3000))")
                    #expect(found.2 != "minute" || Int(found.1 ?? "") ?? 60 < 30, "\(found.0)")
                }
            }
        }
    }

    @Test("lets no record be taken out before its time, or stay beyond it", arguments: [false, true], ["-1h", "+1h"])
    func pruning(isFile: Bool, shift: String) async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await Self.withFolder { folder in
                let target = ["--uri", database.uri, "--database", database.name]
                let file = "\(folder)/checks.jsonl"
                let check =
                    ["check", "--only", "guard", "--keep", "1"] + (isFile ? ["--record-file", file] : ["--record"])
                for _ in 1...2 {
                    let made = try await Self.run(check + target, shift: "-0", in: folder)
                    #expect(made.code == 0, "\(made)")
                }
                // The first is half an hour older than a day, and the second half an hour younger.
                let now = try await Self.now(database)
                for (number, age) in [(1, 24 * Self.hour + Self.hour / 2), (2, 24 * Self.hour - Self.hour / 2)] {
                    if isFile {
                        var lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map(
                            String.init)
                        let at = /"at" : { "\$date" : { "\$numberLong" : "[0-9]+" } }/
                        lines[number - 1] = lines[number - 1].replacing(
                            at, with: #""at" : { "$date" : { "$numberLong" : "\#(now - age)" } }"#)
                        try (lines.joined(separator: "\n") + "\n").write(
                            toFile: file, atomically: true, encoding: .utf8)
                    } else {
                        try await database.update(
                            "chat_admin.checks", ["number": .int64(Int64(number))], ["$set": ["at": .date(now - age)]])
                    }
                }
                let last = try await Self.run(check + target, shift: shift, in: folder)
                #expect(last.code == 0, "\(last)")
                let history = try await Self.run(
                    ["check", "history", "--format", "json"] + (isFile ? ["--record-file", file] : []) + target,
                    shift: shift, in: folder)
                let checks = try Self.document(history.output)["checks"]?.array?.values.compactMap(\.document) ?? []
                #expect(checks.map { $0["number"]?.integer } == [3, 2], "\(history)")
            }
        }
    }

    private static func document(_ json: String) throws -> BSONDocument { try ExtendedJSON.document(json) }
}
