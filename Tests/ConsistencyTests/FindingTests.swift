import BSON
import Chat
import Consistency
import Journal
import MongoDriver
import TestSupport
import Testing

@Suite("Every finding")
struct FindingTests {
    private func check(_ database: TestDatabase, _ severity: Severity = .error) async throws -> [String: Int] {
        try await database.withClient { client in
            let target = Database(client: client, name: database.name, server: try await client.describeServer())
            let report = try await Checker(database: target, schema: .chat) { _ in }.check()
            return report.findings.filter { $0.severity == severity }.reduce(into: [:]) {
                $0["\($1.code.rawValue) \($1.collection).\($1.field ?? "")"] = $1.count
            }
        }
    }

    static let user =
        #"{"_id": {"$oid": "6909dcb02291d8cdc310411e"}, "username": "u", "email": "e", "full_name": "U", "hashed_password": "$2b$12$15m5wUDR5xWjwclxIDbD6uVHIKb2UlScXiQ0Kcix8y4HyPRh02D6a"}"#
    static let owner = #""user_id": {"$oid": "6909dcb02291d8cdc310411e"}"#
    static let live = #"\#(owner), "deleted": false"#
    static let session =
        #"{"_id": {"$oid": "6909eac0304d4896f9e17fd8"}, \#(owner), "deleted": false, "message_count": 0, "last_message_at": null}"#
    static let inSession = #""deleted": false, "session_id": {"$oid": "6909eac0304d4896f9e17fd8"}"#

    @Test("none in a database that is right")
    func clean() async throws {
        try await withDatabase { database in
            try await database.insertJSON("users", Self.user)
            try await database.insertJSON("chat_sessions", Self.session)
            #expect(try await check(database) == [:])
        }
    }

    @Test("_ids of every wrong kind, whatever their type")
    func identities() async throws {
        try await withDatabase { database in
            let ids = [
                #""""#, "null", #""6909eac0304d4896f9e17fd8""#, #""6909EAC0304D4896F9E17FD9""#, #""short""#, "5",
                #"{"$numberLong": "7"}"#, "1.5", #"{"$date": {"$numberLong": "5"}}"#, "true", #"{"a": 1}"#,
                #"{"$binary": {"base64": "AAAA", "subType": "00"}}"#, #"{"$timestamp": {"t": 1, "i": 1}}"#,
                #"{"$minKey": 1}"#, #"{"$maxKey": 1}"#, #"{"$numberDecimal": "3"}"#,
            ]
            for id in ids {
                try await database.insertJSON(
                    "artifacts", #"{"_id": \#(id), \#(Self.inSession), \#(Self.owner)}"#)
            }
            try await database.insertJSON("users", Self.user)
            try await database.insertJSON("chat_sessions", Self.session)
            let found = try await check(database)
            #expect(
                found == [
                    "id.empty artifacts._id": 1, "id.null artifacts._id": 1, "id.string artifacts._id": 2,
                    "id.foreign artifacts._id": 12,
                ])
        }
    }

    @Test("references of every wrong kind")
    func references() async throws {
        try await withDatabase { database in
            try await database.insertJSON("users", Self.user)
            try await database.insertJSON("chat_sessions", Self.session)
            let other = #""user_id": {"$oid": "6909dcb02291d8cdc310411f"}"#
            try await database.insertJSON(
                "artifacts", #"{"_id": {"$oid": "000000000000000000000001"}, "session_id": "", \#(Self.live)}"#,
                #"{"_id": {"$oid": "000000000000000000000002"}, "session_id": "6909eac0304d4896f9e17fd8", \#(Self.live)}"#,
                #"{"_id": {"$oid": "000000000000000000000003"}, "session_id": null, \#(Self.live)}"#,
                #"{"_id": {"$oid": "000000000000000000000004"}, \#(Self.live)}"#,
                #"{"_id": {"$oid": "000000000000000000000005"}, "session_id": "no id", \#(Self.live)}"#,
                #"{"_id": {"$oid": "000000000000000000000006"}, "session_id": {"$oid": "6909eac0304d4896f9e17fd9"}, \#(Self.live)}"#,
                #"{"_id": {"$oid": "000000000000000000000007"}, "session_id": 5, \#(Self.live)}"#,
                #"{"_id": {"$oid": "000000000000000000000008"}, \#(Self.inSession), \#(other)}"#,
                #"{"_id": {"$oid": "000000000000000000000009"}, \#(Self.inSession), "user_id": "6909dcb02291d8cdc310411e"}"#
            )
            let found = try await check(database)
            #expect(
                found == [
                    "ref.empty artifacts.session_id": 1, "ref.string artifacts.session_id": 1,
                    "ref.missing artifacts.session_id": 2, "ref.dangling artifacts.session_id": 3,
                    "ref.owner artifacts.session_id": 1, "ref.string artifacts.user_id": 1,
                ])
            #expect(try await check(database, .warning)["ref.orphan artifacts.user_id"] == 1)
        }
    }

    @Test("users who share a name or an email, exactly or but for case, and users without a password hash")
    func users() async throws {
        try await withDatabase { database in
            let hash = #""hashed_password": "$2b$12$15m5wUDR5xWjwclxIDbD6uVHIKb2UlScXiQ0Kcix8y4HyPRh02D6a""#
            let names = [
                ("Ann", "a@x", hash), ("ann", "b@x", hash), ("bob", "B@X", #""hashed_password": "plain""#),
                ("c", "c@x", #""hashed_password": null"#), ("d", "d@x", #""other": 1"#), ("d", "D@x", hash),
                // Other names: kana, width, superscripts, accents, what only looks the same.
                ("たろう", "1@x", hash), ("タロウ", "2@x", hash), ("user²", "3@x", hash), ("user2", "4@x", hash),
                ("Ａ", "5@x", hash), ("A", "6@x", hash), ("é", "7@x", hash), ("e\u{301}", "8@x", hash),
                ("ß", "9@x", hash),
                ("ss", "10@x", hash),
                // The same but for case, beyond ASCII.
                ("ÉLAN", "11@x", hash), ("élan", "12@x", hash), ("ΣΑΣ", "13@x", hash), ("σας", "14@x", hash),
            ]
            for (username, email, password) in names {
                try await database.insertJSON(
                    "users",
                    #"{"_id": {"$oid": "\#(ObjectID(timestamp: 5).hex)"}, "username": "\#(username)", "email": "\#(email)", "full_name": "N", \#(password)}"#
                )
            }
            #expect(
                try await check(database, .warning).filter { $0.key.hasPrefix("user.") } == [
                    "user.lookalike users.username": 6, "user.lookalike users.email": 4,
                    "user.password users.hashed_password": 3,
                ])
            #expect(try await check(database) == ["user.duplicate users.username": 2])
        }
    }

    @Test("fields that the application can't do without, and fields of another type, each by its collection")
    func fields() async throws {
        try await withDatabase { database in
            try await database.insertJSON(
                "users", Self.user,
                #"{"_id": {"$oid": "000000000000000000000001"}, "username": "v", "email": "f", "full_name": null, "created_at": {"$date": {"$numberLong": "5"}}}"#,
                #"{"_id": {"$oid": "000000000000000000000002"}, "email": "g", "full_name": "G", "disabled": "no", "workspaces": null}"#,
                #"{"_id": {"$oid": "000000000000000000000003"}, "username": ["u"], "full_name": "H"}"#)
            try await database.insertJSON(
                "chat_sessions", Self.session,
                #"{"_id": {"$oid": "000000000000000000000004"}, \#(Self.owner), "message_count": 0, "deleted": null, "title": 5}"#,
                #"{"_id": {"$oid": "000000000000000000000005"}, \#(Self.owner), "message_count": 0, "deleted": [false], "last_message_at": null}"#
            )
            try await database.insertJSON(
                "artifacts",
                #"{"_id": {"$oid": "000000000000000000000006"}, \#(Self.inSession), \#(Self.owner), "created_at": "2026-01-01", "updated_at": 5}"#,
                #"{"_id": {"$oid": "000000000000000000000007"}, \#(Self.inSession), \#(Self.owner), "created_at": [{"$date": {"$numberLong": "5"}}], "deleted_at": {}}"#
            )
            #expect(
                try await check(database) == [
                    "field.missing users.full_name": 1, "field.missing users.email": 1,
                    "field.type users.created_at": 1, "field.type users.disabled": 1, "field.type users.username": 1,
                    "field.missing chat_sessions.deleted": 1, "field.missing chat_sessions.last_message_at": 1,
                    "field.type chat_sessions.title": 1, "field.type chat_sessions.deleted": 1,
                    "field.type artifacts.created_at": 2, "field.type artifacts.updated_at": 1,
                    "field.type artifacts.deleted_at": 1,
                ])
            #expect(try await check(database, .warning)["field.missing users.username"] == 1)
        }
    }
}
