import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("TLS", .timeLimit(.minutes(5)))
struct TLSTests {
    private func describe(_ uri: String) async throws {
        let pool = try MongoPool(ConnectionString(uri), logger: LogRecorder().logger)
        _ = try await pool.withClient { try await $0.describeServer() }
    }

    @Test("files that can't be used are named at once, and libmongoc says nothing of them again and again")
    func refusesFiles() async throws {
        let files = try await TestCertificates.make()
        defer { files.remove() }
        let recorder = LogRecorder()
        let wrong = [
            ("tlsCAFile=\(files.missing)", "No such file"), ("tlsCAFile=\(files.text)", "no certificate"),
            ("tlsCAFile=\(files.broken)", "no certificate"), ("tlsCAFile=/tmp", "can't be read"),
            ("tlsCertificateKeyFile=\(files.missing)", "No such file"),
            ("tlsCertificateKeyFile=\(files.text)", "no certificate"),
            ("tlsCertificateKeyFile=\(files.authority)", "no private key"),
            ("tlsCertificateKeyFile=\(files.mixed)", "belong together"),
            ("tlsCertificateKeyFile=\(files.locked)", "tlsCertificateKeyFilePassword"),
            ("tlsCertificateKeyFile=\(files.locked)&tlsCertificateKeyFilePassword=wr0ng", "right"),
        ]
        for (options, words) in wrong {
            do throws(MongoError) {
                _ = try MongoPool(
                    ConnectionString("mongodb://127.0.0.1:9/?tls=true&\(options)"), logger: recorder.logger)
                Issue.record("\(options) was taken")
            } catch {
                #expect(error.kind == .connectionString)
                #expect("\(error)".contains(words) && !"\(error)".contains("wr0ng"), "\(error)")
            }
        }
        #expect(!recorder.text.contains("Cannot"))
        let right = "tlsCAFile=\(files.authority)&tlsCertificateKeyFile=\(files.locked)"
        _ = try MongoPool(
            ConnectionString("mongodb://127.0.0.1:9/?tls=true&\(right)&tlsCertificateKeyFilePassword=s3cr3t"),
            logger: recorder.logger)
    }

    @Test("works, and what is wrong with it is said, by a mongod that wants it and a client certificate")
    func speaksToServer() async throws {
        let files = try await TestCertificates.make()
        defer { files.remove() }
        // It takes others at first, so that it can be told from outside that it is ready.
        let arguments = [
            "--tlsMode", "preferTLS", "--tlsCertificateKeyFile", files.server, "--tlsCAFile", files.authority,
        ]
        let server = try await TestServer.start(.standalone, extraArguments: arguments)
        _ = try await server.admin.withClient {
            try await $0.run(["setParameter": 1, "tlsMode": "requireTLS"], on: "admin")
        }
        let uri = "mongodb://127.0.0.1:\(server.port)/?serverSelectionTimeoutMS=2000"
        let authority = "tls=true&tlsCAFile=\(files.authority)"
        let certificate = "tlsCertificateKeyFile=\(files.client)"
        try await describe("\(uri)&\(authority)&\(certificate)")
        try await describe("\(uri)&\(certificate)&tlsInsecure=true")
        let wrong = [
            ("appName=plain", "wants TLS"), (authority, "wants a client certificate"),
            ("tls=true&tlsCAFile=\(files.stranger)&\(certificate)", "authority that isn't known"),
            ("\(authority)&tlsCertificateKeyFile=\(files.foreign)", "refuses the certificate"),
            ("tls=true&\(certificate)", "authority that isn't known"),
        ]
        for (options, words) in wrong {
            let error = await expectError(.unreachable) { try await describe("\(uri)&\(options)") }
            #expect(error.map { "\($0)".contains(words) } == true, "\(options): \(error.map { "\($0)" } ?? "")")
        }
        try await server.kill()
    }

    @Test("certificates that are no good are named with what is wrong")
    func namesCertificates() async throws {
        let files = try await TestCertificates.make()
        defer { files.remove() }
        for (file, words) in [(files.expired, "has expired"), (files.otherHost, "another host")] {
            let peer = try await TLSPeer.start(showing: file)
            let options = "tls=true&tlsCAFile=\(files.authority)&serverSelectionTimeoutMS=2000"
            let error = await expectError(.unreachable) {
                try await describe("mongodb://127.0.0.1:\(peer.port)/?\(options)")
            }
            #expect(error.map { "\($0)".contains(words) } == true, "\(error.map { "\($0)" } ?? "")")
            try await peer.stop()
        }
    }

    @Test("isn't spoken by a server without it, which is said")
    func namesPlainServer() async throws {
        let server = try await TestServer.shared(.standalone)
        let options = "tls=true&serverSelectionTimeoutMS=2000"
        let error = await expectError(.unreachable) {
            try await describe("mongodb://127.0.0.1:\(server.port)/?\(options)")
        }
        #expect(error.map { "\($0)".contains("doesn't speak TLS") } == true, "\(error.map { "\($0)" } ?? "")")
    }
}
