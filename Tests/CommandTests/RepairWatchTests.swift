import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// `repair --watch` keeps an application that has the bug working.
@Suite("A repair that stays", .timeLimit(.minutes(5)))
struct RepairWatchTests {
    private static let kinds = [TestServer.Kind.standalone, .replicaSet]

    private static func arguments(_ database: TestDatabase, settle: Double = 0.5) -> [String] {
        ["repair", "--watch", "--yes", "--settle", String(settle), "--format", "json"] + target(database)
    }

    /// Right sessions of some users.
    private static func begin(_ database: TestDatabase) async throws -> [ObjectID] {
        try await database.load(
            "users",
            (1...3).map { number in
                let name = BSONValue.string("u\(number)")
                return Sample.user(
                    ["username": name, "email": .string("u\(number)@example.com")],
                    id: ObjectID.smallest(at: UInt32(number)))
            })
        let sessions = (1...9).map { ObjectID.smallest(at: UInt32(100 + $0)) }
        try await database.load(
            "chat_sessions",
            sessions.enumerated().map { index, id in
                Sample.session(["user_id": .objectID(ObjectID.smallest(at: UInt32(index % 3 + 1)))], id: id)
            })
        try await database.run(["create": "messages"])
        try await database.run([
            "createIndexes": "messages",
            "indexes": [["key": ["session_id": 1, "deleted": 1, "created_at": 1], "name": "counting"]],
        ])
        return sessions
    }

    private static func newID() -> String { ObjectID(timestamp: UInt32(Date().timeIntervalSince1970)).hex }

    /// What the bug makes of a message: everything that should be an ObjectId is text.
    private static func message(_ number: Int, in session: ObjectID, of user: Int) -> BSONDocument {
        var message = Sample.message([
            "session_id": .string(session.hex), "user_id": .string(ObjectID.smallest(at: UInt32(user)).hex),
            "content": .string("message \(number)"),
            "created_at": .date(Int64(Date().timeIntervalSince1970 * 1000)),
        ])
        message["_id"] = ""
        return message
    }

    /// Inserts as an application does that tries again where the empty `_id` is taken.
    private static func insert(_ document: BSONDocument, _ collection: String, _ database: TestDatabase) async throws {
        try await waitUntil("the empty _id of \(collection) is free") {
            do {
                try await database.run(["insert": .string(collection), "documents": [.document(document)]])
                return true
            } catch let error as MongoError where error.kind == .duplicateKey {
                return false
            }
        }
    }

    private static func isRight(_ database: TestDatabase) async throws -> Bool {
        let check = try await Tool.run(["check", "--only", "id,ref,count,last"] + target(database))
        return check.exitCode == 0
    }

    /// How a careless application tells when a message was created.
    enum Created: CaseIterable, Sendable { case never, inWholeSeconds }

    @Test("takes each insert for a new one, however much it is like the one before", arguments: Created.allCases, kinds)
    func alike(created: Created, kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let sessions = try await Self.begin(database)
            let second = BSONValue.date(Int64(Date().timeIntervalSince1970) * 1000)
            // Twice the same, too: somebody says "message 1" again.
            let numbers = [1, 2, 1, 1, 3]
            for _ in 0..<2 {
                let ended = try await Tool.start(Self.arguments(database)) { tool in
                    try await tool.waitUntilPrinted("Mending")
                    for number in numbers {
                        var message = Self.message(number, in: sessions[0], of: 1)
                        message["created_at"] = created == .never ? nil : second
                        try await Self.insert(message, "messages", database)
                        let id: BSONDocument = ["_id": ["$not": ["$type": "objectId"]]]
                        try await waitUntil("it has moved") { try await database.count("messages", id) == 0 }
                    }
                    tool.send(SIGTERM)
                    try await tool.waitUntilEnded()
                }
                #expect(ended.result.exitCode == 0, "\(ended.result)")
            }
            let contents = try await database.all("messages").compactMap { $0["content"]?.string }.sorted()
            #expect(contents == (numbers + numbers).map { "message \($0)" }.sorted())
        }
    }

    @Test("loses nothing, puts nothing into the wrong session, and can be undone", arguments: kinds)
    func buggy(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let sessions = try await Self.begin(database)
            let before = try await application(database)
            let ended = try await Tool.start(Self.arguments(database)) { tool in
                try await tool.waitUntilPrinted("Mending")
                for number in 0..<60 {
                    let index = number % sessions.count
                    try await Self.insert(
                        Self.message(number, in: sessions[index], of: index % 3 + 1), "messages", database)
                    guard number % 3 == 0 else { continue }
                    var session = Sample.session([
                        "user_id": .string(ObjectID.smallest(at: UInt32(index % 3 + 1)).hex),
                        "title": .string("session \(number)"),
                        "created_at": .date(Int64(Date().timeIntervalSince1970 * 1000)),
                    ])
                    session["_id"] = ""
                    try await Self.insert(session, "chat_sessions", database)
                }
                // It never counted.
                try await waitUntil("everything is right") { try await Self.isRight(database) }
                tool.send(SIGTERM)
                try await tool.waitUntilEnded()
            }
            #expect(ended.result.exitCode == 0, "\(ended.result)")
            let messages = try await database.all("messages")
            #expect(messages.count == 60)
            for message in messages {
                let number = Int(message["content"]?.string?.split(separator: " ").last ?? "") ?? -1
                #expect(message["session_id"] == .objectID(sessions[number % sessions.count]), "\(message)")
            }
            try await #expect(database.count("chat_sessions") == sessions.count + 20)
            let counted = try await database.all("chat_sessions").reduce(0) { $0 + ($1["message_count"]?.integer ?? 0) }
            #expect(counted == 60)

            // Each cycle is a run, on a line of its own.
            let lines = ended.result.output.split(separator: "\n")
            #expect(!lines.isEmpty)
            for line in lines { try await #expect(SchemaTests.objections(to: "\(line)\n", "change") == "") }
            let runs = try lines.compactMap { try ExtendedJSON.document(String($0))["run"]?.string }
            #expect(runs.count == lines.count)
            for run in runs.reversed() {
                // Of documents that had the same `_id` one can get it back.
                let undone = try await Tool.run(["runs", "undo", run, "--yes"] + target(database))
                #expect([0, 1].contains(undone.exitCode), "\(undone)")
            }
            let after = try await application(database)
            #expect(after["users"] == before["users"])
            try await #expect(database.count("messages") == 60)
        }
    }

    @Test("hands over to another run before it ends, so that there is no moment without one", arguments: kinds)
    func handsOver(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let sessions = try await Self.begin(database)
            var number = 0
            let ended = try await Tool.start(Self.arguments(database) + ["--cycle", "1s"]) { tool in
                try await tool.waitUntilPrinted("Mending")
                try await waitUntil("three runs have ended") {
                    let index = number % sessions.count
                    try await Self.insert(
                        Self.message(number, in: sessions[index], of: index % 3 + 1), "messages", database)
                    number += 1
                    return try await database.count("chat_admin.runs", ["state": "done"]) >= 3
                }
                try await waitUntil("everything is right") { try await Self.isRight(database) }
                tool.send(SIGTERM)
                try await tool.waitUntilEnded()
            }
            #expect(ended.result.exitCode == 0, "\(ended.result)")
            let contents = try await database.all("messages").compactMap { $0["content"]?.string }.sorted()
            #expect(contents == (0..<number).map { "message \($0)" }.sorted())

            let runs = try await database.all("chat_admin.runs").sorted { first, second in
                (first["_id"]?.objectID?.hex ?? "") < (second["_id"]?.objectID?.hex ?? "")
            }
            #expect(runs.allSatisfy { $0["state"] == "done" && $0["changes"]?.array?.isEmpty == false }, "\(runs)")
            for (run, next) in zip(runs, runs.dropFirst()) {
                let (end, begin) = (try #require(run["finishedAt"]?.date), try #require(next["startedAt"]?.date))
                #expect(begin < end)
            }
            // Each is told once, in its order, and can be undone.
            let told = try ended.result.output.split(separator: "\n").compactMap {
                try ExtendedJSON.document(String($0))["run"]?.string
            }
            #expect(told == runs.compactMap { $0["_id"]?.objectID?.hex })
            for run in told.reversed() {
                let undone = try await Tool.run(["runs", "undo", run, "--yes"] + target(database))
                #expect([0, 1].contains(undone.exitCode), "\(undone)")
            }
            try await #expect(database.count("messages") == number)
        }
    }

    @Test("keeps no document twice whose references are text as its _id is, however many come at once")
    func text() async throws {
        try await withDatabase { database in
            _ = try await Self.begin(database)
            let user = BSONValue.string(ObjectID.smallest(at: 1).hex)
            let (bursts, together, each) = (16, 40, 3)
            let ended = try await Tool.start(Self.arguments(database)) { tool in
                try await tool.waitUntilPrinted("Mending")
                for _ in 0..<bursts {
                    let names = (0..<together).map { _ in BSONValue.string(Self.newID()) }
                    try await database.load(
                        "chat_sessions",
                        names.map { name in
                            var session = Sample.session(["user_id": user, "message_count": .int32(Int32(each))])
                            session["_id"] = name
                            return session
                        })
                    try await database.load(
                        "messages",
                        (0..<together * each).map { number in
                            var message = Sample.message([
                                "session_id": names[number % together], "user_id": user, "content": "text",
                            ])
                            message["_id"] = .string(Self.newID())
                            return message
                        })
                }
                try await waitUntil("all have moved", within: .seconds(120)) {
                    let isText: BSONDocument = ["_id": ["$type": "string"]]
                    return try await database.count("messages", isText) + database.count("chat_sessions", isText) == 0
                }
                tool.send(SIGTERM)
                try await tool.waitUntilEnded()
            }
            #expect(ended.result.exitCode == 0, "\(ended.result)")
            try await #expect(database.count("messages") == bursts * together * each)
            try await #expect(database.count("chat_admin.journal", ["state": "conflict"]) == 0)
        }
    }

    @Test("mends what is there at first, and rests where nothing can be done")
    func first() async throws {
        try await withDatabase { database in
            let sessions = try await Self.begin(database)
            try await database.update(
                "chat_sessions", ["_id": .objectID(sessions[0])], ["$set": ["message_count": 5]])
            try await database.load("messages", [Self.message(1, in: sessions[1], of: 2)])
            let ended = try await Tool.start(Self.arguments(database)) { tool in
                try await waitUntil("everything is right") { try await Self.isRight(database) }
                // It names nothing that is there.
                try await database.load(
                    "messages",
                    [
                        [
                            "_id": .objectID(ObjectID(timestamp: UInt32(Date().timeIntervalSince1970))),
                            "session_id": .string(ObjectID.smallest(at: 5_000).hex), "user_id": .null, "deleted": true,
                        ]
                    ])
                try await Self.insert(Self.message(2, in: sessions[2], of: 3), "messages", database)
                try await waitUntil("the other is mended") {
                    try await database.count("messages", ["session_id": .objectID(sessions[2])]) == 1
                }
                tool.send(SIGINT)
                try await tool.waitUntilEnded()
            }
            #expect(ended.result.exitCode == 0, "\(ended.result)")
        }
    }

    @Test("goes on at once where one connection broke, whatever else comes meanwhile")
    func broken() async throws {
        try await withDatabase { database in
            let sessions = try await Self.begin(database)
            let breaking = FailCommand("delete", on: "\(database.name).chat_sessions").closingConnection()
            // A count that doesn't settle keeps the cycle from its end.
            let ended = try await Tool.start(Self.arguments(database, settle: 600)) { tool in
                try await tool.waitUntilPrinted("Mending")
                try await Self.insert(Self.message(0, in: sessions[0], of: 1), "messages", database)
                try await waitUntil("the message is mended, and counted") {
                    try await database.count("messages", ["session_id": .objectID(sessions[0])]) == 1
                }
                try await database.withFailPoint(breaking, mode: .times(1)) { _ in
                    var session = Sample.session(["user_id": .objectID(ObjectID.smallest(at: 1))])
                    session["_id"] = ""
                    try await database.load("chat_sessions", [session])
                    try await waitUntil("the session has moved") {
                        try await database.count("chat_sessions", ["_id": ""]) == 0
                    }
                }
                try await tool.waitUntilPrinted("Resuming")
                tool.send(SIGTERM)
                try await tool.waitUntilEnded()
            }
            #expect(ended.result.exitCode == 0, "\(ended.result)")
        }
    }

    @Test("says what it can't move, and moves what comes in its place")
    func stuck() async throws {
        try await withDatabase { database in
            let sessions = try await Self.begin(database)
            var deep: BSONDocument = ["end": 1]
            for _ in 0..<172 { deep = ["d": .document(deep)] }
            let ended = try await Tool.start(Self.arguments(database)) { tool in
                try await tool.waitUntilPrinted("Mending")
                var message = Self.message(1, in: sessions[0], of: 1)
                message["deep"] = .document(deep)
                try await database.load("messages", [message])
                try await tool.waitUntilPrinted("nested too deeply")
                try await database.run(["delete": "messages", "deletes": [["q": ["_id": ""], "limit": 1]]])
                try await Self.insert(Self.message(2, in: sessions[1], of: 2), "messages", database)
                try await waitUntil("the other is mended") {
                    try await database.count("messages", ["session_id": .objectID(sessions[1])]) == 1
                }
                tool.send(SIGTERM)
                try await tool.waitUntilEnded()
            }
            #expect(ended.result.exitCode == 0, "\(ended.result)")
        }
    }

    @Test("asks before it begins, and takes no option that is about an end")
    func refused() async throws {
        try await withDatabase { database in
            _ = try await Self.begin(database)
            let asked = try await Tool.run(["repair", "--watch"] + target(database))
            #expect(asked.exitCode == 4 && asked.errors.contains("add --yes"), "\(asked)")
            for option in [["--dry-run"], ["--max-changes", "1"], ["--offline"]] {
                let result = try await Tool.run(["repair", "--watch", "--yes"] + option + target(database))
                #expect(result.exitCode == 64, "\(result)")
            }
            for arguments in [["--watch", "--cycle", "0"], ["--watch", "--cycle", "2d"], ["--cycle", "1m"]] {
                let result = try await Tool.run(["repair", "--yes"] + arguments + target(database))
                #expect(result.exitCode == 64 && result.errors.contains("--cycle"), "\(result)")
            }
        }
    }
}
