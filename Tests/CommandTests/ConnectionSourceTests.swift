import BSON
import Foundation
import TestSupport
import Testing

/// Every source names another database that isn't there; the error says which one won.
@Suite("Where the connection comes from")
struct ConnectionSourceTests {
    struct Sources: Sendable, CustomTestStringConvertible {
        let winner: String
        /// Where the first line says that database and server were named.
        var named: (database: String, server: String)?
        var arguments: [String] = []
        var environment: [String: String] = [:]
        var dotEnv = ""
        var yaml = ""

        var testDescription: String { winner }
    }

    /// `<uri>` stands for the server's own connection string, `<port>` for its port.
    static let cases: [Sources] = [
        Sources(
            winner: "chat-default", named: ("from --uri", "from --uri"), arguments: ["--uri", "<uri>/chat-default"]),
        Sources(
            winner: "option", named: ("from --database", "from --uri"),
            arguments: ["--uri", "<uri>/in-uri", "--database", "option"]),
        Sources(
            winner: "in-uri", arguments: ["--uri", "<uri>/in-uri"], environment: ["CHAT_ADMIN_DATABASE": "variable"]),
        Sources(
            winner: "variable",
            environment: ["CHAT_ADMIN_URI": "<uri>/in-uri", "CHAT_ADMIN_DATABASE": "variable"]),
        Sources(
            winner: "in-uri", environment: ["CHAT_ADMIN_URI": "<uri>/in-uri", "MONGO_DATABASE_NAME": "application"]),
        Sources(
            winner: "application", named: ("from MONGO_DATABASE_NAME", "from MONGO_PORT"),
            environment: ["MONGO_PORT": "<port>", "MONGO_DATABASE_NAME": "application"],
            yaml: "database: file"),
        Sources(
            winner: "environment", environment: ["MONGO_DATABASE_NAME": "environment"],
            dotEnv: "MONGO_HOST=127.0.0.1\nMONGO_PORT=<port>\nMONGO_DATABASE_NAME=dotenv"),
        Sources(
            winner: "dotenv", named: ("from MONGO_DATABASE_NAME in .env", "from MONGO_HOST in .env"),
            dotEnv: "MONGO_HOST=127.0.0.1\nMONGO_PORT=<port>\nMONGO_DATABASE_NAME=dotenv"),
        Sources(
            winner: "file", named: ("from `database` in chat-admin.yaml", "from `uri` in chat-admin.yaml"),
            yaml: "uri: <uri>/in-uri\ndatabase: file"),
        Sources(winner: "in-uri", yaml: "uri: <uri>/in-uri"),
        // White space is cut off.
        Sources(winner: "trimmed", arguments: ["--uri", " <uri>/\n", "--database", " trimmed\n"]),
        Sources(
            winner: "trimmed", environment: ["CHAT_ADMIN_URI": "<uri>\r\n", "CHAT_ADMIN_DATABASE": "\ttrimmed\n"]),
        Sources(
            winner: "trimmed",
            environment: ["MONGO_HOST": " 127.0.0.1\n", "MONGO_PORT": "<port> ", "MONGO_DATABASE_NAME": "trimmed\n"]),
        Sources(winner: "trimmed", yaml: "\u{FEFF}uri: ' <uri> '\r\ndatabase: \"trimmed\\n\"\r\n"),
        Sources(winner: "tabs", dotEnv: "\u{FEFF}export\tMONGO_PORT=<port>\r\n'MONGO_DATABASE_NAME'='tabs'\r\n"),
        // What Kubernetes injects for services that are called mongo and chat-admin.
        Sources(
            winner: "service",
            environment: [
                "MONGO_PORT": "tcp://10.0.0.1:27017", "MONGO_SERVICE_HOST": "10.0.0.1", "MONGO_SERVICE_PORT": "27017",
                "MONGO_PORT_27017_TCP": "tcp://10.0.0.1:27017", "CHAT_ADMIN_PORT": "tcp://10.0.0.2:80",
                "CHAT_ADMIN_SERVICE_HOST": "10.0.0.2", "CHAT_ADMIN_SERVICE_PORT_HTTP": "80",
                "CHAT_ADMIN_PORT_80_TCP_ADDR": "10.0.0.2",
            ], dotEnv: "MONGO_PORT=<port>\nMONGO_DATABASE_NAME=service"),
        // An empty password means no authentication, also where `.env` has another; this server takes none.
        Sources(
            winner: "open",
            environment: ["MONGO_PASSWORD": " ", "MONGO_USERNAME": "somebody", "MONGO_DATABASE_NAME": "open"],
            dotEnv: "MONGO_PORT=<port>\nMONGO_PASSWORD=secret"),
        // Another program's variables are no business of this one's, nor a line that can't be understood.
        Sources(winner: "own", dotEnv: "MONGO_PORT=<port>\nMONGO_DATABASE_NAME=own\nMONGO_INITDB_ROOT_USERNAME='x\n"),
    ]

    /// What is refused, and what is to be written instead.
    static let refused:
        [(arguments: [String], environment: [String: String], dotEnv: String, yaml: String, words: String)] = [
            ([], [:], "", "url: <uri>", "line 1: the key `url` isn't known. Write `uri`."),
            ([], [:], "", "uri: <uri>\ndb: chat", "line 2: the key `db` isn't known. Write `database`."),
            ([], [:], "", "uri: [<uri>]", "line 1: `uri` has to be text"),
            ([], [:], "", "uri: <uri>\nuri: <uri>", "line 2: `uri` stands there twice"),
            ([], ["CHAT_ADMIN_DATABSE": "chat"], "", "", "CHAT_ADMIN_DATABSE isn't known. Write CHAT_ADMIN_DATABASE."),
            ([], ["chat_admin_uri": "<uri>"], "", "", "chat_admin_uri isn't known. Write CHAT_ADMIN_URI."),
            ([], [:], "CHAT_ADMIN_URL=<uri>", "", "CHAT_ADMIN_URL in .env isn't known. Write CHAT_ADMIN_URI."),
            (["--env-file", ".env"], [:], "MONGODB_URI=<uri>", "", "`MONGODB_URI` is perhaps meant as CHAT_ADMIN_URI"),
            (["--env-file", ".env"], [:], "A=1", "", "sets none of the variables that are read"),
            ([], [:], "MONGODB_URI=<uri>", "", "MONGODB_URI in .env names a MongoDB, but isn't read"),
            ([], ["DATABASE_URL": "<uri>"], "", "", "DATABASE_URL names a MongoDB, but isn't read"),
            ([], [:], "MONGO_HOST='never closed", "", "line 1: the value of MONGO_HOST"),
            (
                [], [:], "mongo_host=db\nMONGO_PORT=9", "",
                "mongo_host in .env isn't read: names are in capital letters."
            ),
            ([], ["Mongo_Host": "db"], "MONGO_PORT=9", "", "Mongo_Host isn't read"),
            ([], [:], "MONGO_HOST: db\nMONGO_PORT=9", "", "line 1: write MONGO_HOST=… instead of a colon."),
            ([], [:], "MONGO_PORT=9\nMONGO_DB=x", "", "sets MONGO_DB, which isn't read, and no MONGO_DATABASE_NAME."),
            ([], [:], "MONGO_PORT=9\nMONGODB_HOST=x", "", "sets MONGODB_HOST, which isn't read, and no MONGO_HOST."),
            ([], [:], "MONGO_HOST=${HOST}", "", "MONGO_HOST names another variable"),
            ([], [:], "MONGO_PORT=tcp://10.0.0.1:27017", "", "MONGO_PORT in .env must be a number"),
            ([], ["CHAT_ADMIN_DATABASE": "a\u{200B}b"], "", "", "CHAT_ADMIN_DATABASE: A database's name can't contain"),
            ([], ["CHAT_ADMIN_DATABASE": "a\nb"], "", "", "U+A"), ([], ["MONGO_HOST": "a,b"], "", "", "several hosts"),
        ]

    @Test("what can't be understood is refused, with what to write", arguments: refused)
    func refuses(
        arguments: [String], environment: [String: String], dotEnv: String, yaml: String, words: String
    ) async throws {
        let fill = { (text: String) in text.replacing("<uri>", with: "mongodb://127.0.0.1:9") }
        let folder = FileManager.default.temporaryDirectory.appending(path: "chat-admin-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in [(".env", dotEnv), ("chat-admin.yaml", yaml)] where !text.isEmpty {
            try Data(fill(text).utf8).write(to: folder.appending(path: name))
        }
        let result = try await Tool.run(
            ["check"] + arguments, environment: environment.mapValues(fill), in: folder.path)
        #expect(result.exitCode == 78, "\(result)")
        #expect(result.errors.contains(words), "\(result)")
    }

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
        let line = String(result.errors.prefix { $0 != "\n" })
        #expect(line.hasPrefix("Database \(sources.winner) ") && line.contains(":\(server.port)"), "\(result)")
        guard let named = sources.named else { return }
        let host = "127.0.0.1:\(server.port)"
        #expect(
            line
                == (named.database == named.server
                    ? "Database \(sources.winner) at \(host) (\(named.server))."
                    : "Database \(sources.winner) (\(named.database)) at \(host) (\(named.server))."))
    }

    @Test("is said in every result, and not where quiet is wanted", arguments: TestServer.Kind.allCases)
    func place(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            for command in [
                ["check"], ["migrate", "plan"], ["repair", "counts", "--dry-run"], ["runs", "show", "x"],
            ] {
                let result = try await Tool.run(command + target(database) + ["--format", "json", "--quiet"])
                let server = try #require(result.json()["server"]?.document, "\(result)")
                #expect(server["databaseFrom"] == "--database" && server["from"] == "--uri", "\(result)")
                let topology = kind == .replicaSet ? "replicaSet" : "standalone"
                #expect(server["topology"]?.string == topology && server["version"]?.string?.isEmpty == false)
                #expect(server["hosts"]?.array?.values.first?.string?.hasPrefix("127.0.0.1:") == true)
                #expect(!result.errors.contains("Database \(database.name)"), "\(result)")
            }
            let secret = try await Tool.run(
                ["check", "--uri", "mongodb://somebody:hunter2@127.0.0.1:1/x?serverSelectionTimeoutMS=100"])
            #expect(secret.errors.hasPrefix("Database x at 127.0.0.1:1 (from --uri).\n"), "\(secret)")
            #expect(!secret.errors.contains("hunter2"))
        }
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
        // A password without a user's name is admin's; there is no such user here.
        let admin = try await Tool.run(["check", "-v"], environment: variables.filter { $0.key != "MONGO_USERNAME" })
        #expect(admin.exitCode == 77, "\(admin)")
    }
}
