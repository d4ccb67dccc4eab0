import BSON
import TestSupport
import Testing

/// Documents as the application writes them, to be changed where a test wants them otherwise.
enum Sample {
    static let user = ObjectID(timestamp: 1_700_000_000)
    static let session = ObjectID(timestamp: 1_700_000_100)
    /// Another session of the same user.
    static let other = ObjectID(timestamp: 9)
    static let moment: Int64 = 1_700_000_200_000

    /// Another one each time.
    static var newID: ObjectID { ObjectID(timestamp: 1_700_000_300) }

    static func user(_ changes: BSONDocument = [:], id: ObjectID = user) -> BSONDocument {
        let hash = "$2b$12$15m5wUDR5xWjwclxIDbD6uVHIKb2UlScXiQ0Kcix8y4HyPRh02D6a"
        return changed(
            [
                "_id": .objectID(id), "username": "u", "email": "u@example.com", "full_name": "U", "birth_date": .null,
                "phone_number": .null, "hashed_password": .string(hash), "created_at": "2026-11-22T12:59:31.050666Z",
                "updated_at": "2026-11-22T12:59:31.050666Z", "role": "user", "disabled": false, "workspaces": [],
            ], changes)
    }

    static func session(_ changes: BSONDocument = [:], id: ObjectID = session) -> BSONDocument {
        changed(
            [
                "_id": .objectID(id), "user_id": .objectID(user), "title": "t", "message_count": 0,
                "last_message_at": .null, "created_at": .date(moment), "updated_at": .date(moment), "deleted": false,
                "deleted_at": .null,
            ], changes)
    }

    static func message(_ changes: BSONDocument = [:]) -> BSONDocument {
        changed(
            [
                "_id": .objectID(newID), "session_id": .objectID(session), "user_id": .objectID(user), "content": "c",
                "role": "user", "created_at": .date(moment), "updated_at": .date(moment), "deleted": false,
                "deleted_at": .null,
            ], changes)
    }

    /// Undefined, which no application writes any more, stands for a field that is to be left out.
    private static func changed(_ document: BSONDocument, _ changes: BSONDocument) -> BSONDocument {
        var document = document
        for element in changes.elements {
            if element.value == .undefined {
                document[element.key] = nil
            } else {
                document[element.key] = element.value
            }
        }
        return document
    }
}

/// What the application itself takes for right, wrong and merely odd.
@Suite("The application's own rules")
struct ApplicationRulesTests {
    private static func load(
        _ database: TestDatabase, session: BSONDocument, messages: [BSONDocument]
    ) async throws {
        try await database.load("users", [Sample.user()])
        try await database.load("chat_sessions", [Sample.session(session)])
        try await database.load("messages", messages)
    }

    /// Reverts a run, and expects the database to be what it was.
    private func undo(
        _ result: BSONDocument, on database: TestDatabase, to before: [String: [BSONDocument]],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let run = try #require(result["run"]?.string, sourceLocation: sourceLocation)
        _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
        #expect(try await application(database) == before, sourceLocation: sourceLocation)
    }

    @Test("deleted accounts, accounts without a password or a name, and look-alike addresses are warnings")
    func healthy() async throws {
        try await withDatabase { database in
            let gone = ObjectID(timestamp: 7)
            try await database.load(
                "users",
                [
                    Sample.user(),
                    Sample.user(
                        ["username": "g", "email": "G@example.com", "hashed_password": .undefined], id: Sample.newID),
                    Sample.user(["username": .undefined, "email": "g@example.com"], id: Sample.newID),
                    Sample.user(["username": .null, "email": "h@example.com"], id: Sample.newID),
                ])
            try await database.load(
                "chat_sessions",
                [
                    Sample.session(["message_count": 1, "last_message_at": .date(Sample.moment)]),
                    Sample.session(["user_id": .objectID(gone)], id: Sample.other),
                ])
            try await database.load(
                "messages",
                [
                    Sample.message(), Sample.message(["deleted": true, "deleted_at": .date(Sample.moment)]),
                    Sample.message(["user_id": .objectID(gone), "session_id": .objectID(Sample.other)]),
                ])
            // The account's session counts the message that it can't see.
            try await database.update(
                "chat_sessions", ["user_id": .objectID(gone)],
                ["$set": ["message_count": 1, "last_message_at": .date(Sample.moment)]])
            let check = try await json(["check"], on: database, expecting: 0)
            let found = check.counts(of: "findings", "count")
            #expect(found["ref.orphan"] == ["chat_sessions": 1, "messages": 1], "\(check)")
            #expect(found["user.lookalike"] == ["users": 2])
            #expect(found["user.password"] == ["users": 1])
            #expect(found["field.missing"] == ["users": 2])
            _ = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 0)
            _ = try await json(["check", "--strict"], on: database, expecting: 1)
        }
    }

    @Test("what isn't exactly false isn't counted; a repair of all fills it first, counts then, and goes back")
    func absentDeleted() async throws {
        try await withDatabase { database in
            try await Self.load(
                database, session: ["message_count": 1, "last_message_at": .date(Sample.moment)],
                messages: [
                    Sample.message(), Sample.message(["deleted": .undefined]), Sample.message(["deleted": .null]),
                    Sample.message(["deleted": 0]),
                ])
            let before = try await application(database)
            let check = try await json(["check"], on: database, expecting: 1)
            #expect(check.counts(of: "findings", "count")["field.missing"] == ["messages": 2], "\(check)")
            #expect(check.counts(of: "findings", "count")["field.type"] == ["messages": 1])
            #expect(check.counts(of: "findings", "count")["count.wrong"] == nil)
            _ = try await json(["repair", "counts", "--offline", "--yes"], on: database, expecting: 0)
            #expect(try await application(database) == before)

            // What has a type that nobody takes is left; it is the check's, not the repair's.
            let plan = try await json(["repair", "all", "--offline", "--dry-run"], on: database, expecting: 0)
            #expect(plan.counts(of: "changes", "changed")["field.missing"] == ["messages": 2], "\(plan)")
            let repair = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            #expect(repair.counts(of: "changes", "changed")["field.missing"] == ["messages": 2], "\(repair)")
            #expect(repair.counts(of: "left", "count") == ["field.type": ["messages": 1]])
            #expect(try await database.one("chat_sessions", [:])["message_count"] == 3)
            try await undo(repair, on: database, to: before)
        }
    }

    @Test("a full name that is missing becomes the name; without a name, and without an address, users are named")
    func fullName() async throws {
        try await withDatabase { database in
            try await database.load(
                "users",
                [
                    Sample.user(
                        ["username": "a", "email": "a@example.com", "full_name": .undefined], id: Sample.newID),
                    Sample.user(["username": "b", "email": "b@example.com", "full_name": .null], id: Sample.newID),
                    Sample.user(["username": .null, "email": "c@example.com", "full_name": .null], id: Sample.newID),
                    Sample.user(["username": "d", "email": .undefined], id: Sample.newID),
                ])
            let before = try await application(database)
            let repair = try await json(["repair", "fields", "--yes"], on: database, expecting: 1)
            #expect(repair.counts(of: "changes", "changed") == ["field.missing": ["users": 2]], "\(repair)")
            #expect(repair.counts(of: "left", "count") == ["field.missing": ["users": 2]], "\(repair)")
            #expect(try await database.one("users", ["username": "a"])["full_name"] == "a")
            #expect(try await database.one("users", ["username": "b"])["full_name"] == "b")
            try await undo(repair, on: database, to: before)
        }
    }

    @Test("a session without a time of its last message, whose user has no sidebar at all, gets one, or null")
    func absentTime() async throws {
        try await withDatabase { database in
            try await Self.load(database, session: ["last_message_at": .undefined], messages: [])
            try await database.load(
                "chat_sessions",
                [Sample.session(["last_message_at": .undefined, "message_count": 1], id: Sample.other)])
            try await database.load(
                "messages", [Sample.message(["session_id": .objectID(Sample.other)])])
            let before = try await application(database)
            let repair = try await json(["repair", "counts", "--offline", "--yes"], on: database, expecting: 0)
            #expect(repair.counts(of: "changes", "changed")["field.missing"] == ["chat_sessions": 2], "\(repair)")
            let times = try await database.all("chat_sessions").map { $0["last_message_at"] }
            #expect(times == [.date(Sample.moment), .null])
            _ = try await json(["check"], on: database, expecting: 0)
            try await undo(repair, on: database, to: before)
        }
    }

    @Test(
        "a message whose time isn't a date takes no time from its session",
        arguments: ["2026-11-22T12:59:31Z", .int64(1_700_000_300_000), .undefined, .null] as [BSONValue],
        [[["repair", "counts"]], [["migrate", "up", "--to", "3"], ["migrate", "up"]]])
    func undated(created: BSONValue, commands: [[String]]) async throws {
        try await withDatabase { database in
            let known = BSONValue.date(Sample.moment + 600_000)
            try await Self.load(
                database, session: ["message_count": 5, "last_message_at": known],
                messages: [Sample.message(), Sample.message(["created_at": created])])
            // Too early for the message whose time is known, so wrong, and left all the same.
            try await database.load(
                "chat_sessions",
                [
                    Sample.session(
                        ["message_count": 2, "last_message_at": .date(5)], id: Sample.other)
                ])
            let other = BSONValue.objectID(Sample.other)
            try await database.load(
                "messages",
                [Sample.message(["session_id": other]), Sample.message(["session_id": other, "created_at": created])])
            for command in commands.dropLast() {
                _ = try await json(command + ["--offline", "--yes"], on: database, expecting: 0)
            }
            let result = try await json(
                (commands.last ?? []) + ["--offline", "--yes"], on: database, expecting: 1)
            #expect(result.counts(of: "left", "count")["last.wrong"] == ["chat_sessions": 1], "\(result)")
            let sessions = try await database.all("chat_sessions")
            #expect(sessions.map { $0["last_message_at"] } == [.date(5), known])
            #expect(sessions.map { $0["message_count"] } == [2, 2])
        }
    }

    @Test(
        "a document that a validator takes whole alone is mended in one write", arguments: HostileDataTests.topologies)
    func oneWrite(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let text = { (id: ObjectID) in BSONValue.string(id.hex) }
            try await Self.load(
                database, session: ["message_count": 2, "last_message_at": .date(Sample.moment)],
                messages: [
                    Sample.message(["session_id": text(Sample.session), "user_id": text(Sample.user)]),
                    Sample.message([
                        "session_id": text(Sample.session), "user_id": text(Sample.user), "deleted": .undefined,
                    ]),
                ])
            let before = try await application(database)
            let rules: BSONDocument = [
                "session_id": ["$type": "objectId"], "user_id": ["$type": "objectId"], "deleted": ["$type": "bool"],
            ]
            try await database.run(["collMod": "messages", "validator": .document(rules)])
            let repair = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 0)
            #expect(
                repair.counts(of: "changes", "changed") == [
                    "ref.string": ["messages": 4], "field.missing": ["messages": 1],
                ], "\(repair)")
            _ = try await json(["check"], on: database, expecting: 0)
            let run = try #require(repair["run"]?.string)
            // An undo counts as the run did, and says before what it will.
            for arguments in [["--dry-run"], ["--yes"]] {
                let undo = try await json(["runs", "undo", run] + arguments, on: database, expecting: 0)
                #expect(undo.counts(of: "changes", "changed") == repair.counts(of: "changes", "changed"), "\(undo)")
            }
            #expect(try await application(database) == before)
        }
    }

    @Test("what a validator refuses is named for each of the document's findings")
    func refusedForEach() async throws {
        try await withDatabase { database in
            try await Self.load(
                database, session: ["message_count": .int32(0)],
                messages: [Sample.message(["session_id": .string(Sample.session.hex), "deleted": .undefined])])
            try await database.run(["collMod": "messages", "validator": ["never": ["$exists": true]]])
            let repair = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            let reasons = (repair["left"]?.array?.values ?? []).compactMap { $0.document?["reason"]?.string }
            #expect(reasons.count == 2 && reasons.allSatisfy { $0.contains("the server refused") }, "\(repair)")
        }
    }
}
