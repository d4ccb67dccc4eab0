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
                let last = try #require(ended.result.output.split(separator: "\n").last)
                #expect(try ExtendedJSON.document(String(last))["exitCode"] == 0)
            }
        } catch {
            server.send(signal: SIGCONT)
            try await server.stop()
            throw error
        }
        try await server.stop()
    }
}
