import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// `check --watch` while its server comes and goes.
@Suite("A watch over failovers", .serialized)
struct WatchFaultTests {
    private static let began = "Watching "

    private static func arguments(_ database: TestDatabase) -> [String] {
        [
            "check", "--watch", "--every", "0.2", "--settle", "0", "--only", "id,ref", "--format", "json", "--uri",
            database.uri, "--database", database.name,
        ]
    }

    /// Inserts a damaged document; once more where the server was just going.
    private static func insert(_ number: Int, _ database: TestDatabase) async throws {
        let id = "65000000000000000000000\(number)"
        try await waitUntil("document \(number) is there") {
            do {
                try await database.load("messages", [["_id": .string(id), "session_id": .null, "deleted": true]])
                return true
            } catch {
                return try await database.count("messages", ["_id": .string(id)]) == 1
            }
        }
    }

    @Test("goes on with each new primary, and misses nothing", .timeLimit(.minutes(10)))
    func failovers() async throws {
        let set = try await TestReplicaSet.start()
        do {
            try await set.server.withDatabase { database in
                try await Self.insert(0, database)
                let ended = try await Tool.start(Self.arguments(database)) { tool in
                    try await tool.waitUntilPrinted(Self.began)
                    for number in 1...3 {
                        try await set.stepDown()
                        _ = try await set.primary()
                        try await Self.insert(number, database)
                        try await tool.waitUntilPrinted("65000000000000000000000\(number)")
                    }
                    let primary = try await set.primary()
                    try await set.killMember(primary)
                    _ = try await set.primary()
                    try await Self.insert(4, database)
                    try await tool.waitUntilPrinted("650000000000000000000004")
                    // Without a majority there is no primary, until the members are back.
                    let second = try await set.primary()
                    try await set.killMember(second)
                    try await tool.waitUntilPrinted("The server is away")
                    for member in [primary, second] { try await set.startMember(member) }
                    _ = try await set.primary()
                    try await Self.insert(5, database)
                    try await tool.waitUntilPrinted("650000000000000000000005")
                    tool.send(SIGTERM)
                    try await tool.waitUntilEnded()
                }
                #expect(ended.result.exitCode == 0, "\(ended.result)")
                let new = ended.result.output.split(separator: "\n").filter { $0.contains("id.string") }
                #expect(new.count == 6, "\(ended.result)")
            }
        } catch {
            try await set.stop()
            throw error
        }
        try await set.stop()
    }

    @Test("goes on mending, from run to run, and tells of all that it mended", .timeLimit(.minutes(5)))
    func mending() async throws {
        let set = try await TestReplicaSet.start()
        do {
            try await set.server.withDatabase { database in
                let user = ObjectID(timestamp: 1)
                try await database.load(
                    "users", [["_id": .objectID(user), "username": "a", "email": "a@example.com"]])
                try await set.waitUntilHealthy()
                let arguments = ["repair", "--watch", "--yes", "--settle", "0.2", "--cycle", "1s", "--format", "json"]
                let target = ["--uri", database.uri, "--database", database.name]
                var number = 0
                let ended = try await Tool.start(arguments + target) { tool in
                    try await tool.waitUntilPrinted("Mending")
                    // As many again after the primary has stepped down.
                    for wanted in [2, 5] {
                        try await waitUntil("\(wanted) runs are done while documents come") {
                            number += 1
                            try await Self.insertEmpty(number, of: user, database)
                            return try await database.count("chat_admin.runs", ["state": "done"]) >= wanted
                        }
                        if wanted == 2 {
                            try await set.stepDown()
                            _ = try await set.primary()
                        }
                    }
                    try await waitUntil("all have moved") {
                        try await database.count("chat_sessions", ["_id": ["$type": "objectId"]]) == number
                    }
                    tool.send(SIGTERM)
                    try await tool.waitUntilEnded()
                }
                #expect(ended.result.exitCode == 0, "\(ended.result)")
                let titles = Set(try await database.all("chat_sessions").compactMap { $0["title"]?.string })
                #expect(titles.count == number)
                let told = try ended.result.output.split(separator: "\n").map { try ExtendedJSON.document(String($0)) }
                let recorded = try await database.all("chat_admin.runs")
                #expect(Self.moved(told) == number, "\(ended.result)")
                #expect(Self.moved(recorded) == number)
            }
        } catch {
            try await set.stop()
            throw error
        }
        try await set.stop()
    }

    /// How many documents have got another `_id`, as results or records tell.
    private static func moved(_ documents: [BSONDocument]) -> Int {
        var moved: Int64 = 0
        for document in documents {
            for case .document(let change) in document["changes"]?.array?.values ?? []
            where change["code"] == "id.empty" {
                moved += change["changed"]?.integer ?? 0
            }
        }
        return Int(moved)
    }

    /// Inserts a session as the bug makes it; again where the empty `_id` is taken, or the server was just going.
    private static func insertEmpty(_ number: Int, of user: ObjectID, _ database: TestDatabase) async throws {
        let now = BSONValue.date(Int64(Date().timeIntervalSince1970 * 1000))
        let session: BSONDocument = [
            "_id": "", "user_id": .objectID(user), "title": .string("\(number)"), "message_count": 0,
            "last_message_at": nil, "created_at": now, "updated_at": now, "deleted": false,
        ]
        try await waitUntil("session \(number) is there") {
            do {
                try await database.load("chat_sessions", [session])
                return true
            } catch {
                return try await database.count("chat_sessions", ["title": .string("\(number)")]) == 1
            }
        }
    }

    @Test("ends at once where the server doesn't answer")
    func silent() async throws {
        let server = try await TestServer.start(.standalone)
        do {
            try await server.withDatabase { database in
                try await Self.insert(0, database)
                let ended = try await Tool.start(Self.arguments(database)) { tool in
                    try await tool.waitUntilPrinted(Self.began)
                    server.send(signal: SIGSTOP)
                    tool.send(SIGTERM)
                    let start = ContinuousClock.now
                    try await tool.waitUntilEnded()
                    // Two seconds for a user; a test's machine is busy.
                    #expect(ContinuousClock.now - start < .seconds(5))
                    server.send(signal: SIGCONT)
                }
                #expect(ended.result.exitCode == 0, "\(ended.result)")
                // Where it was ended by force the last line says so.
                let lines = try ended.result.output.split(separator: "\n").map { try ExtendedJSON.document(String($0)) }
                #expect(lines.allSatisfy { $0["exitCode"] == nil || $0["exitCode"] == 0 }, "\(ended.result)")
            }
        } catch {
            server.send(signal: SIGCONT)
            try await server.stop()
            throw error
        }
        try await server.stop()
    }
}
