import BSON
import Chat
import Consistency
import MigrationEngine
import MongoDriver
import TestSupport
import Testing

@Suite("Every finding")
struct FindingTests {
    private func check(_ database: TestDatabase) async throws -> [String: Int] {
        try await database.withClient { client in
            let target = Database(client: client, name: database.name, server: try await client.describeServer())
            let report = try await Checker(database: target, schema: .chat) { _ in }.check()
            return report.findings.filter { $0.code.severity == .error }.reduce(into: [:]) {
                $0["\($1.code.rawValue) \($1.collection).\($1.field ?? "")"] = $1.count
            }
        }
    }

    static let user =
        #"{"_id": {"$oid": "6909dcb02291d8cdc310411e"}, "username": "u", "email": "e", "hashed_password": "$2b$12$15m5wUDR5xWjwclxIDbD6uVHIKb2UlScXiQ0Kcix8y4HyPRh02D6a"}"#
    static let owner = #""user_id": {"$oid": "6909dcb02291d8cdc310411e"}"#
    static let session =
        #"{"_id": {"$oid": "6909eac0304d4896f9e17fd8"}, \#(owner), "message_count": 0, "last_message_at": null}"#
    static let inSession = #""session_id": {"$oid": "6909eac0304d4896f9e17fd8"}"#

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
                "artifacts", #"{"_id": {"$oid": "000000000000000000000001"}, "session_id": "", \#(Self.owner)}"#,
                #"{"_id": {"$oid": "000000000000000000000002"}, "session_id": "6909eac0304d4896f9e17fd8", \#(Self.owner)}"#,
                #"{"_id": {"$oid": "000000000000000000000003"}, "session_id": null, \#(Self.owner)}"#,
                #"{"_id": {"$oid": "000000000000000000000004"}, \#(Self.owner)}"#,
                #"{"_id": {"$oid": "000000000000000000000005"}, "session_id": "no id", \#(Self.owner)}"#,
                #"{"_id": {"$oid": "000000000000000000000006"}, "session_id": {"$oid": "6909eac0304d4896f9e17fd9"}, \#(Self.owner)}"#,
                #"{"_id": {"$oid": "000000000000000000000007"}, "session_id": 5, \#(Self.owner)}"#,
                #"{"_id": {"$oid": "000000000000000000000008"}, \#(Self.inSession), \#(other)}"#,
                #"{"_id": {"$oid": "000000000000000000000009"}, \#(Self.inSession), "user_id": "6909dcb02291d8cdc310411e"}"#
            )
            let found = try await check(database)
            #expect(
                found == [
                    "ref.empty artifacts.session_id": 1, "ref.string artifacts.session_id": 1,
                    "ref.missing artifacts.session_id": 2, "ref.dangling artifacts.session_id": 3,
                    "ref.owner artifacts.session_id": 1, "ref.dangling artifacts.user_id": 1,
                    "ref.string artifacts.user_id": 1,
                ])
        }
    }

    @Test("users who share a name or an email but for case, and users without a password hash")
    func users() async throws {
        try await withDatabase { database in
            let hash = #""hashed_password": "$2b$12$15m5wUDR5xWjwclxIDbD6uVHIKb2UlScXiQ0Kcix8y4HyPRh02D6a""#
            try await database.insertJSON(
                "users", #"{"_id": {"$oid": "000000000000000000000001"}, "username": "Ann", "email": "a@x", \#(hash)}"#,
                #"{"_id": {"$oid": "000000000000000000000002"}, "username": "ann", "email": "b@x", \#(hash)}"#,
                #"{"_id": {"$oid": "000000000000000000000003"}, "username": "bob", "email": "B@X", "hashed_password": "plain"}"#,
                #"{"_id": {"$oid": "000000000000000000000004"}, "username": "c", "email": "c@x", "hashed_password": null}"#,
                #"{"_id": {"$oid": "000000000000000000000005"}, "username": "d", "email": "d@x"}"#)
            let found = try await check(database)
            #expect(
                found == [
                    "user.duplicate users.username": 2, "user.duplicate users.email": 2,
                    "user.password users.hashed_password": 3,
                ])
        }
    }
}
