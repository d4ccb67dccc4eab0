import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// `check --watch` tells what is new, and what is right again, as it comes.
@Suite("A check that stays", .timeLimit(.minutes(5)))
struct WatchTests {
    private static let kinds = [TestServer.Kind.standalone, .replicaSet]
    private static let began = "Watching "

    private static func arguments(_ database: TestDatabase, _ more: [String] = []) -> [String] {
        ["check", "--watch", "--every", "0.2", "--settle", "0.5", "--format", "json"] + more + target(database)
    }

    /// Lines of one kind, as `code collection count`.
    private static func lines(_ output: String, _ event: String) throws -> [String] {
        try output.split(separator: "\n").map { try ExtendedJSON.document(String($0)) }.filter {
            $0["event"]?.string == event
        }
        .map { "\($0["code"]?.string ?? "") \($0["collection"]?.string ?? "") \($0["count"]?.integer ?? 0)" }
    }

    /// A right database with two sessions and a message in each.
    private static func begin(_ database: TestDatabase) async throws {
        try await database.load("users", [Sample.user()])
        let counts: BSONDocument = ["message_count": 1, "last_message_at": .date(Sample.moment)]
        try await database.load("chat_sessions", [Sample.session(counts), Sample.session(counts, id: Sample.other)])
        try await database.load(
            "messages", [Sample.message(), Sample.message(["session_id": .objectID(Sample.other)])])
        try await database.run([
            "createIndexes": "messages",
            "indexes": [["key": ["session_id": 1, "deleted": 1, "created_at": 1], "name": "counting"]],
        ])
    }

    private static func insert(_ id: BSONValue, _ changes: BSONDocument, _ database: TestDatabase) async throws {
        var message = Sample.message(changes)
        message["_id"] = id
        try await database.load("messages", [message])
    }

    private static func now() -> ObjectID { ObjectID(timestamp: UInt32(Date().timeIntervalSince1970)) }

    /// Watches, and ends with a signal.
    private static func watch(
        _ database: TestDatabase, _ more: [String] = ["--only", "id,ref,field,count,last"],
        _ body: (RunningTool) async throws -> Void
    ) async throws -> ToolResult {
        try await Tool.start(arguments(database, more)) { tool in
            try await tool.waitUntilPrinted(began)
            try await body(tool)
            let start = ContinuousClock.now
            tool.send(SIGTERM)
            try await tool.waitUntilEnded()
            // Two seconds for a user; a test's machine is busy.
            #expect(ContinuousClock.now - start < .seconds(5))
        }.result
    }

    @Test("tells what is wrong when it comes, counts once they have settled, and what is right again", arguments: kinds)
    func tells(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.begin(database)
            let changed = BSONValue.date(Int64(Date().timeIntervalSince1970 * 1000))
            let result = try await Self.watch(database) { tool in
                // What the bug makes, and a field of another type.
                try await Self.insert("", ["session_id": .string(Sample.session.hex), "deleted": true], database)
                try await Self.insert(.objectID(Self.now()), ["deleted": "no"], database)
                for code in ["id.empty", "ref.string", "field.type"] { try await tool.waitUntilPrinted(#""\#(code)""#) }
                try await database.update(
                    "chat_sessions", ["_id": .objectID(Sample.other)],
                    ["$set": ["message_count": 9, "updated_at": changed]])
                try await tool.waitUntilPrinted(#""count.wrong""#)
                try await database.update(
                    "chat_sessions", ["_id": .objectID(Sample.other)],
                    ["$set": ["message_count": 1, "updated_at": changed]])
                try await database.run(["delete": "messages", "deletes": [["q": ["_id": ""], "limit": 1]]])
                try await waitUntil("both are right again") {
                    let resolved = try Self.lines(tool.output, "resolved")
                    return resolved.contains("count.wrong chat_sessions 1") && resolved.contains("id.empty messages 1")
                }
            }
            #expect(result.exitCode == 0, "\(result)")
            let new = try Self.lines(result.output, "new")
            #expect(
                new.sorted() == [
                    "count.wrong chat_sessions 1", "field.type messages 1", "id.empty messages 1",
                    "ref.string messages 1",
                ], "\(result)")
            for line in result.output.split(separator: "\n") {
                try await #expect(SchemaTests.objections(to: "\(line)\n", "watch") == "")
            }
        }
    }

    @Test("says nothing of an application that counts a little later", arguments: kinds)
    func healthy(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.begin(database)
            let result = try await Self.watch(database) { tool in
                for number in 2...6 {
                    let (id, created) = (Self.now(), Sample.moment + Int64(number))
                    try await Self.insert(.objectID(id), ["created_at": .date(created)], database)
                    try await Task.sleep(for: .milliseconds(250))
                    try await database.update(
                        "chat_sessions", ["_id": .objectID(Sample.session)],
                        [
                            "$set": [
                                "message_count": .int32(Int32(number)), "last_message_at": .date(created),
                                "updated_at": .date(Int64(Date().timeIntervalSince1970 * 1000)),
                            ]
                        ])
                }
                // Something that is told marks the end.
                try await Self.insert("", [:], database)
                try await tool.waitUntilPrinted(#""id.empty""#)
            }
            #expect(result.exitCode == 0)
            let new = try Self.lines(result.output, "new").filter { $0 != "count.wrong chat_sessions 1" }
            #expect(new == ["id.empty messages 1"], "\(result)")
        }
    }

    @Test("goes on where it was stopped, however that was", arguments: kinds, [SIGTERM, SIGKILL])
    func restarted(kind: TestServer.Kind, signal: Int32) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.begin(database)
            try await withFolder { folder in
                for store in [["--record"], ["--record-file", folder + "/records"]] {
                    let arguments = Self.arguments(database, store + ["--only", "id,ref"])
                    let id = BSONValue.objectID(Self.now())
                    _ = try await Tool.start(arguments) { tool in
                        try await tool.waitUntilPrinted(Self.began)
                        try await Self.insert(id, ["user_id": "", "deleted": true], database)
                        try await tool.waitUntilPrinted(#""ref.empty""#)
                        tool.send(signal)
                        try await tool.waitUntilEnded()
                    }
                    try await Self.insert("", ["deleted": true], database)
                    let result = try await Self.watch(database, store + ["--only", "id,ref"]) { tool in
                        try await tool.waitUntilPrinted(#""id.empty""#)
                    }
                    // What was told before it was killed may be told again, for it wasn't kept yet.
                    let new = try Self.lines(result.output, "new")
                    #expect(
                        new.contains("id.empty messages 1") && new.count <= (signal == SIGKILL ? 2 : 1), "\(result)")
                    try await database.run([
                        "delete": "messages", "deletes": [["q": ["_id": ["$in": ["", id]]], "limit": 0]],
                    ])
                }
            }
        }
    }

    @Test("knows in the end what a whole check finds, whatever was done", arguments: [1, 2, 3] as [UInt64])
    func changes(seed: UInt64) async throws {
        try await withDatabase(on: .replicaSet) { database in
            var application = RandomApplication(seed: seed)
            try await application.begin(database)
            // Accounts that are gone are told as far as something of theirs was seen.
            func differences() async throws -> [String] {
                func kept(_ found: [String: IncrementalTests.Found]) -> [String: IncrementalTests.Found] {
                    found.filter { place, _ in
                        !["ref.orphan", "guard.", "index."].contains { place.hasPrefix($0) }
                    }
                }
                let whole = kept(try await IncrementalTests.whole(database))
                return IncrementalTests.differences(
                    kept(IncrementalTests.findings(try await IncrementalTests.newest(database))), whole)
            }
            let result = try await Self.watch(database, ["--record", "--only", "id,ref,field,count,last,user"]) { _ in
                try await application.act(80, database)
                // What it knows is kept now and then.
                do {
                    try await waitUntil("it knows all") { try await differences().isEmpty }
                } catch {
                    try await Issue.record("\(differences()) after \(application.last)")
                }
            }
            #expect(result.exitCode == 0)
        }
    }

    @Test("looks at everything again where the database was dropped, or its place is lost")
    func lost() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await Self.begin(database)
            let result = try await Self.watch(database) { tool in
                try await Self.insert("", ["deleted": true], database)
                try await tool.waitUntilPrinted(#""id.empty""#)
                try await database.run(["dropDatabase": 1])
                try await tool.waitUntilPrinted("Looking at everything again")
                try await tool.waitUntilPrinted(#""resolved""#)
                try await Self.begin(database)
                try await Self.insert(.null, ["deleted": true], database)
                try await tool.waitUntilPrinted(#""id.null""#)
            }
            #expect(result.exitCode == 0, "\(result)")
        }
    }

    @Test("leaves to the next one what it hadn't decided when it was stopped")
    func undecided() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await Self.begin(database)
            let arguments = [
                "check", "--watch", "--record", "--settle", "60", "--only", "id,ref,count", "--format", "json",
            ]
            _ = try await Tool.start(arguments + target(database)) { tool in
                try await tool.waitUntilPrinted(Self.began)
                try await database.update(
                    "chat_sessions", ["_id": .objectID(Sample.other)], ["$set": ["message_count": 9]])
                // What comes after it is told at once.
                try await Self.insert("", ["deleted": true], database)
                try await tool.waitUntilPrinted(#""id.empty""#)
                tool.send(SIGTERM)
                try await tool.waitUntilEnded()
            }
            let next = try await Tool.run(
                ["check", "--incremental", "--record", "--only", "id,ref,count", "--format", "json"] + target(database))
            let check = try next.json()
            #expect(check.value(at: "coverage", "mode") == "incremental", "\(check)")
            #expect(check.counts(of: "findings", "count")["count.wrong"] == ["chat_sessions": 1], "\(check)")
        }
    }

    @Test("is quiet about what is accepted, and about guards that nobody has touched", arguments: kinds)
    func quiet(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.begin(database)
            let accept = ["check", "accept", "ref.empty:messages", "--reason", "known", "--until", "forever"]
            _ = try await json(accept, on: database, expecting: 0)
            let result = try await Self.watch(database, []) { tool in
                try await Self.insert(.objectID(Self.now()), ["session_id": "", "deleted": true], database)
                try await Self.insert("", ["deleted": true], database)
                try await tool.waitUntilPrinted(#""id.empty""#)
                // Some rounds of a small collection.
                try await Self.insert(.null, ["deleted": true], database)
                try await tool.waitUntilPrinted(#""id.null""#)
            }
            #expect(!result.output.contains("ref.empty") && !result.output.contains("resolved"), "\(result)")
        }
    }

    @Test("keeps since when what it knows was found, and how much of it is accepted, as a check does")
    func kept() async throws {
        try await withDatabase { database in
            try await Self.begin(database)
            try await Self.insert(.objectID(Self.now()), ["deleted": "no"], database)
            try await Self.insert("", [:], database)
            let only = ["--record", "--only", "id,field"]
            let past = BSONValue.date(Int64(Date().timeIntervalSince1970 - 30 * 86_400) * 1000)
            _ = try await json(["check"] + only, on: database, expecting: 1)
            try await database.update("chat_admin.checks", ["kind": "check"], ["$set": ["at": past]])
            _ = try await json(
                ["check", "accept", "field.type", "--reason", "x", "--until", "forever"], on: database, expecting: 0)
            func found() async throws -> [String: BSONDocument] {
                let records = try await database.all("chat_admin.checks").filter { $0["number"]?.integer == 2 }
                let found = records.first { $0["kind"] == "check" }?["findings"]?.array?.values ?? []
                return found.compactMap(\.document).reduce(into: [:]) { $0[$1["code"]?.string ?? ""] = $1 }
            }
            func expectKept() async throws {
                let found = try await found()
                #expect(found["field.type"]?["accepted"]?.integer == 1, "\(found)")
                #expect(found["id.empty"]?["accepted"] == nil && found["id.empty"]?["since"] == past, "\(found)")
            }
            for hasNews in [false, true] {
                _ = try await Self.watch(database, only) { tool in
                    if hasNews {
                        try await Self.insert("6909f8dc21be47afd1d83101", [:], database)
                        try await tool.waitUntilPrinted(#""id.string""#)
                    }
                    // As it began.
                    try await waitUntil("it is kept") { try await !found().isEmpty }
                    try await expectKept()
                }
                try await expectKept()
                try await database.run([
                    "delete": "chat_admin.checks", "deletes": [["q": ["_id": "check/2"], "limit": 1]],
                ])
            }
        }
    }

    @Test("counts again where messages were deleted for good")
    func deleted() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await Self.begin(database)
            let result = try await Self.watch(database) { tool in
                try await database.run(["delete": "messages", "deletes": [["q": [:], "limit": 1]]])
                try await tool.waitUntilPrinted(#""count.wrong""#)
            }
            #expect(result.exitCode == 0, "\(result)")
        }
    }

    @Test("takes no option that is about the end of a check, and --every not alone")
    func options() async throws {
        let nowhere = ["--uri", "mongodb://127.0.0.1:1"]
        for option in [
            ["--output", "json=x"], ["--metrics-file", "x"], ["--notify", "true"], ["--fail-on", "new"],
            ["--strict"], ["--incremental", "--slice", "1/2"], ["--every", "0"], ["--every", "2d"],
        ] {
            let result = try await Tool.run(["check", "--watch"] + option + nowhere)
            #expect(result.exitCode == 64, "\(result)")
        }
        // Nagios is told in its own way.
        try await #expect(Tool.run(["check", "--watch", "--nagios"] + nowhere).exitCode == 3)
        let alone = try await Tool.run(["check", "--every", "1"] + nowhere)
        #expect(alone.exitCode == 64 && alone.errors.contains("--every is a part of --watch"), "\(alone)")
    }
}
