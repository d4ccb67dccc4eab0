import BSON
import Logging
import MongoDriver
import TestSupport
import Testing

@Suite("Connections")
struct ConnectionTests {
    private let quiet = LogRecorder().logger

    private func ping(_ uri: String) async throws {
        let pool = try MongoPool(ConnectionString(uri), logger: quiet)
        _ = try await pool.withClient { try await $0.run(["ping": 1], on: "admin") }
    }

    @Test("to a port where nobody listens fail in time, as unreachable")
    func reportsDeadPort() async throws {
        let port = try LoopbackPort.free()
        let start = ContinuousClock.now
        let error = await expectError(.unreachable) {
            try await ping("mongodb://127.0.0.1:\(port)/?serverSelectionTimeoutMS=300")
        }
        #expect(ContinuousClock.now - start < .seconds(60), "it waits for ever")
        #expect(error?.description.contains("No MongoDB server answered") == true)
    }

    @Test("to a port that accepts and says nothing fail in time, as unreachable")
    func reportsSilentPort() async throws {
        let listener = try SilentListener()
        let start = ContinuousClock.now
        await expectError(.unreachable) {
            try await ping("mongodb://127.0.0.1:\(listener.port)/?serverSelectionTimeoutMS=300&connectTimeoutMS=200")
        }
        #expect(ContinuousClock.now - start < .seconds(60), "it waits for ever")
    }

    @Test("to a replica set of another name fail as unreachable")
    func reportsOtherReplicaSet() async throws {
        let server = try await TestServer.shared(.replicaSet)
        await expectError(.unreachable) {
            try await ping("mongodb://127.0.0.1:\(server.port)/?replicaSet=other&serverSelectionTimeoutMS=300")
        }
    }

    @Test("to a server that hangs fail as a network error when the socket's time is over")
    func reportsHangingServer() async throws {
        try await withDatabase { database in
            try await database.withFailPoint(FailCommand("ping").blocking(milliseconds: 30_000)) { _ in
                await expectError(.network) { try await ping(database.uri + "&socketTimeoutMS=200") }
            }
        }
    }

    @Test("to a server that is killed are reported, and come back with it")
    func reportsKilledServer() async throws {
        let server = try await TestServer.start(.standalone)
        let pool = try MongoPool(
            ConnectionString(server.uri + "?serverSelectionTimeoutMS=300"), logger: quiet)
        try await pool.withClient { client in
            try await client.run(["ping": 1], on: "admin")
            try await server.kill()
            do {
                try await client.run(["ping": 1], on: "admin")
                Issue.record("nothing was thrown")
            } catch let error as MongoError {
                #expect(error.kind == .network || error.kind == .unreachable, "\(error)")
            }
            await expectError(.unreachable) { try await client.run(["ping": 1], on: "admin") }
        }
    }

    @Test("with a wrong password, user or source fail as authentication, without repeating the password")
    func reportsAuthentication() async throws {
        let server = try await TestServer.shared(.authenticated)
        try await ping(server.uri)
        let root = try #require(server.credentials)
        let wrong = [
            server.uri(user: root.user, password: "wr0ng-s3cr3t"), server.uri(user: "nobody", password: "wr0ng-s3cr3t"),
            server.uri.replacing("authSource=admin", with: "authSource=other"),
            "mongodb://root:@127.0.0.1:\(server.port)/",
        ]
        for uri in wrong {
            let error = await expectError(.authentication) { try await ping(uri) }
            #expect(error.map { "\($0)".contains("s3cr3t") || "\($0)".contains(root.password) } == false)
        }
    }

    @Test("of a user without a password are refused before libmongoc crashes over them")
    func refusesMissingPassword() async throws {
        let server = try await TestServer.shared(.authenticated)
        for query in ["", "?authMechanism=SCRAM-SHA-256", "?authMechanism=scram-sha-1"] {
            await expectError(.connectionString) { try await ping("mongodb://root@127.0.0.1:\(server.port)/\(query)") }
        }
    }

    @Test("whose user may not do something fail as unauthorized")
    func reportsAuthorization() async throws {
        try await withDatabase(on: .authenticated) { database in
            let roles: BSONArray = [["role": "read", "db": .string(database.name)]]
            let uri = try await database.server.createUser("reader_\(database.name)", password: "a b:c@d", roles: roles)
            try await database.load("things", [["_id": 1]])
            let pool = try MongoPool(ConnectionString(uri), logger: quiet)
            let namespace = database.namespace("things")
            try await pool.withClient { client in
                let readable = try await client.all(client.find(namespace, filter: [:]))
                #expect(readable.count == 1)
                await expectError(.unauthorized) { try await client.bulkWrite(namespace, [.insert(["_id": 2])]) }
                await expectError(.unauthorized) { try await client.createCollection(database.namespace("new")) }
                await expectError(.unauthorized) {
                    _ = try await client.findAndModify(namespace, query: [:], ["remove": true])
                }
                await expectError(.unauthorized) {
                    _ = try await client.all(client.find(Namespace("admin", "system.users"), filter: [:]))
                }
                await expectError(.unauthorized) { _ = try await client.listCollections("other") }
                await expectError(.unauthorized) { _ = try await client.listIndexes(Namespace("other", "things")) }
                let error = await expectError(.unauthorized) {
                    try await client.run(["dropDatabase": 1], on: database.name)
                }
                #expect(error?.code == MongoError.ServerCode.unauthorized)
            }
            let anonymous = try MongoPool(ConnectionString(database.server.uriWithoutCredentials), logger: quiet)
            _ = try await anonymous.withClient { client in
                await expectError(.unauthorized) { _ = try await client.listCollections(database.name) }
            }
        }
    }

    @Test("carry the tool's name unless the connection string gives another")
    func carriesAppName() async throws {
        let server = try await TestServer.shared(.standalone)
        for (query, expected) in [("", "chat-admin"), ("?appname=mine", "mine")] {
            let pool = try MongoPool(ConnectionString(server.uri + query), logger: quiet)
            #expect(pool.connectionString.appName == (query.isEmpty ? nil : "mine"))
            let names = try await pool.withClient { client in
                #expect(client.connectionString.hosts == ["127.0.0.1:\(server.port)"])
                let current: BSONDocument = [
                    "currentOp": 1, "$all": true, "$ownOps": true, "appName": .string(expected),
                ]
                return try await client.run(current, on: "admin")["inprog"]?.array?.count ?? 0
            }
            #expect(names > 0)
        }
    }

    @Test(
        "on loopback are told from others",
        arguments: [
            ("mongodb://127.0.0.1", true), ("mongodb://127.1.2.3:1,localhost:2", true), ("mongodb://[::1]:1", true),
            ("mongodb://%2Ftmp%2Fmongodb-27017.sock", true), ("mongodb://127.0.0.1,example.net", false),
            ("mongodb://127.example.net", false), ("mongodb://localhost.example.net", false),
            ("mongodb://10.0.0.1", false), ("mongodb://[fe80::1]", false),
            ("mongodb+srv://cluster.example.net", false),
        ])
    func tellsLoopback(text: String, expected: Bool) throws {
        #expect(try ConnectionString(text).isLoopback == expected)
    }

    @Test("made of parts are the ones meant, whatever the password")
    func buildsFromParts() async throws {
        let server = try await TestServer.shared(.authenticated)
        let root = try #require(server.credentials)
        let string = try ConnectionString(
            host: "127.0.0.1", port: server.port, username: root.user, password: root.password)
        #expect("\(string)" == "mongodb://root@127.0.0.1:\(server.port)/")
        let pool = try MongoPool(string, logger: quiet)
        _ = try await pool.withClient { try await $0.run(["listDatabases": 1], on: "admin") }
        let password = "éß \"'\\%40&=?#/:@"
        let uri = try await server.createUser("odd \(server.port)@/:", password: password, roles: ["read"])
        try await ping(uri)
        let odd = try ConnectionString(
            host: "127.0.0.1", port: server.port, username: "odd \(server.port)@/:", password: password)
        try await MongoPool(odd, logger: quiet).withClient { _ = try await $0.run(["hello": 1], on: "admin") }
        let anonymous = try ConnectionString(host: "::1", port: 5, username: "", password: "x")
        #expect(anonymous.hosts == ["[::1]:5"] || anonymous.hosts == ["::1:5"])
        #expect(anonymous.username == nil)
    }
}
