import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// Text from elsewhere on a terminal.
@Suite("What is printed")
struct PrintedTextTests {
    /// Clears the screen, rings, begins a line, ends an escape sequence of one byte, and turns the order of what follows.
    private static let hostile = "a\u{1B}[2J\u{07}\r\nINJECTED\u{9B}31m\u{202E}b\u{2066}c\u{2028}INJECTED"

    private static func isHarmless(_ result: ToolResult) -> Bool {
        [result.output, result.errors].allSatisfy { text in
            let isPlain = text.unicodeScalars.allSatisfy { scalar in
                scalar == "\n"
                    || !((0..<0x20).contains(scalar.value) || (0x7F..<0xA0).contains(scalar.value)
                        || (0x2028...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value))
            }
            return isPlain && !text.split(separator: "\n").contains { $0.hasPrefix("INJECTED") }
        }
    }

    private static func load(_ database: TestDatabase) async throws {
        let user = BSONValue.objectID(ObjectID(timestamp: 1_700_000_000))
        let evil = BSONValue.string(hostile)
        try await database.load(
            "users",
            [
                ["_id": user, "username": evil, "email": evil],
                ["_id": .objectID(ObjectID(timestamp: 1_700_000_001)), "username": evil, "email": evil],
                ["_id": evil, "username": "third"],
            ])
        try await database.load(
            "chat_sessions",
            [
                ["_id": "", "user_id": evil, "title": evil, "message_count": evil, "last_message_at": evil],
                ["_id": ["a": evil], "user_id": .document([hostile: evil]), "title": "t", "message_count": 1],
            ])
        try await database.load(
            "messages", [["_id": evil, "session_id": evil, "user_id": evil, "role": evil, "created_at": evil]])
        try await database.run(["collMod": "messages", "validator": ["content": evil]])
        let run = ObjectID(timestamp: 5)
        let list: BSONValue = [
            ["code": evil, "collection": evil, "changed": 1, "count": 1, "reason": evil, "samples": [evil]]
        ]
        let operations: BSONValue = [
            [
                "collection": evil, "operation": evil, "changed": 1, "durationMS": 1,
                "filter": .document([hostile: evil]),
            ]
        ]
        try await database.load(
            "chat_admin.runs",
            [
                [
                    "_id": .objectID(run), "command": evil, "state": evil, "user": evil, "host": evil, "error": evil,
                    "arguments": [evil], "changes": list, "left": list, "operations": operations,
                    "startedAt": .date(1),
                ]
            ])
        try await database.load(
            "chat_admin.journal",
            [
                [
                    "_id": ["r": .objectID(run), "n": .int64(1)], "kind": "collection", "state": "done", "code": evil,
                    "collection": evil,
                ]
            ])
        for (series, version) in [("chat", 1), ("shop", 1)] as [(String, Int64)] {
            try await database.load(
                "chat_admin.migrations",
                [
                    [
                        "_id": .string("\(series)/\(version)"), "series": .string(series), "version": .int64(version),
                        "name": evil, "state": "failed", "host": evil, "user": evil, "error": evil, "left": list,
                        "changes": list, "toolVersion": evil, "runs": [.objectID(run)], "checksum": evil,
                    ]
                ])
        }
        try await database.load(
            "chat_admin.lease",
            [["_id": "lease", "token": 1, "owner": evil, "released": false, "expiresAt": .date(4_000_000_000_000)]])
    }

    @Test("holds no control character and no line break of a database's, a file's, an argument's or a server's")
    func escaped() async throws {
        let evil = Self.hostile
        let name = "000001_a\u{1B}[2J\u{202E}b.up.json"
        let steps = [
            "000001_first.up.json": "[{\"create\": \"x\u{202E}\\u001b[2J\\nINJECTED\"}]",
            "000002_\u{202E}second.up.json": "[{\"create\": \"y\"}]", name: "[]", "x\u{1B}[2J.json": "[]",
        ]
        try await StepFolder.with(steps) { folder in
            try await withDatabase { database in
                try await Self.load(database)
                let run = ObjectID(timestamp: 5)
                let runHex = try #require(try await database.all("chat_admin.runs").first?["_id"]?.objectID).hex
                _ = run
                var commands = [
                    ["check"], ["check", "--strict", "-v"], ["repair", "all", "--dry-run"], ["repair", "all", "--yes"],
                    ["runs", "list"], ["runs", "show", runHex], ["runs", "show", evil], ["runs", evil], [evil],
                    ["runs", "undo", runHex, "--dry-run"], ["runs", "undo", runHex, "--yes"], ["migrate", "status"],
                    ["migrate", "plan"], ["migrate", "validate"], ["migrate", "up", "--yes"], ["migrate", "unlock"],
                    ["check", "--\(evil)"], ["check", "--only", evil], ["check", "--max-time", evil],
                    ["check", "--database", evil], ["check", "--uri", "mongodb://\(evil)/"], ["seed", "--from", evil],
                    ["check", "--env-file", evil], ["migrate", "create", evil],
                    ["repair", "ids", "--max-changes", evil],
                    ["migrate", "status"] + folder.arguments, ["migrate", "plan"] + folder.arguments,
                    ["migrate", "up", "--yes"] + folder.arguments, ["migrate", "status", "--steps", "/\(evil)"],
                    ["migrate", "mark", "1", evil], ["repair", "counts", "--offline", "--yes"],
                ]
                commands.append(["migrate", "unlock", "--force"])
                for command in commands {
                    for format in command.first == evil ? [[]] : [[], ["--format", "json"]] {
                        let isElsewhere = command.contains("--database") || command.contains("--uri")
                        let place =
                            isElsewhere
                            ? ["--uri", database.uri].filter { _ in !command.contains("--uri") } : target(database)
                        let isLocal = command.count < 2 || command[1] == "create"
                        let result = try await Tool.run(command + (isLocal ? [] : place) + format)
                        #expect(
                            Self.isHarmless(result),
                            "\(command): \(result.output.debugDescription) \(result.errors.debugDescription)")
                        #expect(result.exitCode != 70 && result.signal == nil, "\(command): \(result)")
                    }
                }
            }
        }
    }

    @Test("is bounded, however large what it is about is")
    func bounded() async throws {
        try await withDatabase { database in
            let huge = String(repeating: "é", count: 2 << 20)
            let user = BSONValue.objectID(ObjectID(timestamp: 1_700_000_000))
            try await database.load("users", [["_id": user, "username": "u"]])
            try await database.load(
                "chat_sessions",
                [
                    ["_id": .string(huge), "user_id": .string(huge), "message_count": .string(huge), "title": "1"],
                    ["_id": ["a": .string(huge)], "user_id": .document([huge: 1]), "message_count": 1, "title": "2"],
                    ["_id": .string("x" + huge), "user_id": user, "message_count": 1, "title": "3"],
                ])
            try await database.load("messages", [["_id": .string(huge), "session_id": .string(huge), "user_id": user]])
            for command in [
                ["check"], ["repair", "all", "--dry-run"], ["repair", "all", "--offline", "--yes"], ["runs", "list"],
            ] {
                let text = try await Tool.run(command + target(database))
                #expect(text.exitCode == 0 || text.exitCode == 1, "\(text)")
                #expect(text.output.utf8.count + text.errors.utf8.count < 20_000, "\(command)")
                let machine = try await Tool.run(command + target(database) + ["--format", "json"])
                #expect(machine.output.utf8.count < 60_000, "\(command)")
                _ = try machine.json()
            }
            let check = try await json(["check", "--only", "id"], on: database, expecting: 1)
            let samples = (check["findings"]?.array?.values ?? []).compactMap(\.document).flatMap {
                ($0["samples"]?.array?.values ?? []).compactMap(\.document)
            }
            let cut = samples.compactMap { $0.value(at: "_id", "cut")?.document }
            #expect(cut.count == samples.count && !cut.isEmpty)
            #expect(cut.allSatisfy { ($0["bytes"]?.integer ?? 0) > 1 << 20 && $0["type"]?.string != nil })
            for record in try await database.all("chat_admin.runs") { #expect(record.byteCount < 1 << 20) }
        }
    }
}
