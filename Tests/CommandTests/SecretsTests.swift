import TestSupport
import Testing

@testable import chat_admin

@Suite("What may be a password is never printed")
struct SecretsTests {
    static let secret = "hunter2"

    /// Command lines with the secret in them where people put it by mistake, and what is said instead.
    static let lines: [(String, Int32, String)] = [
        ("check --password-file hunter2", 74, "--password-file"),
        ("check --password-file=hunter2", 74, "--password-file"),
        ("check hunter2", 64, "number 2"), ("check --password hunter2", 64, "'--password'"),
        ("check --password=hunter2", 64, "'--password'"), ("check -p hunter2", 64, "'-p'"),
        ("check -phunter2", 64, "number 2"), ("check -pwhunter2", 64, "number 2"), ("check -q=hunter2", 64, "number 2"),
        ("check --quiet=hunter2", 64, "number 2"), ("check -- -hunter2", 64, "number 3"),
        ("runs show a hunter2 b", 64, "number 4"), ("migrate up hunter2", 64, "number 3"),
        ("--password-file hunter2 check", 64, "--password-file"), ("check --uri hunter2", 64, "--uri"),
        ("check --uri mongodb://u:hunter2@h:99999/", 64, "--uri"), ("check --uri=mongodb:/u:hunter2@h", 64, "--uri"),
        ("check u:hunter2@h", 64, "number 2"), ("check --database u:hunter2@h", 64, "--database"),
        ("check --database mongodb://u:hunter2@h/", 64, "--database"),
        ("check --uri mongodb://u:hunter2@127.0.0.1:9/?authMechanism=PLAIN", 64, "tls=true"),
    ]

    @Test("on a command line", arguments: lines)
    func arguments(line: String, code: Int32, words: String) async throws {
        for format in ["text", "json"] {
            let result = try await Tool.run(line.split(separator: " ").map(String.init) + ["--format", format])
            #expect(result.exitCode == code, "\(result)")
            #expect(result.errors.contains(words), "\(result)")
            #expect(!result.errors.contains(Self.secret) && !result.output.contains(Self.secret), "\(result)")
        }
    }

    /// The same for variables.
    static let environments: [([String: String], String)] = [
        (["CHAT_ADMIN_URI": "u:hunter2@h"], "CHAT_ADMIN_URI"), (["CHAT_ADMIN_URI": "hunter2"], "CHAT_ADMIN_URI"),
        (["CHAT_ADMIN_URI": "mongodb://u:hunter2@h:99999"], "CHAT_ADMIN_URI"),
        (["CHAT_ADMIN_DATABASE": "u:hunter2@h"], "CHAT_ADMIN_DATABASE"),
        (["CHAT_ADMIN_PASSWORD": "hunter2"], "Write MONGO_PASSWORD"),
        (["CHAT_ADMIN_URL": "hunter2"], "Write CHAT_ADMIN_URI"),
        (["MONGO_HOST": "mongodb://u:hunter2@h"], "MONGO_HOST holds a connection string"),
        (["MONGO_HOST": "u:hunter2@h"], "MONGO_HOST"),
        (["MONGO_HOST": "h", "MONGO_PORT": "hunter2"], "MONGO_PORT must be"),
        (["MONGO_DATABASE_NAME": "u:hunter2@h"], "MONGO_DATABASE_NAME"),
        (["MONGODB_URI": "mongodb://u:hunter2@h"], "MONGODB_URI names a MongoDB"),
    ]

    @Test("in the environment", arguments: environments)
    func environment(variables: [String: String], words: String) async throws {
        let result = try await Tool.run(["check", "-v", "-v"], environment: variables)
        #expect(result.exitCode == 78, "\(result)")
        #expect(result.errors.contains(words), "\(result)")
        #expect(!result.errors.contains(Self.secret) && !result.output.contains(Self.secret), "\(result)")
    }

    @Test("nor recorded with a run")
    func recorded() {
        let given = [
            "seed", "--password-file", "hunter2", "--password-file=hunter2", "--uri=mongodb://u:hunter2@h", "alice",
        ]
        #expect(
            SecretArguments.recorded(given)
                == ["seed", "--password-file", "***", "--password-file=***", "--uri=***", "alice"])
    }
}
