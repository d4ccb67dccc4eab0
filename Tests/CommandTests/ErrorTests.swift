import BSON
import Foundation
import TestSupport
import Testing

@Suite("Errors are sentences with the right exit code")
struct ErrorTests {
    static let uriCases: [([String], Int32, String)] = [
        (["check", "--uri", "not-a-uri"], 64, "--uri"),
        (["check", "--uri", "mongodb://user:sec@ret@127.0.0.1/"], 64, "--uri"),
        (["check", "--uri", "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=300"], 69, "No MongoDB server answered"),
        (["repair", "--yes", "--uri", "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=300"], 69, "No MongoDB server"),
        (["check", "--database", "a b"], 64, "can't contain"),
        (["check", "--only", "id.nonsense"], 64, "There is no finding"),
        (["check", "--max-time", "0"], 64, "--max-time"),
        (["repair", "--max-changes", "lots"], 64, "max-changes"),
        (["nonsense"], 64, "nonsense"),
        (["check", "--env-file", "missing.env"], 78, "missing.env"),
    ]

    @Test("bad arguments and unreachable servers", arguments: uriCases)
    func arguments(arguments: [String], code: Int32, words: String) async throws {
        let result = try await Tool.run(arguments)
        #expect(result.exitCode == code, "\(result)")
        #expect(result.errors.contains(words), "\(result)")
        #expect(!result.errors.contains("sec@ret") && !result.output.contains("sec@ret"))
    }

    @Test("with --format json an error is one JSON document too")
    func jsonError() async throws {
        let result = try await Tool.run([
            "check", "--format", "json", "--uri", "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=300",
        ])
        #expect(result.exitCode == 69)
        #expect(try result.json()["exitCode"]?.integer == 69)
    }

    @Test("a database that isn't there")
    func missingDatabase() async throws {
        let server = try await TestServer.shared(.standalone)
        for command in [["check"], ["repair", "--yes"], ["migrate", "plan"], ["migrate", "up", "--yes"]] {
            let result = try await Tool.run(command + ["--uri", server.uri, "--database", "nowhere"])
            #expect(result.exitCode == 78, "\(result)")
            #expect(result.errors.contains("There is no database `nowhere`"), "\(result)")
        }
    }

    @Test("a wrong password, and nothing shows it")
    func wrongPassword() async throws {
        let server = try await TestServer.shared(.authenticated)
        let uri = server.uri(user: "root", password: "wr0ng-secret")
        let result = try await Tool.run(["check", "-v", "-v", "--database", "x", "--uri", uri])
        #expect(result.exitCode == 77, "\(result)")
        #expect(result.errors.contains("refused the user name or the password"), "\(result)")
        #expect(!result.errors.contains("wr0ng") && !result.output.contains("wr0ng"))
    }

    @Test("a user who may only read can check, and is told what is missing")
    func readOnly() async throws {
        let server = try await TestServer.shared(.authenticated)
        try await server.withDatabase { database in
            try await database.loadIncident()
            let uri = try await server.createUser(
                "reader_\(database.name)", password: "r3ad-only",
                roles: [["role": "read", "db": .string(database.name)]])
            let before = try await ServerImage(of: database, .naturalOrder)
            let arguments = ["--uri", uri, "--database", database.name, "-v", "-v"]
            #expect(try await Tool.run(["check"] + arguments).exitCode == 1)
            #expect(try await Tool.run(["migrate", "plan"] + arguments).exitCode == 2)
            for command in [
                ["repair", "--yes", "--offline"], ["migrate", "up", "--yes"], ["seed", "--allow-here", "--yes"],
            ] {
                let result = try await Tool.run(command + arguments)
                #expect(result.exitCode == 77, "\(result)")
                #expect(result.errors.contains("may not do this"), "\(result)")
                #expect(!result.errors.contains("r3ad-only") && !result.output.contains("r3ad-only"))
            }
            #expect(before.differences(to: try await ServerImage(of: database, .naturalOrder)) == [])
        }
    }

    @Test("no password is in the state collections, the output or the most verbose log")
    func secrets() async throws {
        try await withDatabase(on: .authenticated) { database in
            try await database.loadIncident()
            let secret = try #require(database.server.credentials?.password)
            let encoded = "p%40ss"
            let arguments = target(database) + ["-v", "-v"]
            for command in [
                ["migrate", "up", "--yes", "--offline"], ["seed", "--allow-here", "--yes"], ["check"],
                ["runs", "list"],
            ] {
                let result = try await Tool.run(command + arguments)
                for text in [result.output, result.errors] {
                    #expect(!text.contains(secret) && !text.contains(encoded))
                    // Everybody may know how the built-in users log in.
                    #expect(command[0] == "seed" || !text.contains("alicepass123"))
                }
            }
            for collection in ["chat_admin.runs", "chat_admin.migrations", "chat_admin.journal", "chat_admin.lease"] {
                for document in try await database.all(collection) {
                    let text = String(reflecting: document)
                    #expect(!text.contains(secret) && !text.contains(encoded) && !text.contains("alicepass123"))
                }
            }
        }
    }

    @Test("a result that can't be written isn't a success")
    func fullDisk() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let tool = try ToolProgram.path()
            let command = "exec \"$0\" check --uri '\(database.uri)' --database \(database.name) >/dev/full"
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", command, tool]
            process.standardError = Pipe()
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 74)
        }
    }
}
