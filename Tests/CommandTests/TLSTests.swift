import BSON
import MongoDriver
import TestSupport
import Testing

/// Servers that want TLS: certificates of an authority of one's own, clients known by theirs, and what can be wrong.
@Suite("TLS", .serialized)
struct TLSTests {
    @Test("the main job is done with a password, and with a client's certificate")
    func mainJob() async throws {
        try await Self.withServer { server, certificates in
            try await server.withDatabase { try await Self.mainJob($0, at: $0.uri) }
            try await Self.certificateOfClient(server, certificates)
        }
    }

    @Test("a connection without TLS is told that the server wants it")
    func withoutTLS() async throws {
        try await Self.withServer { server, _ in
            try await Self.expectRefusal("mongodb://127.0.0.1:\(server.port)/", "TLS")
        }
    }

    /// Lends a server that takes no connection without TLS, and has a root user.
    private static func withServer(_ body: (TestServer, TestCertificates) async throws -> Void) async throws {
        let certificates = try await TestCertificates.make()
        defer { certificates.remove() }
        let authority = "tls=true&tlsCAFile=\(certificates.authority)"
        let server = try await TestServer.start(
            .authenticated,
            extraArguments: [
                "--tlsMode", "requireTLS", "--tlsCertificateKeyFile", certificates.server, "--tlsCAFile",
                certificates.authority, "--tlsAllowConnectionsWithoutCertificates",
            ], options: [authority])
        do {
            try await body(server, certificates)
            try await server.stop()
        } catch {
            try? await server.stop()
            throw error
        }
    }

    @Test("a certificate that has expired, is another host's, or of an unknown authority, is refused and named")
    func wrongCertificates() async throws {
        let certificates = try await TestCertificates.make()
        defer { certificates.remove() }
        let own = "&tlsCAFile=\(certificates.authority)"
        for (certificate, authority) in [
            (certificates.expired, own), (certificates.otherHost, own), (certificates.server, ""),
            (certificates.server, "&tlsCAFile=\(certificates.stranger)"),
        ] {
            let peer = try await TLSPeer.start(showing: certificate)
            let uri = "mongodb://127.0.0.1:\(peer.port)/?tls=true\(authority)"
            try await Self.expectRefusal(uri, "certificate")
            let doctor = try await Tool.run(["doctor", "--uri", uri + "&serverSelectionTimeoutMS=2000"])
            #expect(doctor.exitCode == 1 && doctor.output.contains("The certificate of the server"), "\(doctor)")
            try await peer.stop()
        }
    }

    private static func mainJob(_ database: TestDatabase, at uri: String) async throws {
        try await database.loadIncident()
        let before = try await application(database)
        let target = ["--uri", uri, "--database", database.name]
        for (command, code) in [("check", 1), ("migrate plan", 2), ("migrate up --offline --yes", 1), ("check", 1)] {
            let result = try await Tool.run(command.split(separator: " ").map(String.init) + target)
            try #require(result.exitCode == Int32(code), "\(command): \(result)")
        }
        #expect(try await IncidentTruth.fixture.verify(database) == [])
        let doctor = try await Tool.run(["doctor"] + target)
        #expect(doctor.exitCode == 0 && doctor.output.contains("valid for 1 more day"), "\(doctor)")
        let down = try await Tool.run(["migrate", "down", "--to", "0", "--yes"] + target)
        #expect(down.exitCode == 0, "\(down)")
        #expect(try await application(database) == before)
    }

    /// A user whom the server knows by the client's certificate alone.
    private static func certificateOfClient(_ server: TestServer, _ certificates: TestCertificates) async throws {
        try await server.withDatabase { database in
            let roles: BSONArray = [
                ["role": "readWrite", "db": .string(database.name)], ["role": "dbAdmin", "db": .string(database.name)],
            ]
            _ = try await server.admin.withClient {
                try await $0.run(
                    ["createUser": .string(TestCertificates.clientName), "roles": .array(roles)], on: "$external")
            }
            let known = "authMechanism=MONGODB-X509&authSource=$external"
            let own = "tlsCertificateKeyFile=\(certificates.client)"
            try await mainJob(database, at: "\(server.uriWithoutCredentials)&\(known)&\(own)")
            let without = try await Tool.run([
                "check", "--uri", "\(server.uriWithoutCredentials)&\(known)", "--database", database.name,
            ])
            #expect([64, 77, 78].contains(without.exitCode), "\(without)")
            #expect(without.errors.contains("509"), "\(without)")
        }
    }

    /// The command ends as if there were no server, or as misconfigured, and says why.
    private static func expectRefusal(_ uri: String, _ word: String) async throws {
        let soon = (uri.contains("?") ? "&" : "?") + "serverSelectionTimeoutMS=2000"
        let result = try await Tool.run(["check", "--uri", uri + soon, "--database", "chat"])
        #expect([69, 77, 78].contains(result.exitCode), "\(uri): \(result)")
        #expect(result.errors.contains(word), "\(uri): \(result)")
    }
}
