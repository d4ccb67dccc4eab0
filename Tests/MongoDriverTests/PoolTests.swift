import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("A pool")
struct PoolTests {
    @Test("that is exhausted says so in time")
    func reportsExhaustion() async throws {
        try await withDatabase { database in
            let string = try ConnectionString(database.uri + "&maxPoolSize=1&waitQueueTimeoutMS=200")
            let pool = try MongoPool(string, logger: LogRecorder().logger)
            try await pool.withClient { client in
                let start = ContinuousClock.now
                await expectError(.timeout) { try await pool.withClient { _ in } }
                #expect(ContinuousClock.now - start < .seconds(5))
                try await client.run(["ping": 1], on: database.name)
            }
            // The client came back.
            try await pool.withClient { _ = try await $0.run(["ping": 1], on: database.name) }
        }
    }

    @Test("refuses a client that was given back")
    func refusesReturnedClient() async throws {
        struct Refusal: Error {}
        try await withDatabase { database in
            let kept = try await database.withClient { $0 }
            await expectError(.internal) { try await kept.run(["ping": 1], on: database.name) }
            await expectError(.internal) { _ = try await kept.find(database.namespace("things"), filter: [:]) }
            await #expect(throws: Refusal.self) { try await database.withClient { _ in throw Refusal() } }
        }
    }

    @Test("lends clients that don't wait for each other, nor block other tasks")
    func runsConcurrently() async throws {
        try await withDatabase { database in
            try await database.withFailPoint(FailCommand("ping").blocking(milliseconds: 2_000)) { _ in
                let start = ContinuousClock.now
                try await withThrowingTaskGroup { group in
                    for _ in 0..<24 { group.addTask { _ = try await database.run(["ping": 1]) } }
                    try await group.waitForAll()
                }
                // One after the other they would take 48 s, on two threads 24 s; a busy machine needs a few.
                #expect(ContinuousClock.now - start < .seconds(20))
            }
        }
    }

    @Test("serves many tasks at once, each with its own cursors and writes", arguments: TestServer.Kind.allCases)
    func servesManyTasks(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let namespace = database.namespace("things")
            try await withThrowingTaskGroup { group in
                for task in 0..<16 {
                    group.addTask {
                        for round in 0..<5 {
                            try await database.withClient { client in
                                let documents = (0..<40).map { number -> WriteModel in
                                    let id = Int32(task * 1000 + round * 100 + number)
                                    return .insert(["_id": .int32(id), "task": .int32(Int32(task))])
                                }
                                try await client.bulkWrite(namespace, documents, concern: .acknowledged)
                                let own = try await client.find(
                                    namespace, filter: ["task": .int32(Int32(task))], options: ["batchSize": 7])
                                #expect(try await client.all(own).count == (round + 1) * 40)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await database.count("things") == 16 * 5 * 40)
        }
    }

    @Test("can be made and dropped again and again, used or not")
    func isDisposable() async throws {
        let server = try await TestServer.shared(.standalone)
        for round in 0..<20 {
            let pool = try server.makePool(appName: "disposable")
            if round.isMultiple(of: 2) {
                try await pool.withClient { _ = try await $0.run(["ping": 1], on: "admin") }
            }
        }
    }
}
