import BSON
import MigrationEngine
import MongoDriver
import TestSupport
import Testing

@Suite("The lease")
struct LeaseTests {
    private func acquire(_ database: TestDatabase, _ owner: String, wait: Duration = .zero) async throws -> Lease {
        try await Lease.acquire(
            pool: database.pool, database: database.name, owner: owner, wait: wait, interruption: Interruption())
    }

    @Test("is held by one at a time, and named to the next", arguments: TestServer.Kind.allCases)
    func oneAtATime(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let first = try await acquire(database, "first")
            try first.check()
            let error = await #expect(throws: EngineError.self) { try await acquire(database, "second") }
            #expect("\(try #require(error))".contains("first, since 20"))
            try await first.release()
            #expect(throws: EngineError.self) { try first.check() }
            let second = try await acquire(database, "second")
            try await second.release()
            let document = try await database.one("chat_admin.lease", [:])
            #expect(document["token"] == .int64(2))
        }
    }

    @Test("many that try at once get it one after the other")
    func race() async throws {
        try await withDatabase { database in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<8 {
                    group.addTask {
                        let lease = try await acquire(database, "\(index)", wait: .seconds(60))
                        try lease.check()
                        try await lease.release()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await database.one("chat_admin.lease", [:])["token"] == .int64(8))
        }
    }

    @Test("that expired can be taken")
    func expired() async throws {
        try await withDatabase { database in
            let crashed = try await acquire(database, "crashed")
            try await database.run([
                "update": "chat_admin.lease", "updates": [["q": [:], "u": ["$set": ["expiresAt": .date(0)]]]],
            ])
            let next = try await acquire(database, "next")
            try await next.release()
            try await crashed.release()
            #expect(try await database.one("chat_admin.lease", [:])["owner"] == "next")
        }
    }
}
