import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("The first contact", .timeLimit(.minutes(3)))
struct StartTests {
    private func makePool(_ port: Int) throws -> MongoPool {
        try MongoPool(
            ConnectionString("mongodb://127.0.0.1:\(port)/?directConnection=true&heartbeatFrequencyMS=500"),
            logger: LogRecorder().logger)
    }

    /// What a server says that isn't, or isn't any more, what it was taken for.
    static let states: [(Int32, String)] = [
        (10107, "not primary"), (13435, "not primary and secondaryOk=false"), (13436, "node is recovering"),
        (189, "primary stepped down"), (91, "shutdown in progress"), (11600, "interrupted at shutdown"),
    ]

    @Test("with a server that changes its state is tried again, and then counts as unreachable", arguments: states)
    func retriesStates(code: Int32, words: String) async throws {
        let failure: BSONDocument = ["ok": 0.0, "code": .int32(code), "errmsg": .string(words)]
        let server = try MockServer { _ in .reply(failure) }
        let error = await expectError(.unreachable) {
            _ = try await makePool(server.port).withClient { try await $0.describeServer() }
        }
        #expect(error?.code == code)
        #expect(server.commands.count > 1)
    }

    @Test("goes on with a server that has come to itself")
    func waitsForRecovery() async throws {
        let server = try await TestServer.shared(.standalone)
        // The fault tells no new state of the server, which a real one does: the monitor has to ask.
        let pool = try MongoPool(
            ConnectionString(server.uri + "?appName=start&heartbeatFrequencyMS=500"), logger: LogRecorder().logger)
        let fault = FailCommand("buildInfo", appName: "start").failing(code: 13436)
        try await server.withFailPoint(fault, mode: .times(2)) { point in
            let description = try await pool.withClient { try await $0.describeServer() }
            #expect(description.topology == .standalone)
            try await point.waitUntilEntered(times: 2)
        }
    }

    @Test("with a server too old, or too new, for this driver says so, as unreachable", arguments: [(0, 1), (30, 40)])
    func refusesVersions(oldest: Int32, newest: Int32) async throws {
        let greeting = MockServer.standalone.replacing("minWireVersion", with: .int32(oldest))
            .replacing("maxWireVersion", with: .int32(newest))
        let server = try MockServer(greeting: greeting) { _ in .reply(["ok": 1.0]) }
        let error = await expectError(.unreachable) {
            _ = try await makePool(server.port).withClient { try await $0.describeServer() }
        }
        #expect(error.map { "\($0)".contains("wire version") } == true, "\(error.map { "\($0)" } ?? "")")
    }

    @Test("with a member that is neither primary nor secondary waits, and then counts it as unreachable")
    func refusesRecoveringMember() async throws {
        let greeting: BSONDocument = MockServer.standalone.replacing("ismaster", with: false)
            .replacing("isWritablePrimary", with: false).replacing("setName", with: "rs0")
            .replacing("secondary", with: false).replacing("hosts", with: ["127.0.0.1:1"])
        let server = try MockServer(greeting: greeting) { _ in .reply(["ok": 1.0, "version": "6.0.5"]) }
        await expectError(.unreachable) {
            _ = try await makePool(server.port).withClient { try await $0.describeServer() }
        }
    }
}
