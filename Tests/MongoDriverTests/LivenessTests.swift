import BSON
import Glibc
import MongoDriver
import TestSupport
import Testing

@Suite("A server that stops answering", .timeLimit(.minutes(3)))
struct LivenessTests {
    /// The shortest times: a stopped server is noticed 0.5 + 1 s after its last sign of life, and given 3 s more.
    private static let options = "heartbeatFrequencyMS=500&connectTimeoutMS=1000&serverSelectionTimeoutMS=2000"
    /// What is added for a busy machine.
    private static let limit = Duration.seconds(30)

    private func makePool(_ uri: String, quickMS: Int = 120_000) throws -> MongoPool {
        var options = MongoPool.Options()
        options.quickCommandTimeoutMS = quickMS
        return try MongoPool(ConnectionString(uri), options: options, logger: LogRecorder().logger)
    }

    @Test("in the middle of a command ends it with a network error, and the next one finds none")
    func noticesStoppedServer() async throws {
        let server = try await TestServer.start(.standalone)
        let pool = try makePool(server.uri + "?appName=watched&" + Self.options)
        try await server.withFailPoint(FailCommand("aggregate", appName: "watched").blocking(milliseconds: 20_000)) {
            point in
            let waiting = Task {
                try await pool.withClient { client in
                    await expectError(.network) {
                        let stages: [BSONDocument] = [["$match": [:]], ["$out": "copy"]]
                        _ = try await client.all(client.aggregate(Namespace("test", "things"), pipeline: stages))
                    }
                    await expectError(.unreachable) { try await client.run(["ping": 1], on: "admin") }
                }
            }
            try await point.waitUntilEntered()
            server.send(signal: SIGSTOP)
            let start = ContinuousClock.now
            try await waiting.value
            #expect(ContinuousClock.now - start < Self.limit)
            server.send(signal: SIGCONT)
            // It is itself again, and so is the pool.
            try await waitUntil("an answer") {
                (try? await pool.withClient { try await $0.run(["ping": 1], on: "admin") }) != nil
            }
        }
        try await server.kill()
    }

    @Test("on one connection alone ends its command when that took longer than it may")
    func noticesSwallowedReply() async throws {
        let server = try MockServer { _ in .silence }
        let pool = try makePool("mongodb://127.0.0.1:\(server.port)/?\(Self.options)", quickMS: 1500)
        let start = ContinuousClock.now
        _ = try await pool.withClient { client in
            await expectError(.network) { try await client.run(["ping": 1], on: "admin") }
        }
        #expect(ContinuousClock.now - start >= .seconds(1))
        #expect(ContinuousClock.now - start < Self.limit)
    }

    @Test("is told from one that works for long")
    func sparesSlowCommands() async throws {
        try await withDatabase { database in
            try await database.load("things", [["_id": 1]])
            let pool = try makePool(database.uri + "&" + Self.options, quickMS: 1500)
            // Longer than everything that is measured here.
            let slow = FailCommand("aggregate", "getMore").blocking(milliseconds: 9_000)
            try await database.withFailPoint(slow) { point in
                try await pool.withClient { client in
                    let found = try await client.all(
                        client.aggregate(database.namespace("things"), pipeline: [["$match": [:]]]))
                    #expect(found == [["_id": 1]])
                }
                try await point.waitUntilEntered()
            }
        }
    }

    @Test("costs no descriptors: connections that ended are let go")
    func keepsNoDescriptors() async throws {
        let server = try MockServer { _ in .hangUp }
        let pool = try makePool("mongodb://127.0.0.1:\(server.port)/?\(Self.options)")
        let before = try Self.sockets(to: server.port)
        for _ in 0..<20 {
            _ = try await pool.withClient { client in
                await expectError(.network) { try await client.run(["ping": 1], on: "admin") }
            }
        }
        // The monitor's connection stays, and the last one may.
        try await waitUntil("closed connections") { try Self.sockets(to: server.port) <= before + 2 }
        _ = pool
    }

    /// How many of this process's sockets are connected to a port.
    private static func sockets(to port: Int) throws -> Int {
        (0..<Int32(1024)).count { descriptor in
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isKnown = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) == 0 }
            }
            return isKnown && Int(UInt16(bigEndian: address.sin_port)) == port
        }
    }
}
