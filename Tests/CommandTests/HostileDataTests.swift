import BSON
import MongoDriver
import TestSupport
import Testing

/// Databases that a careless repair would harm.
@Suite("Hostile data")
struct HostileDataTests {
    static let user = #""user_id": {"$oid": "6909dcb02291d8cdc310411e"}"#
    static let topologies = [TestServer.Kind.standalone, .replicaSet]

    private static func loadUser(_ database: TestDatabase) async throws {
        try await database.insertJSON(
            "users", #"{"_id": {"$oid": "6909dcb02291d8cdc310411e"}, "username": "u", "email": "e"}"#)
    }

    @Test("two text _ids that differ in case alone become two ObjectIds", arguments: topologies)
    func sameButForCase(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.loadUser(database)
            for (id, title) in [("6909eac0304d4896f9e17fd8", "lower"), ("6909EAC0304D4896F9E17FD8", "upper")] {
                try await database.insertJSON(
                    "chat_sessions", #"{"_id": "\#(id)", "title": "\#(title)", \#(Self.user)}"#)
                try await database.insertJSON(
                    "messages", #"{"_id": "\#(title)", "session_id": "\#(id)", \#(Self.user)}"#)
            }
            _ = try await json(["repair", "ids", "--yes"], on: database, expecting: 1)
            let sessions = try await database.all("chat_sessions")
            #expect(Set(sessions.compactMap { $0["title"]?.string }) == ["lower", "upper"])
            #expect(Set(sessions.compactMap { $0["_id"]?.objectID }).count == 2)
        }
    }

    @Test("a document and its twin under the ObjectId of its text both stay, and are named", arguments: topologies)
    func twin(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("users", [Sample.user()])
            var text = Sample.session()
            text["_id"] = .string(Sample.session.hex)
            try await database.load("chat_sessions", [Sample.session(), text])
            let before = try await database.all("chat_sessions")
            let plan = try await json(["repair", "ids", "--dry-run"], on: database, expecting: 0)
            #expect(plan.counts(of: "left", "count") == ["id.string": ["chat_sessions": 1]], "\(plan)")
            let repair = try await json(["repair", "ids", "--yes"], on: database, expecting: 1)
            #expect(repair.counts(of: "left", "count") == ["id.string": ["chat_sessions": 1]], "\(repair)")
            #expect(try await database.all("chat_sessions") == before)
        }
    }

    @Test("names of many megabytes stop no check and no plan; many documents that stay are one entry of a plan")
    func large() async throws {
        try await withDatabase { database in
            let rest = String(repeating: "x", count: 9 << 20)
            let users = ["a", "A", "é", "É", "b", "b"].map { first in
                Sample.user(
                    ["username": .string(first + rest), "email": .string("\(ObjectID(timestamp: 1).hex)@example.com")],
                    id: Sample.newID)
            }
            for user in users { try await database.run(["insert": "users", "documents": [.document(user)]]) }
            let check = try await json(["check"], on: database, expecting: 1)
            #expect(check.counts(of: "findings", "count")["user.duplicate"] == ["users": 2], "\(check)")
            let plan = try await Tool.run(["migrate", "plan"] + target(database))
            #expect(plan.exitCode == 2 && plan.output.contains("share a large value of username"), "\(plan)")

            try await database.run(["create": "artifacts", "capped": true, "size": 1_000_000])
            try await database.load(
                "artifacts",
                (0..<50).map { _ in
                    Sample.message().replacing("_id", with: .string(ObjectID(timestamp: 3).hex))
                })
            let ids = try await json(["repair", "ids", "--dry-run"], on: database, expecting: 0)
            #expect(ids["left"]?.array?.count == 1, "\(ids)")
        }
    }

    @Test("a reference that is an array disturbs no other count")
    func arrayReference() async throws {
        try await withDatabase { database in
            try await Self.loadUser(database)
            for index in 0..<5 {
                let session = #"{"$oid": "6909eac0304d4896f9e17fd\#(index)"}"#
                try await database.insertJSON(
                    "chat_sessions",
                    #"{"_id": \#(session), "message_count": 1, "last_message_at": {"$date": {"$numberLong": "5"}}, \#(Self.user)}"#
                )
                try await database.insertJSON(
                    "messages",
                    #"{"_id": {"$oid": "00000000000000000000000\#(index)"}, "session_id": \#(session), "created_at": {"$date": {"$numberLong": "5"}}, "deleted": false, \#(Self.user)}"#
                )
            }
            try await database.insertJSON(
                "messages",
                #"{"_id": {"$oid": "00000000000000000000000a"}, "session_id": [{"$oid": "6909eac0304d4896f9e17fd0"}], "deleted": false, \#(Self.user)}"#
            )
            let check = try await Tool.run(["check", "--only", "count,last"] + target(database))
            #expect(check.exitCode == 0, "\(check)")
            let before = try await database.all("chat_sessions")
            _ = try await json(["repair", "counts", "--offline", "--yes"], on: database, expecting: 0)
            #expect(try await database.all("chat_sessions") == before)
        }
    }

    @Test("a default collation that ignores case changes neither counts nor indexes", arguments: topologies)
    func collation(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            for name in TestDatabase.chatCollections {
                try await database.run([
                    "create": .string(name), "collation": ["locale": "en", "strength": 2],
                ])
            }
            try await Self.loadUser(database)
            for id in ["apple", "Banana", "cherry", "Date"] {
                try await database.insertJSON(
                    "chat_sessions",
                    #"{"_id": "\#(id)", "message_count": 1, "last_message_at": null, "title": "\#(id)", \#(Self.user)}"#
                )
                try await database.insertJSON(
                    "messages", #"{"_id": "m\#(id)", "session_id": "\#(id)", "deleted": false, \#(Self.user)}"#)
            }
            let check = try await Tool.run(["check", "--only", "count"] + target(database))
            #expect(check.exitCode == 0, "\(check)")
            _ = try await Tool.run(["migrate", "up", "--offline", "--yes"] + target(database))
            let indexes = try await Tool.run(["check", "--only", "index", "--strict"] + target(database))
            #expect(indexes.exitCode == 0, "\(indexes)")
            let down = try await Tool.run(["migrate", "down", "--to", "0", "--yes"] + target(database))
            #expect(down.exitCode == 0, "\(down)")
        }
    }

    @Test("a view in a collection's place is reported and stops nothing", arguments: topologies)
    func view(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            var incident = try TestDatabase.incident()
            incident["artifacts"] = nil
            try await database.load(incident)
            try await database.run(["create": "artifacts", "viewOn": "messages", "pipeline": []])
            let plan = try await Tool.run(["migrate", "plan"] + target(database))
            #expect(plan.exitCode == 2, "\(plan)")
            // What can't be looked at isn't called clean, whatever is looked for.
            let check = try await json(["check", "--only", "user.duplicate"], on: database, expecting: 1)
            #expect(check["clean"] == false && check["complete"] == false)
            #expect(check["unchecked"] == ["artifacts (it is a view)"], "\(check)")
            let up = try await Tool.run(["migrate", "up", "--offline", "--yes"] + target(database))
            #expect(up.exitCode == 1, "\(up)")
            #expect(up.output.contains("it is a view"), "\(up)")
            #expect(try await database.count("chat_sessions", ["_id": ["$type": "string"]]) == 0)
            let down = try await Tool.run(["migrate", "down", "--to", "0", "--yes"] + target(database))
            #expect(down.exitCode == 0, "\(down)")
            #expect(Set(try await database.all("messages")) == Set(incident["messages"] ?? []))
        }
    }

    @Test("one message that its validator refuses keeps no session from being repaired", arguments: topologies)
    func refusedReference(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.loadUser(database)
            try await database.insertJSON("chat_sessions", #"{"_id": "", "title": "t", \#(Self.user)}"#)
            for index in 0..<4 {
                let extra = index == 0 ? #", "bad": true"# : ""
                try await database.insertJSON(
                    "messages",
                    #"{"_id": {"$oid": "00000000000000000000000\#(index)"}, "session_id": "", \#(Self.user)\#(extra)}"#)
            }
            try await database.run(["collMod": "messages", "validator": ["bad": ["$exists": false]]])
            let repair = try await Tool.run(["repair", "ids", "--yes"] + target(database))
            #expect(repair.exitCode == 1, "\(repair)")
            #expect(repair.output.contains("Document failed validation"), "\(repair)")
            #expect(try await database.count("chat_sessions", ["_id": ["$type": "objectId"]]) == 1)
            #expect(try await database.count("messages", ["session_id": ""]) == 1)
        }
    }

    @Test("an undo restores what the application's own validator would refuse", arguments: topologies)
    func undoBehindValidator(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            for (collection, rule) in [("messages", "session_id"), ("chat_sessions", "user_id")] {
                try await database.run([
                    "collMod": .string(collection), "validationLevel": "moderate",
                    "validator": .document([rule: ["$type": "objectId"]]),
                ])
            }
            let before = try await application(database)
            let repair = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            let run = try #require(repair["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            #expect(try await application(database) == before)
        }
    }

    @Test("a session that new messages have come to since isn't taken from them", arguments: topologies)
    func newMessagesSince(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            let repair = try await json(["repair", "ids", "--yes"], on: database, expecting: 0)
            let session = try await database.one("chat_sessions", ["title": "chat 2"])
            let id = try #require(session["_id"])
            try await database.load(
                "messages", [["_id": .objectID(ObjectID(timestamp: 1)), "session_id": id, "content": "new"]])
            let run = try #require(repair["run"]?.string)
            let undo = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 1)
            #expect(undo.counts(of: "left", "count") == ["id.empty": ["chat_sessions": 1]])
            #expect(try await database.count("messages", ["session_id": id]) == 42)
            #expect(try await database.one("chat_sessions", ["title": "chat 2"])["_id"] == id)
        }
    }

    @Test("documents that can't be copied exactly are left, and the others repaired", arguments: topologies)
    func uncopyable(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            var deep: BSONDocument = ["end": 1]
            for _ in 0..<172 { deep = ["d": .document(deep)] }
            let huge = String(repeating: "x", count: (16 << 20) - 500)
            try await database.load(
                "artifacts",
                [
                    ["_id": "", "name": "huge", "content": .string(huge)],
                    ["_id": "6909eac0304d4896f9e17fd8", "name": "deep", "content": .document(deep)],
                    ["_id": "6909eac0304d4896f9e17fd9", "name": "ordinary"],
                ])
            let before = try await database.all("artifacts")
            let repair = try await json(["repair", "ids", "--yes"], on: database, expecting: 1)
            #expect(repair.counts(of: "left", "count")["id.empty"] == ["artifacts": 1])
            #expect(repair.counts(of: "left", "count")["id.string"] == ["artifacts": 1])
            let after = try await database.all("artifacts")
            #expect(Set(before).intersection(after).count == 2)
            #expect(after.first { $0["name"] == "ordinary" }?["_id"]?.objectID != nil)
        }
    }

    @Test("bytes that no driver would write today are kept through repair and undo", arguments: topologies)
    func strangeBytes(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            // {"_id": "", "a.b": "\xff\xfe", "$c": 1, "a.b": 2}: text that isn't UTF-8, dots, dollars, equal keys.
            let elements: [[UInt8]] = [
                [0x02] + [UInt8]("_id".utf8) + [0, 1, 0, 0, 0, 0],
                [0x02] + Array("a.b".utf8) + [0, 3, 0, 0, 0, 0xff, 0xfe, 0],
                [0x10] + Array("$c".utf8) + [0, 1, 0, 0, 0],
                [0x10] + Array("a.b".utf8) + [0, 2, 0, 0, 0],
            ]
            let body: [UInt8] = elements.flatMap { $0 } + [0]
            let length = UInt32(body.count + 4)
            let bytes: [UInt8] = (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + body
            let strange = try BSONDocument(validating: bytes)
            try await database.load("artifacts", [strange])
            let repair = try await json(["repair", "ids", "--yes"], on: database, expecting: 0)
            let repaired = try #require(try await database.all("artifacts").first)
            #expect(repaired.removing("_id") == strange.removing("_id"))
            let run = try #require(repair["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            #expect(try await database.all("artifacts") == [strange])
        }
    }
}
