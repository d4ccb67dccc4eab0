import BSON
import Logging
import MongoDriver
import TestSupport
import Testing

@Suite("Logs")
struct LogTests {
    @Test("at the finest level name commands, and hold no password and no contents")
    func hidesSecrets() async throws {
        let server = try await TestServer.shared(.authenticated)
        let root = try #require(server.credentials)
        let recorder = LogRecorder()
        MongoRuntime.log(to: recorder.logger)
        let pool = try MongoPool(ConnectionString(server.uri), logger: recorder.logger)
        try await pool.withClient { client in
            let new: BSONDocument = ["createUser": "logged", "pwd": "n3w-s3cr3t", "roles": []]
            try await client.run(new, on: "logs")
            try await client.run(["insert": "users", "documents": [["hashed_password": "h4sh-s3cr3t"]]], on: "logs")
            let filter: BSONDocument = ["hashed_password": "h4sh-s3cr3t"]
            _ = try await client.all(client.find(Namespace("logs", "users"), filter: filter))
            _ = try? await client.run(["insert": "users", "documents": "wr0ng-s3cr3t"], on: "logs")
            try await client.run(["dropUser": "logged"], on: "logs")
            try await client.run(["dropDatabase": 1], on: "logs")
        }
        let wrong = try MongoPool(
            ConnectionString(server.uri(user: "root", password: "wr0ng-s3cr3t")), logger: recorder.logger)
        await expectError(.authentication) { try await wrong.withClient { _ = try await $0.describeServer() } }
        // What libmongoc itself has to say about a connection string.
        _ = try? ConnectionString("mongodb://user:s3cr3t@host/?nonsense=s3cr3t")
        _ = try? ConnectionString("mongodb://user:s3cr3t@host/?maxPoolSize=many")
        _ = try? ConnectionString("mongodb://user:s3cr3t%zz@host")
        let text = recorder.text
        #expect(text.contains("command succeeded"))
        #expect(text.contains("logs.createUser"))
        #expect(text.contains("command failed"))
        #expect(text.contains("Invalid maxpoolsize"))
        #expect(!text.contains("s3cr3t"))
        #expect(!text.contains(root.password))
        #expect(!text.contains(PercentEncoding.encode(root.password)))
    }
}
