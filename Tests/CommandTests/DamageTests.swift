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

    @Test("only what becomes right is counted under a cause: its owner's, and by one document alone")
    func noConsequences() async throws {
        try await withDatabase { database in
            try await Self.insertUser(database)
            let id = try #require(ObjectID(hex: Self.text))
            // A message of somebody else's, in a session that gets its id back.
            try await Self.insert(database, session: .string(Self.text), at: Self.now - 90_000_000)
            let foreign = Sample.message(["session_id": .objectID(id), "user_id": .objectID(ObjectID(timestamp: 5))])
            try await database.load("messages", [foreign])
            var check = try await json(["check", "--only", "id,ref.dangling"], on: database, expecting: 1)
            #expect(check.counts(of: "findings", "count")["ref.dangling"] == ["messages": 1], "\(check)")
            try await database.run(["delete": "messages", "deletes": [["q": [:], "limit": 0]]])
            // Two sessions that want the same id.
            try await Self.insert(database, session: .string(Self.text.uppercased()), at: Self.now - 90_000_000)
            try await Self.insert(database, message: 1000, of: .objectID(id))
            check = try await json(["check", "--only", "id,ref.dangling"], on: database, expecting: 1)
            #expect(check.counts(of: "findings", "count")["ref.dangling"] == ["messages": 1], "\(check)")
        }
    }

    @Test("is as old as the newest of it, whatever its kind; the future tells nothing")
    func newest() async throws {
        try await withDatabase { database in
            try await Self.insertUser(database)
            try await Self.insert(database, session: "", at: Self.now - 400 * 86_400_000)
            try await Self.insert(database, message: UInt32((Self.now - 30 * 3_600_000) / 1000), of: .string(Self.text))
            let old = try await Tool.run(["check"] + target(database))
            #expect(old.output.contains("(ref.string in messages) is 30 h old."), "\(old)")
            let ids = try await Tool.run(["check", "--only", "id"] + target(database))
            #expect(ids.output.contains("(id.empty in chat_sessions) is 400 days old."), "\(ids)")
            try await database.update("chat_sessions", ["_id": ""], ["$set": ["created_at": .date(Self.now * 2)]])
            let future = try await Tool.run(["check", "--only", "id"] + target(database))
            #expect(!future.output.contains("newest damaged"), "\(future)")
            // The text of an ObjectId knows its time.
            let hex = ObjectID(timestamp: UInt32(Self.now / 1000 - 7200)).hex
            let bare = Sample.session(["_id": .string(hex), "created_at": .undefined])
            try await database.load("chat_sessions", [bare])
            let known = try await Tool.run(["check", "--only", "id"] + target(database))
            #expect(known.output.contains("(id.string in chat_sessions) is 2 h old"), "\(known)")
        }
    }

    @Test("with a guard that got lost, what sets it again is named, and says so before it does")
    func lostGuard() async throws {
        try await withDatabase { database in
            try await Self.insertUser(database)
            _ = try await json(["migrate", "up", "--yes", "--offline"], on: database, expecting: 0)
            try await database.run(["collMod": "chat_sessions", "validator": [:]])
            try await Self.insert(database, session: "", at: Self.now)
            let check = try await Tool.run(["check", "--only", "id"] + target(database))
            #expect(check.output.contains("Once `repair guard` has set the guard"), "\(check)")
            for scope in ["guard", "all"] {
                let repair = try await Tool.run(
                    ["repair", scope, "--yes"] + (scope == "all" ? ["--offline"] : []) + target(database))
                #expect(repair.exitCode == 0, "\(repair)")
                let isFirst = scope == "guard"
                #expect(repair.errors.contains("seems to have the bug still") == isFirst, "\(repair)")
            }
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

    @Test("of a reference whose document can't be repaired isn't said to belong to nobody")
    func stuck() async throws {
        try await withDatabase { database in
            let user = #"{"$oid": "6909dd28187c07e4d5636e9b"}"#
            try await database.insertJSON("users", #"{"_id": \#(user), "username": "ann", "email": "a@example.org"}"#)
            try await database.insertJSON("chat_sessions", #"{"_id": "", "user_id": \#(user), "title": "x"}"#)
            try await database.insertJSON(
                "messages",
                #"{"_id": {"$oid": "6909f8dc21be47afd1d831a9"}, "session_id": "", "user_id": \#(user), "deleted": false}"#
            )
            try await database.run(["collMod": "chat_sessions", "validator": ["title": "y"]])
            let result = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            let left = result["left"]?.array?.values.compactMap(\.document) ?? []
            let reference = left.first { $0["code"] == "ref.empty" }
            #expect(reference?["field"] == "session_id")
            #expect(reference?["reason"]?.string?.contains("whose _id is left; mend that first") == true, "\(result)")
            #expect(left.first { $0["code"] == "id.empty" }?["field"] == "_id", "\(result)")
        }
    }
}
