import BSON
import Foundation
import TestSupport
import Testing

@Suite("What looks wrong to a check while the application writes")
struct CheckSettleTests {
    private static let user = #"{"$oid": "6909dd28187c07e4d5636e00"}"#
    private static let session = ObjectID(hex: "6909eac0304d4896f9e17f01")

    /// One user with two sessions, whose counts are right.
    private func withChats(
        on kind: TestServer.Kind = .standalone, _ body: @Sendable (TestDatabase) async throws -> Void
    ) async throws {
        try await withDatabase(on: kind) { database in
            try await database.insertJSON(
                "users",
                #"{"_id": \#(Self.user), "username": "ann", "email": "a@example.org", "full_name": "Ann", "role": "user"}"#
            )
            for digit in 1...2 {
                try await database.insertJSON(
                    "chat_sessions",
                    #"""
                    {"_id": {"$oid": "6909eac0304d4896f9e17f0\#(digit)"}, "user_id": \#(Self.user), "title": "t",
                    "message_count": 0, "last_message_at": null, "deleted": false,
                    "created_at": {"$date": "2026-11-01T12:00:00Z"}, "updated_at": {"$date": "2026-11-01T12:00:00Z"}}
                    """#)
            }
            try await body(database)
        }
    }

    /// The first half of what the application does when a message is sent, and the second.
    private static func insert(_ number: Int, _ database: TestDatabase) async throws {
        try await database.insertJSON(
            "messages",
            #"""
            {"_id": {"$oid": "6909f8dc21be47afd1d8310\#(number)"}, "session_id": {"$oid": "6909eac0304d4896f9e17f01"}, "user_id": \#(user), "content": "x", "role": "user",
            "deleted": false, "created_at": {"$date": "2026-11-02T12:00:00Z"}, "updated_at": {"$date": "2026-11-02T12:00:00Z"}}
            """#)
    }

    private static func count(_ database: TestDatabase) async throws {
        let latest: BSONValue = .date(1_793_620_800_000)
        try await database.update(
            "chat_sessions", ["_id": .objectID(try #require(session))],
            ["$inc": ["message_count": 1], "$max": ["last_message_at": latest]])
    }

    @Test(
        "are no finding when a request was between its two writes",
        arguments: [TestServer.Kind.standalone, .replicaSet])
    func inFlight(kind: TestServer.Kind) async throws {
        try await withChats(on: kind) { database in
            try await Self.insert(0, database)
            let once = try await json(["check", "--settle", "0", "--only", "count,last"], on: database, expecting: 1)
            #expect(once.counts(of: "findings", "count")["count.wrong"] == ["chat_sessions": 1])
            let arguments = ["check", "--settle", "8", "--only", "count,last", "-v"] + target(database)
            let ended = try await Tool.start(arguments) { tool in
                // It has seen the message without its increment by then: it waits.
                try await tool.waitUntilPrinted("may be changing just now")
                try await Self.count(database)
            }
            #expect(ended.result.exitCode == 0, "\(ended.result)")
        }
    }

    @Test("are a finding when they stay so, beside others that don't")
    func planted() async throws {
        try await withChats { database in
            try await Self.insert(0, database)
            try await database.update(
                "chat_sessions", ["message_count": 0, "_id": ["$ne": .objectID(try #require(Self.session))]],
                ["$set": ["message_count": 7]])
            let arguments = ["check", "--settle", "8", "-v", "--format", "json"] + target(database)
            let ended = try await Tool.start(arguments) { tool in
                try await tool.waitUntilPrinted("2 counts may be changing")
                try await Self.count(database)
            }
            let check = try ended.result.json()
            let counts = check.counts(of: "findings", "count")
            #expect(ended.result.exitCode == 1 && counts["count.wrong"] == ["chat_sessions": 1], "\(ended.result)")
            #expect(check["unsettled"] == nil)
        }
    }

    @Test("are told as unsettled, and are no finding, when they change at every look")
    func moving() async throws {
        try await withChats { database in
            try await Self.insert(0, database)
            let arguments =
                ["check", "--settle", "4", "--only", "count,last", "-v", "--format", "json"] + target(database)
            let ended = try await Tool.start(arguments) { tool in
                // One more message before each look; none is ever counted.
                for look in 1...5 {
                    try await tool.waitUntilPrinted("Look \(look):")
                    try await Self.insert(look, database)
                }
            }
            let check = try ended.result.json()
            #expect(ended.result.exitCode == 0 && check["findings"]?.array?.isEmpty == true, "\(ended.result)")
            let unsettled = check["unsettled"]?.array?.values.first?.document
            #expect(unsettled?["count"]?.integer == 1 && unsettled?["collection"] == "chat_sessions", "\(ended.result)")
        }
    }

    @Test(
        "are named as not looked at when a check is ended while it waits",
        arguments: [nil, SIGTERM, SIGINT] as [Int32?])
    func ended(signal: Int32?) async throws {
        try await withChats { database in
            try await Self.insert(0, database)
            let arguments = ["check", "--settle", "60", "-v", "--format", "json"] + target(database)
            let start = ContinuousClock.now
            let result: ToolResult
            if let signal {
                result = try await Tool.run(arguments, sending: signal) { tool in
                    try await tool.waitUntilPrinted("may be changing just now")
                }.result
            } else {
                result = try await Tool.run(arguments + ["--max-time", "1"])
            }
            #expect(result.exitCode == signal.map { 128 + $0 } ?? 5, "\(result)")
            let check = try result.json()
            #expect(check["complete"] == false, "\(result)")
            #expect(check["unchecked"]?.array?.values.contains("counts of chat_sessions") == true, "\(result)")
            #expect(ContinuousClock.now - start < .seconds(30))
        }
    }

    @Test("don't keep a healthy database waiting, and are shown in the same order by every check")
    func same() async throws {
        try await withChats { database in
            let start = ContinuousClock.now
            let clean = try await Tool.run(["check", "--settle", "60", "--only", "count,id,ref"] + target(database))
            #expect(clean.exitCode == 0 && ContinuousClock.now - start < .seconds(50), "\(clean)")
            try await database.loadIncident()
            func findings() async throws -> BSONValue? {
                try await json(["check", "--settle", "0"], on: database, expecting: 1)["findings"]
            }
            let first = try await findings()
            for _ in 1...5 { try await #expect(findings() == first) }
        }
    }

    @Test("don't hide that a reference, deleted with what it named while the check looked, never named nothing")
    func deletedBetween() async throws {
        try await withChats { database in
            try await Self.insert(0, database)
            // The server answers late where the check asks for the session that the message names.
            let late = FailCommand("find", on: "\(database.name).chat_sessions").blocking(milliseconds: 3000)
            let arguments = ["check", "--only", "ref.dangling"] + target(database)
            try await database.withFailPoint(late, mode: .times(1)) { failPoint in
                let ended = try await Tool.start(arguments) { tool in
                    try await failPoint.waitUntilEntered()
                    for name in ["chat_sessions", "messages"] {
                        try await database.run(["delete": .string(name), "deletes": [["q": [:], "limit": 0]]])
                    }
                }
                #expect(ended.result.exitCode == 0, "\(ended.result)")
            }
            // What stays is found.
            try await Self.insert(1, database)
            let stays = try await json(["check", "--only", "ref.dangling"], on: database, expecting: 1)
            #expect(stays.counts(of: "findings", "count") == ["ref.dangling": ["messages": 1]])
        }
    }
}
