import BSON
import Foundation
import TestSupport
import Testing

@Suite("Damage: what causes what, and whether it is still being made")
struct DamageTests {
    private static let text = "6909eacb07cd3aa22d8c952e"

    @Test("a reference that is right once its session has its id back is counted under that cause")
    func consequences() async throws {
        try await withDatabase { database in
            try await Self.insertUser(database)
            try await Self.insert(database, session: .string(Self.text), at: 1_700_000_000_000)
            let id = try #require(ObjectID(hex: Self.text))
            let names: [BSONValue] = [
                .objectID(id), .objectID(id), .string(Self.text), .objectID(ObjectID(timestamp: 9)),
            ]
            for (number, session) in names.enumerated() {
                try await Self.insert(database, message: UInt32(1000 + number), of: session)
            }
            let check = try await json(["check", "--only", "id,ref"], on: database, expecting: 1)
            #expect(
                check.counts(of: "findings", "count") == [
                    "id.string": ["chat_sessions": 1], "ref.dangling": ["messages": 1], "ref.string": ["messages": 1],
                ])
            let cause = check["findings"]?.array?.values.first?.document
            #expect(
                cause?["consequences"] == [
                    ["code": "ref.dangling", "collection": "messages", "count": 2, "field": "session_id"]
                ], "\(check)")
            // Where nobody asks for the cause, nothing is passed over.
            let alone = try await json(["check", "--only", "ref"], on: database, expecting: 1)
            #expect(alone.counts(of: "findings", "count")["ref.dangling"] == ["messages": 3])
            let words = try await Tool.run(["check"] + target(database))
            #expect(
                words.output.contains("and 2 ref.dangling of messages.session_id, right once it is mended"), "\(words)")

            _ = try await json(["repair", "all", "--yes", "--offline"], on: database, expecting: 1)
            let after = try await json(["check", "--only", "id,ref"], on: database, expecting: 1)
            #expect(after.counts(of: "findings", "count") == ["ref.dangling": ["messages": 1]])
        }
    }

    @Test("is told to be made still where it is younger than a day, by check, plan and up")
    func recent() async throws {
        try await withDatabase { database in
            try await Self.insertUser(database)
            try await Self.insert(database, session: "", at: Self.now - 3 * 3_600_000)
            let check = try await json(["check"], on: database, expecting: 1)
            let damage = check["newestDamage"]?.document
            #expect(damage?["code"] == "id.empty" && damage?["collection"] == "chat_sessions", "\(check)")
            #expect(damage?["recent"] == true)
            for (command, code) in [("check", 1), ("migrate plan", 2)] {
                let words = try await Tool.run(command.split(separator: " ").map(String.init) + target(database))
                #expect(words.exitCode == Int32(code))
                let text = words.output.replacing("\n", with: " ")
                #expect(text.contains("(id.empty in chat_sessions) is 3 h old"), "\(words)")
                #expect(text.contains("seems to have the bug still") && text.contains("error 121"), "\(words)")
            }
            let plan = try await json(["migrate", "plan"], on: database, expecting: 2)
            #expect(plan["newestDamage"] == check["newestDamage"])
            let up = try await Tool.run(["migrate", "up", "--yes", "--offline"] + target(database))
            #expect(up.errors.contains("seems to have the bug still") && up.errors.contains("error 121"), "\(up)")

            // With the guard on, what comes has a right _id, and text for references.
            try await Self.insert(database, message: UInt32(Self.now / 1000), of: .string(Self.text))
            let guarded = try await json(["check"], on: database, expecting: 1)
            #expect(guarded.value(at: "newestDamage", "code")?.string == "ref.string", "\(guarded)")
            let words = try await Tool.run(["check"] + target(database)).output.replacing("\n", with: " ")
            #expect(words.contains("The guard refuses what it inserts"), "\(words)")
        }
    }

    @Test("is told to be old where it is, and nothing more")
    func old() async throws {
        try await withDatabase { database in
            try await Self.insertUser(database)
            try await Self.insert(database, session: "", at: Self.now - 72 * 3_600_000)
            let check = try await Tool.run(["check"] + target(database))
            #expect(check.output.contains("(id.empty in chat_sessions) is 3 days old."), "\(check)")
            #expect(!check.output.contains("seems to have the bug still"))
            let up = try await Tool.run(["migrate", "up", "--yes", "--offline"] + target(database))
            #expect(!up.errors.contains("seems to have the bug still"), "\(up)")
        }
    }

    @Test("what arrived since its step was applied is said to have arrived since, each line with its field")
    func arrived() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            _ = try await Tool.run(["migrate", "up", "--to", "3", "--yes", "--offline"] + target(database))
            let user = try #require(try await database.all("users").first?["_id"]?.objectID)
            let session = try #require(
                try await database.find("chat_sessions", ["user_id": .objectID(user)]).first?["_id"]?.objectID)
            try await database.load(
                "messages",
                [
                    Sample.message([
                        "_id": .objectID(ObjectID(timestamp: 77)), "session_id": .string(session.hex),
                        "user_id": .string(user.hex),
                    ])
                ])
            let up = try await json(["migrate", "up", "--yes", "--offline"], on: database, expecting: 1)
            let left = (up["left"]?.array?.values ?? []).compactMap(\.document)
            let late = left.filter { $0["reason"]?.string?.contains("arrived") == true }
            #expect(Set(late.compactMap { $0["field"]?.string }) == ["session_id", "user_id"], "\(up)")
            #expect(late.allSatisfy { $0["reason"]?.string?.contains("`repair references` mends it") == true }, "\(up)")
            #expect(left.allSatisfy { $0["reason"]?.string?.contains("names no document") == false }, "\(up)")
            _ = try await json(["repair", "references", "--yes"], on: database, expecting: 1)
            let again = try await json(["check", "--only", "ref.string"], on: database, expecting: 0)
            #expect(again["clean"] == true)
        }
    }

    private static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    private static func insertUser(_ database: TestDatabase) async throws {
        try await database.load("users", [Sample.user()])
    }

    private static func insert(_ database: TestDatabase, session id: BSONValue, at time: Int64) async throws {
        try await database.load("chat_sessions", [Sample.session(["_id": id, "created_at": .date(time)])])
    }

    private static func insert(_ database: TestDatabase, message time: UInt32, of session: BSONValue) async throws {
        try await database.load(
            "messages", [Sample.message(["_id": .objectID(ObjectID(timestamp: time)), "session_id": session])])
    }
}
