import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// Counting in workers ends when one of them fails, and goes on where the failure passes by itself.
@Suite("Counting that fails")
struct CountingFailureTests {
    private static func repair(_ database: TestDatabase, _ extra: [String]) -> [String] {
        ["repair", "counts", "--yes"] + extra + ["--uri", database.uri, "--database", database.name]
    }

    /// Sessions with wrong counts, with the index that lets them be counted range by range.
    private static func load(_ database: TestDatabase, sessions: Int = 200, isIndexed: Bool = true) async throws {
        try await database.load(
            "chat_sessions",
            (0..<sessions).map { _ in ["_id": .objectID(FreshID.make()), "title": "t", "message_count": 5] })
        // Not one at all would look like half a restore.
        try await database.load(
            "messages", [["_id": .objectID(FreshID.make()), "session_id": .objectID(FreshID.make())]])
        guard isIndexed else { return }
        try await database.run([
            "createIndexes": "messages",
            "indexes": [["key": ["session_id": 1, "deleted": 1, "created_at": 1], "name": "counting"]],
        ])
    }

    @Test("a refused look ends the run", arguments: [false, true], [["--settle", "0.5"], ["--offline"]])
    func refused(isIndexed: Bool, mode: [String]) async throws {
        try await ServerFleet.shared.withServer(.standalone) { server in
            try await server.withDatabase { database in
                try await Self.load(database, isIndexed: isIndexed)
                // Beginning a run takes aggregations of its own collections.
                let fault = FailCommand("aggregate", on: "\(database.name).messages").failing(code: 2)
                let result = try await database.withFailPoint(fault) { _ in
                    try await Tool.run(Self.repair(database, mode))
                }
                #expect(result.exitCode == 70, "\(result)")
                let next = try await Tool.run(Self.repair(database, mode))
                #expect(next.exitCode == 0, "\(next)")
                #expect(try await database.count("chat_sessions", ["message_count": 0]) == 200)
            }
        }
    }

    @Test("a broken connection is got over while counts settle", arguments: [false, true])
    func broken(isIndexed: Bool) async throws {
        try await ServerFleet.shared.withServer(.standalone) { server in
            try await server.withDatabase { database in
                try await Self.load(database, isIndexed: isIndexed)
                let result = try await database.withFailPoint(
                    FailCommand("aggregate", on: "\(database.name).messages").closingConnection(), mode: .times(3)
                ) { _ in try await Tool.run(Self.repair(database, ["--settle", "0.5"])) }
                #expect(result.exitCode == 0, "\(result)")
                #expect(try await database.count("chat_sessions", ["message_count": 0]) == 200)
            }
        }
    }

    @Test("any number of workers comes to an end", arguments: [1, 3, 8, 32])
    func workers(count: Int) async throws {
        try await withDatabase { database in
            try await Self.load(database, sessions: 3_000)
            let result = try await Tool.run(Self.repair(database, ["--settle", "0.2", "--workers", String(count)]))
            #expect(result.exitCode == 0, "\(result)")
            #expect(try await database.count("chat_sessions", ["message_count": 0]) == 3_000)
        }
    }

    @Test("a count that the server refuses to set is left, said once, and keeps no other from being set")
    func refusedByValidator() async throws {
        try await withDatabase { database in
            try await Self.load(database, sessions: 300)
            let refused = try await database.all("chat_sessions").prefix(3).map { $0["_id"] ?? .null }
            for id in refused { try await database.update("chat_sessions", ["_id": id], ["$set": ["title": "locked"]]) }
            try await database.run([
                "collMod": "chat_sessions", "validator": ["$nor": [["title": "locked", "message_count": 0]]],
            ])
            for mode in [["--settle", "0.2"], ["--offline"]] {
                let result = try await Tool.run(Self.repair(database, mode + ["--format", "json"]))
                #expect(result.exitCode == 1, "\(result)")
                let left = try result.json()["left"]?.array?.values.compactMap(\.document) ?? []
                let refused = left.filter { $0["reason"]?.string?.contains("refused") ?? false }
                // Once for each of their findings.
                #expect(refused.map { $0["code"] } == ["count.wrong", "field.missing"])
                #expect(refused.map { $0["count"] } == [3, 3])
                #expect(try await database.count("chat_sessions", ["message_count": 0]) == 297)
            }
        }
    }

    @Test(
        "numbers that the server takes for equal name the same session, whatever their types", arguments: [true, false])
    func numericIDs(isIndexed: Bool) async throws {
        try await withDatabase { database in
            try await Self.load(database, sessions: 1, isIndexed: isIndexed)
            let ids: [(session: BSONValue, messages: [BSONValue])] = [
                (.double(1), [.int32(1), .int64(1)]), (.int64(5), [.int32(5), .double(5)]),
                (.int32(7), [.double(7), .int64(7)]), (.double(-0.0), [.int32(0), .double(0)]),
                (["a": 1, "b": ["c": .double(2)]], [["a": .int64(1), "b": ["c": 2]], ["a": 1, "b": ["c": 2]]]),
            ]
            try await database.load(
                "chat_sessions",
                ids.enumerated().map { index, item in
                    ["_id": item.session, "message_count": index == 1 ? 9 : 2, "last_message_at": .date(5_000)]
                })
            try await database.load(
                "messages",
                ids.flatMap(\.messages).map {
                    ["_id": .objectID(FreshID.make()), "session_id": $0, "created_at": .date(5_000), "deleted": false]
                })
            let result = try await Tool.run(Self.repair(database, ["--settle", "0.2", "--format", "json"]))
            #expect(result.exitCode == 0, "\(result)")
            let odd: BSONDocument = ["_id": ["$not": ["$type": "objectId"]]]
            for session in try await database.find("chat_sessions", odd) {
                #expect(session["message_count"] == 2 && session["last_message_at"] == .date(5_000), "\(session)")
            }
        }
    }

    @Test("where there is nothing to count, nothing is set to zero", arguments: [["--settle", "0.2"], ["--offline"]])
    func nothingToCount(mode: [String]) async throws {
        try await withDatabase { database in
            try await Self.load(database, sessions: 5, isIndexed: false)
            try await database.run(["drop": "messages"])
            for command in [["repair", "counts", "--dry-run"], ["repair", "counts", "--yes"] + mode] {
                let result = try await Tool.run(command + ["--uri", database.uri, "--database", database.name])
                #expect(result.output.contains("messages held nothing when it was looked at first"), "\(result)")
            }
            #expect(try await database.count("chat_sessions", ["message_count": 5]) == 5)
        }
    }

    @Test("an index that is dropped between two looks is done without")
    func indexDropped() async throws {
        try await ServerFleet.shared.withServer(.standalone) { server in
            try await server.withDatabase { database in
                try await Self.load(database)
                let before = try await Self.aggregations(database)
                async let result = Tool.run(Self.repair(database, ["--settle", "4"]))
                // One begins the run, one counts the live ones, another the suspects; then they settle.
                while try await Self.aggregations(database) < before + 3 {
                    try await Task.sleep(for: .milliseconds(20))
                }
                try await database.run(["dropIndexes": "messages", "index": "counting"])
                #expect(try await result.exitCode == 0)
                #expect(try await database.count("chat_sessions", ["message_count": 0]) == 200)
            }
        }
    }

    @Test("references to very many sessions that don't exist are counted past")
    func orphans() async throws {
        try await withDatabase { database in
            try await Self.load(database, sessions: 3)
            let sessions = try await database.all("chat_sessions").map { $0["_id"] ?? .null }
            let orphans = (0..<20_000).map { _ in BSONValue.objectID(FreshID.make()) }
            try await database.load(
                "messages",
                (orphans + sessions).map {
                    ["_id": .objectID(FreshID.make()), "session_id": $0, "created_at": .date(5_000), "deleted": false]
                })
            let result = try await Tool.run(Self.repair(database, ["--settle", "0.2"]))
            #expect(result.exitCode == 0, "\(result)")
            #expect(try await database.count("chat_sessions", ["message_count": 1]) == 3)
        }
    }

    @Test("without an index, settled suspects share their looks at the whole collection")
    func looksShared() async throws {
        try await ServerFleet.shared.withServer(.standalone) { server in
            try await server.withDatabase { database in
                try await Self.load(database, sessions: 15_000, isIndexed: false)
                let before = try await Self.aggregations(database)
                let result = try await Tool.run(Self.repair(database, ["--settle", "0.2"]))
                #expect(result.exitCode == 0, "\(result)")
                #expect(try await database.count("chat_sessions", ["message_count": 0]) == 15_000)
                // A round looks at everything and once at all suspects; the second round finds nothing.
                #expect(try await Self.aggregations(database) - before < 8)
            }
        }
    }

    private static func aggregations(_ database: TestDatabase) async throws -> Int64 {
        let status = try await database.run(["serverStatus": 1])
        return status.value(at: "metrics", "commands", "aggregate", "total")?.integer ?? 0
    }

    @Test("offline, time that is over has an exit code of its own, and what was done by then is told")
    func outOfTime() async throws {
        try await ServerFleet.shared.withServer(.standalone) { server in
            try await server.withDatabase { database in
                try await Self.load(database, sessions: 6_000)
                // Whenever the first update begins, the time is over when it ends, and the process's patience isn't.
                let result = try await database.withFailPoint(
                    FailCommand("update").blocking(milliseconds: 1_800), mode: .times(1)
                ) { _ in
                    try await Tool.run(
                        Self.repair(database, ["--offline", "--workers", "1", "--max-time", "1.7", "--format", "json"]))
                }
                #expect(result.exitCode == 5, "\(result)")
                let changed = try result.json()["changes"]?.array?.values.first?.document?["changed"]?.integer ?? 0
                #expect((1..<6_000).contains(changed), "\(result)")
                #expect(try await database.count("chat_sessions", ["message_count": 0]) == Int(changed))
            }
        }
    }

    @Test("a step that the ledger alone knows isn't reverted for another that failed first")
    func downOnlyOne() async throws {
        try await ServerFleet.shared.withServer(.standalone) { server in
            try await server.withDatabase { database in
                try await Self.load(database)
                for version in [8, 9] as [Int64] {
                    try await database.load(
                        "chat_admin.migrations",
                        [
                            [
                                "_id": .string("chat/\(version)"), "series": "chat", "version": .int64(version),
                                "name": "later", "state": "applied", "runs": [],
                            ]
                        ])
                }
                let result = try await database.withFailPoint(
                    FailCommand("update").failing(code: 11600), mode: .times(1)
                ) { _ in
                    try await Tool.run(
                        ["migrate", "down", "--yes", "--uri", database.uri, "--database", database.name])
                }
                #expect(result.exitCode == 0, "\(result)")
                let states = try await database.all("chat_admin.migrations").map { $0["state"]?.string ?? "" }
                #expect(states == ["applied", "reverted"])
            }
        }
    }

    @Test("messages that are a view can be counted")
    func view() async throws {
        try await withDatabase { database in
            try await Self.load(database, sessions: 3, isIndexed: false)
            try await database.run(["drop": "messages"])
            try await database.run(["create": "messages", "viewOn": "all_messages", "pipeline": []])
            let result = try await Tool.run(
                ["check", "--only", "count", "--uri", database.uri, "--database", database.name])
            #expect(result.exitCode == 1, "\(result)")
        }
    }
}
