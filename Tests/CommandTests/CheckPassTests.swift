import BSON
import Foundation
import TestSupport
import Testing

/// A check that reads messages once, seen from outside.
@Suite("A check in one pass")
struct CheckPassTests {
    private static let topologies = [TestServer.Kind.standalone, .replicaSet]

    private static func makeIndex(_ database: TestDatabase) async throws {
        try await database.run([
            "createIndexes": "messages",
            "indexes": [["key": ["session_id": 1, "deleted": 1, "created_at": 1], "name": "counting"]],
        ])
    }

    private static func findings(_ check: BSONDocument) -> [BSONDocument] {
        (check["findings"]?.array?.values ?? []).compactMap(\.document)
            .filter { $0["code"]?.string?.hasPrefix("index.") == false }
    }

    @Test("finds what it finds without the index, and all that parts of it find", arguments: topologies)
    func parts(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            func check(_ only: String? = nil) async throws -> [BSONDocument] {
                let arguments = ["check", "--settle", "0"] + (only.map { ["--only", $0] } ?? [])
                let result = try await Tool.run(arguments + target(database) + ["--format", "json"])
                try #require([0, 1].contains(result.exitCode), "\(result)")
                return Self.findings(try result.json())
            }
            let apart = try await check()
            try await Self.makeIndex(database)
            let whole = try await check()
            #expect(whole == apart)
            #expect(try await check() == whole)
            // With `_id`s, because what follows from those is a part of them.
            for only in ["id,ref", "id,ref,field", "field", "count,last", "id,ref,count"] {
                let prefixes = only.split(separator: ",").map { $0 + "." }
                let part = whole.filter { finding in
                    prefixes.contains { finding["code"]?.string?.hasPrefix($0) == true }
                }
                #expect(try await check(only) == part, "\(only)")
            }
        }
    }

    @Test("takes nothing for damage that comes or goes while it looks")
    func moving() async throws {
        try await withDatabase { database in
            try await database.load("users", [Sample.user()])
            let (gone, new) = (ObjectID.smallest(at: 5), ObjectID.smallest(at: 6))
            let latest: BSONDocument = ["message_count": 1, "last_message_at": .date(Sample.moment)]
            try await database.load(
                "chat_sessions", [Sample.session(latest, id: gone), Sample.session(latest)])
            try await database.load(
                "messages", [Sample.message(["session_id": .objectID(gone)]), Sample.message()])
            try await Self.makeIndex(database)
            // The sessions have been read by the time their messages are asked for.
            let late = FailCommand("find", on: "\(database.name).messages").blocking(milliseconds: 3000)
            let arguments = ["check", "--settle", "1", "--only", "ref,count,last,field"] + target(database)
            try await database.withFailPoint(late, mode: .times(1)) { failPoint in
                let ended = try await Tool.start(arguments) { tool in
                    try await failPoint.waitUntilEntered()
                    for (name, field) in [("chat_sessions", "_id"), ("messages", "session_id")] {
                        try await database.run([
                            "delete": .string(name),
                            "deletes": [["q": .document([field: .objectID(gone)]), "limit": 0]],
                        ])
                    }
                    try await database.load("chat_sessions", [Sample.session(latest, id: new)])
                    try await database.load("messages", [Sample.message(["session_id": .objectID(new)])])
                }
                #expect(ended.result.exitCode == 0, "\(ended.result)")
            }
        }
    }

    @Test("ends within its time, and says what it didn't look at", arguments: [nil, SIGTERM] as [Int32?])
    func ended(signal: Int32?) async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await Self.makeIndex(database)
            let late = FailCommand("find", on: "\(database.name).messages").blocking(milliseconds: 20_000)
            let arguments = ["check", "--only", "ref,count,field", "--format", "json"] + target(database)
            try await database.withFailPoint(late, mode: .times(1)) { failPoint in
                let start = ContinuousClock.now
                let result: ToolResult
                if let signal {
                    result = try await Tool.run(arguments, sending: signal) { _ in
                        try await failPoint.waitUntilEntered()
                    }.result
                } else {
                    result = try await Tool.run(arguments + ["--max-time", "1"])
                }
                #expect(ContinuousClock.now - start < .seconds(15))
                #expect(result.exitCode == signal.map { 128 + $0 } ?? 5, "\(result)")
                let unchecked = try result.json()["unchecked"]?.array?.values ?? []
                #expect(unchecked.contains("messages") && unchecked.contains("counts of chat_sessions"), "\(unchecked)")
            }
        }
    }
}
