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
    func refusesFiles() throws {
        let files = try Certificates()
        let recorder = LogRecorder()
        let wrong = [
            ("tlsCAFile=\(files.file("none"))", "No such file"), ("tlsCAFile=\(files.file("text"))", "no certificate"),
            ("tlsCAFile=\(files.file("broken"))", "no certificate"), ("tlsCAFile=/tmp", "can't be read"),
            ("tlsCertificateKeyFile=\(files.file("none"))", "No such file"),
            ("tlsCertificateKeyFile=\(files.file("text"))", "no certificate"),
            ("tlsCertificateKeyFile=\(files.file("nokey"))", "no private key"),
            ("tlsCertificateKeyFile=\(files.file("mixed"))", "belong together"),
            ("tlsCertificateKeyFile=\(files.file("locked"))", "tlsCertificateKeyFilePassword"),
            ("tlsCertificateKeyFile=\(files.file("locked"))&tlsCertificateKeyFilePassword=wr0ng", "right"),
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
        let right = "tlsCAFile=\(files.file("ca"))&tlsCertificateKeyFile=\(files.file("locked"))"
        _ = try MongoPool(
            ConnectionString("mongodb://127.0.0.1:9/?tls=true&\(right)&tlsCertificateKeyFilePassword=s3cr3t"),
            logger: recorder.logger)
    }

    @Test("works, and what is wrong with it is said, by a mongod that wants it and a client certificate")
    func speaksToServer() async throws {
        let files = try Certificates()
        // It takes others at first, so that it can be told from outside that it is ready.
        let arguments = [
            "--tlsMode", "preferTLS", "--tlsCertificateKeyFile", files.file("server"), "--tlsCAFile", files.file("ca"),
        ]
        let server = try await TestServer.start(.standalone, extraArguments: arguments)
        _ = try await server.admin.withClient {
            try await $0.run(["setParameter": 1, "tlsMode": "requireTLS"], on: "admin")
        }
        let uri = "mongodb://127.0.0.1:\(server.port)/?serverSelectionTimeoutMS=2000"
        let authority = "tls=true&tlsCAFile=\(files.file("ca"))"
        let certificate = "tlsCertificateKeyFile=\(files.file("client"))"
        try await describe("\(uri)&\(authority)&\(certificate)")
        try await describe("\(uri)&\(certificate)&tlsInsecure=true")
        let wrong = [
            ("appName=plain", "wants TLS"), (authority, "wants a client certificate"),
            ("tls=true&tlsCAFile=\(files.file("stranger"))&\(certificate)", "authority that isn't known"),
            ("\(authority)&tlsCertificateKeyFile=\(files.file("foreign"))", "refuses the certificate"),
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
        let files = try Certificates()
        for (name, words) in [("expired", "has expired"), ("other", "another host")] {
            let mock = try await TLSMock(showing: files.file(name))
            let options = "tls=true&tlsCAFile=\(files.file("ca"))&serverSelectionTimeoutMS=2000"
            let error = await expectError(.unreachable) {
                try await describe("mongodb://127.0.0.1:\(mock.port)/?\(options)")
            }
            #expect(error.map { "\($0)".contains(words) } == true, "\(error.map { "\($0)" } ?? "")")
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
