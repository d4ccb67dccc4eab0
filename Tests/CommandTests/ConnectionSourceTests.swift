import Foundation
import TestSupport
import Testing

/// Every source names another database that isn't there; the error says which one won.
@Suite("Where the connection comes from")
struct ConnectionSourceTests {
    struct Sources: Sendable, CustomTestStringConvertible {
        let winner: String
        var arguments: [String] = []
        var environment: [String: String] = [:]
        var dotEnv = ""
        var yaml = ""

        var testDescription: String { winner }
    }

    /// `<uri>` stands for the server's own connection string, `<port>` for its port.
    static let cases: [Sources] = [
        Sources(winner: "chat-default", arguments: ["--uri", "<uri>/chat-default"]),
        Sources(winner: "option", arguments: ["--uri", "<uri>/in-uri", "--database", "option"]),
        Sources(
            winner: "in-uri", arguments: ["--uri", "<uri>/in-uri"], environment: ["CHAT_ADMIN_DATABASE": "variable"]),
        Sources(
            winner: "variable",
            environment: ["CHAT_ADMIN_URI": "<uri>/in-uri", "CHAT_ADMIN_DATABASE": "variable"]),
        Sources(
            winner: "in-uri", environment: ["CHAT_ADMIN_URI": "<uri>/in-uri", "MONGO_DATABASE_NAME": "application"]),
        Sources(
            winner: "application", environment: ["MONGO_PORT": "<port>", "MONGO_DATABASE_NAME": "application"],
            yaml: "database: file"),
        Sources(
            winner: "environment", environment: ["MONGO_DATABASE_NAME": "environment"],
            dotEnv: "MONGO_HOST=127.0.0.1\nMONGO_PORT=<port>\nMONGO_DATABASE_NAME=dotenv"),
        Sources(winner: "dotenv", dotEnv: "MONGO_HOST=127.0.0.1\nMONGO_PORT=<port>\nMONGO_DATABASE_NAME=dotenv"),
        Sources(winner: "file", yaml: "uri: <uri>/in-uri\ndatabase: file"),
        Sources(winner: "in-uri", yaml: "uri: <uri>/in-uri"),
    ]

    @Test("the strongest source wins", arguments: cases)
    func strongest(sources: Sources) async throws {
        let server = try await TestServer.shared(.standalone)
        let fill = { (text: String) in
            text.replacingOccurrences(of: "<uri>", with: "mongodb://127.0.0.1:\(server.port)")
                .replacingOccurrences(of: "<port>", with: "\(server.port)")
        }
        let folder = FileManager.default.temporaryDirectory.appending(path: "chat-admin-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in [(".env", sources.dotEnv), ("chat-admin.yaml", sources.yaml)] where !text.isEmpty {
            try Data(fill(text).utf8).write(to: folder.appending(path: name))
        }
        let result = try await Tool.run(
            ["check"] + sources.arguments.map(fill), environment: sources.environment.mapValues(fill),
            in: folder.path)
        #expect(result.exitCode == 78, "\(result)")
        #expect(result.errors.contains("There is no database `\(sources.winner)`"), "\(result)")
    }

    @Test("a password comes from a file or standard input, and half a configuration is named")
    func passwords() async throws {
        let server = try await TestServer.shared(.authenticated)
        let credentials = try #require(server.credentials)
        let uri = "mongodb://\(credentials.user)@127.0.0.1:\(server.port)/nowhere?authSource=admin"
        let piped = try await Tool.run(
            ["check", "--uri", uri, "--password-file", "-"], input: credentials.password + "\n")
        #expect(piped.exitCode == 78 && piped.errors.contains("There is no database `nowhere`"), "\(piped)")
        let missing = try await Tool.run(["check", "--uri", uri])
        #expect(missing.exitCode == 78 && missing.errors.contains("there is no password"), "\(missing)")
        let variables = [
            "MONGO_PORT": "\(server.port)", "MONGO_USERNAME": credentials.user, "MONGO_PASSWORD": credentials.password,
            "MONGO_DATABASE_NAME": "nowhere",
        ]
        let application = try await Tool.run(["check"], environment: variables)
        #expect(application.exitCode == 78 && application.errors.contains("There is no database"), "\(application)")
        let half = try await Tool.run(["check"], environment: variables.filter { $0.key != "MONGO_PASSWORD" })
        #expect(half.exitCode == 78 && half.errors.contains("no MONGO_PASSWORD"), "\(half)")
    }
}
