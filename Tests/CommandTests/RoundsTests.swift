import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// Counting ends while an application inserts messages and never counts them, and tells what it couldn't bring to rest.
@Suite("Counting under steady damage")
struct RoundsTests {
    private static let sessions = 12

    @Test("ends after --rounds, and what still moves is left as unsettled", arguments: [true, false])
    func ends(isIndexed: Bool) async throws {
        try await withDatabase { database in
            let application = try await Self.prepare(database, isIndexed: isIndexed)
            let result = try await application.losing {
                try await Tool.run(
                    ["repair", "counts", "--settle", "4", "--rounds", "2", "--yes", "--format", "json"]
                        + target(database))
            }
            #expect(result.exitCode == 1, "\(result)")
            let left = try result.json()["left"]?.array?.values.compactMap(\.document) ?? []
            #expect(left.map { $0["code"] } == ["count.wrong", "last.wrong"], "\(result)")
            #expect(left.map { $0["field"] } == ["message_count", "last_message_at"], "\(result)")
            for left in left {
                #expect(left["collection"] == "chat_sessions" && left["count"] == 12, "\(result)")
                #expect(left["samples"]?.array?.count == 5)
                let ids = (left["samples"]?.array?.values ?? []).compactMap { $0.document?["_id"]?.objectID }
                #expect(Set(ids).isSubset(of: application.ids) && ids.count == 5)
                let reason = left["reason"]?.string ?? ""
                #expect(reason.contains("after 2 rounds") && reason.contains("unsettled"), "\(reason)")
                #expect(reason.contains("`repair counts`"), "\(reason)")
            }

            // With the application mended it comes to its end.
            let quiet = try await Tool.run(["repair", "counts", "--settle", "0.5", "--yes"] + target(database))
            #expect(quiet.exitCode == 0, "\(quiet)")
        }
    }

    @Test("lets later steps go on, and the ledger tells what was left")
    func laterSteps() async throws {
        try await withDatabase { database in
            let application = try await Self.prepare(database, isIndexed: false)
            let up = try await application.losing {
                try await Tool.run(
                    ["migrate", "up", "--settle", "4", "--rounds", "2", "--yes", "--format", "json"]
                        + target(database))
            }
            #expect(up.exitCode == 1, "\(up)")
            let steps = try up.json()["steps"]?.array?.values.compactMap(\.document) ?? []
            #expect(steps.map { $0["version"] } == [1, 2, 3, 4, 5, 6] && steps.allSatisfy { $0["state"] == "applied" })
            let left = try up.json()["left"]?.array?.values.compactMap(\.document) ?? []
            #expect(left.first { $0["code"] == "count.wrong" }?["count"] == 12, "\(up)")

            let status = try await Tool.run(["migrate", "status", "--format", "json"] + target(database))
            let recount = try status.json()["steps"]?.array?.values.compactMap(\.document).first { $0["version"] == 5 }
            #expect(recount?["state"] == "applied")
            let told = (recount?["left"]?.array?.values ?? []).compactMap(\.document)
                .first { $0["code"] == "count.wrong" }
            #expect(told?["count"] == 12 && told?["field"] == "message_count", "\(status)")

            let next = try await Tool.run(["repair", "counts", "--settle", "0.5", "--yes"] + target(database))
            #expect(next.exitCode == 0, "\(next)")
        }
    }

    @Test("leaves as many as there are where time is up while they settle", arguments: [true, false])
    func timeIsUp(isIndexed: Bool) async throws {
        try await withDatabase { database in
            let application = try await Self.prepare(database, isIndexed: isIndexed)
            let command =
                ["repair", "counts", "--settle", "2", "--max-time", "3", "--yes", "--format", "json"]
                + target(database)
            let result = try await application.losing { try await Tool.run(command) }
            #expect(result.exitCode == 5, "\(result)")
            #expect(try result.json().counts(of: "left", "count")["count.wrong"] == ["chat_sessions": 12], "\(result)")
            #expect(try result.json().counts(of: "left", "count")["last.wrong"] == ["chat_sessions": 12], "\(result)")
        }
    }

    @Test("leaves as many as there are where they were set, and are wrong again when time is up")
    func wrongAgain() async throws {
        try await withDatabase { database in
            let application = try await Self.prepare(database, isIndexed: true)
            let command =
                ["repair", "counts", "--settle", "4", "--max-time", "7", "--yes", "--format", "json"]
                + target(database)
            let result = try await Tool.start(command) { tool in
                try await waitUntil("every count is right", within: .seconds(20)) {
                    guard tool.isRunning else { throw TestSupportError("The tool has ended: \(tool.errors)") }
                    return try await database.count("chat_sessions", ["message_count": 1]) == Self.sessions
                }
                try await application.lose()
            }.result
            #expect(result.exitCode == 5, "\(result)")
            let counts = try result.json().counts(of: "left", "count")
            #expect(counts["count.wrong"] == ["chat_sessions": 12], "\(result)")
            let check = try await Tool.run(["check", "--only", "count", "--format", "json"] + target(database))
            #expect(try check.json().counts(of: "findings", "count")["count.wrong"] == ["chat_sessions": 12])
        }
    }

    @Test("a number of rounds below one is no number of rounds")
    func usage() async throws {
        let result = try await Tool.run(["repair", "counts", "--rounds", "0"])
        #expect(result.exitCode == 64 && result.errors.contains("--rounds must be at least 1"), "\(result)")
    }

    /// Sessions with one message each, and counts that say none.
    private static func prepare(_ database: TestDatabase, isIndexed: Bool) async throws -> LosingApplication {
        let application = LosingApplication(database, sessions: sessions)
        try await database.load(
            "users",
            [["_id": .objectID(application.user), "username": "u", "email": "u@example.com", "full_name": "U"]])
        try await database.load(
            "chat_sessions",
            application.ids.map { id in
                [
                    "_id": .objectID(id), "user_id": .objectID(application.user), "title": "t", "message_count": 0,
                    "last_message_at": nil, "deleted": false, "created_at": .date(1_700_000_000_000),
                ]
            })
        try await application.lose()
        if isIndexed {
            try await database.run([
                "createIndexes": "messages",
                "indexes": [["key": ["session_id": 1, "deleted": 1, "created_at": 1], "name": "counting"]],
            ])
        }
        return application
    }
}

/// An application that inserts messages and never counts them.
private struct LosingApplication: Sendable {
    let user = ObjectID(timestamp: 1_700_000_000)
    let ids: [ObjectID]
    private let database: TestDatabase

    init(_ database: TestDatabase, sessions: Int) {
        self.database = database
        ids = (0..<sessions).map { ObjectID(timestamp: UInt32(1_700_000_000 + $0)) }
    }

    /// Inserts a message into each session.
    func lose() async throws {
        let now = Date().timeIntervalSince1970
        let messages: [WriteModel] = ids.map { session in
            .insert([
                "_id": .objectID(ObjectID(timestamp: UInt32(now))), "session_id": .objectID(session),
                "user_id": .objectID(user), "created_at": .date(Int64(now * 1000)), "deleted": false,
            ])
        }
        try await database.withClient { client in
            _ = try await client.bulkWrite(database.namespace("messages"), messages, concern: .acknowledged)
        }
    }

    /// Goes on losing messages, many a second and session, while something runs.
    func losing<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        try await lose()
        return try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    try await lose()
                    try? await Task.sleep(for: .milliseconds(30))
                }
                return nil
            }
            group.addTask { try await body() }
            while let result = try await group.next() {
                if let result {
                    group.cancelAll()
                    return result
                }
            }
            throw TestSupportError("Nothing was returned.")
        }
    }
}
