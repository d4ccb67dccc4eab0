import BSON
import Foundation
import TestSupport
import Testing

/// What `--format json` prints is what the files of `docs/schema` promise, whatever state a database is in. An independent
/// witness says so: `scripts/check_schema.py`.
@Suite("The schemas of the JSON output")
struct SchemaTests {
    /// The schema of each command's result.
    private static let schemas = [
        "check": "check", "doctor": "doctor", "explain": "explain", "seed": "change", "repair ids": "change",
        "repair references": "change",
        "repair fields": "change", "repair counts": "change", "repair guard": "change", "repair indexes": "change",
        "repair all": "change", "migrate plan": "migrate-plan",
        "migrate up": "change", "migrate down": "change", "migrate status": "migrate-status",
        "migrate validate": "migrate-validate", "migrate baseline": "change", "migrate mark": "change",
        "migrate create": "migrate-create", "migrate unlock": "migrate-unlock", "runs list": "runs-list",
        "runs show": "runs-show", "runs undo": "change", "runs pause": "runs-pause", "runs resume": "runs-pause",
        "history": "history", "check accept": "check-accepted", "check accepted": "check-accepted",
        "check unaccept": "check-accepted", "check --watch": "watch", "check history": "check-history",
        "report": "report", "sandbox start": "sandbox", "sandbox list": "sandbox", "sandbox stop": "sandbox",
        "sandbox logs": "sandbox", "sandbox snapshot": "sandbox", "sandbox restore": "sandbox",
    ]

    /// The schema of what any command prints that can't come to its end.
    private static let error = "error"

    /// Commands that change nothing.
    private static let looks = [
        ["check"], ["doctor"], ["repair", "all", "--dry-run"], ["migrate", "plan"], ["migrate", "status"],
        ["migrate", "validate"],
        ["migrate", "up", "--dry-run"], ["migrate", "down", "--dry-run"], ["runs", "list"], ["seed", "--dry-run"],
    ]

    @Test("are one for each kind of result, and none is without a command")
    func files() throws {
        #expect(try Self.fileNames() == Set(Self.schemas.values).union([Self.error]))
    }

    @Test(
        "hold for every command, from an empty database to one that is repaired, reverted and seeded",
        arguments: [TestServer.Kind.standalone, .replicaSet])
    func everyCommand(kind: TestServer.Kind) async throws {
        let used = try await withDatabase(on: kind) { database in
            var used = try await look(at: database)
            @discardableResult
            func run(_ arguments: String...) async throws -> BSONDocument {
                let printed = try await self.printed(arguments, on: database)
                used.insert(printed.schema)
                return printed.document
            }

            try await database.loadIncident()
            used.formUnion(try await look(at: database))
            for scope in ["references", "fields", "counts", "all"] { try await run("repair", scope, "--dry-run") }
            let repaired = try await run("repair", "ids", "--yes")
            let repair = try #require(repaired["run"]?.string)
            try await run("runs", "show", repair)
            try await run("runs", "undo", repair, "--dry-run")
            try await run("runs", "undo", repair, "--yes")
            try await run("runs", "show", repair)

            let block = FailCommand("update", on: "\(database.name).messages").blocking(milliseconds: 1000)
            try await kill(["migrate", "up", "--offline", "--yes"], on: database, holdingBack: block, mode: .times(1))
            used.formUnion(try await look(at: database))
            let list = try await run("runs", "list")["runs"]?.array?.values ?? []
            let killed = try #require(list.first?.document)
            #expect(killed["state"] == "killed")
            let id = try #require(killed["run"]?.string)
            for command in ["show", "pause", "resume"] { try await run("runs", command, id) }
            for lease in ["freed", "free"] {
                let unlocked = try await run("migrate", "unlock")
                #expect(unlocked["lease"]?.string == lease)
            }
            try await run("migrate", "up", "--offline", "--yes", "--wait", "60")
            for scope in ["guard", "indexes"] {
                try await run("repair", scope, "--dry-run")
                try await run("repair", scope, "--yes")
            }
            used.formUnion(try await look(at: database))
            try await run("runs", "show", id)
            for _ in 1...2 { try await run("check", "--record") }
            try await run(
                "check", "accept", "ref.dangling", "--id", "690a2300288c4984bc76f2bd", "--reason", "x", "--until",
                "forever")
            try await run("check", "--record")
            try await run("check", "accepted")
            try await run("check", "unaccept", "1")
            try await run("check", "history")
            try await run("report", "report.html")
            try await run("history", "chat_sessions", "")
            try await run("history", "messages", "5")

            try await database.update("chat_sessions", ["title": "chat 2"], ["$set": ["title": "renamed"]])
            let down = try await run("migrate", "down", "--to", "0", "--yes")
            #expect(down["left"]?.array?.isEmpty == false)
            used.formUnion(try await look(at: database))
            // The document that changed since has left step 2 half reverted, which no baseline passes over.
            try await run("migrate", "mark", "2", "applied", "--yes")
            try await run("migrate", "baseline", "6", "--dry-run")
            try await run("migrate", "baseline", "6", "--yes")
            try await run("migrate", "mark", "6", "reverted", "--yes")
            try await run("seed", "--allow-here", "--yes")
            try await run("seed", "--allow-here", "--yes", "--demo", "users=3,sessions=5,messages=50")
            used.formUnion(try await look(at: database))

            let soon = BSONValue.date(Int64(Date().timeIntervalSince1970 * 1000) + 30_000)
            try await database.update(
                "chat_admin.lease", ["_id": "lease"], ["$set": ["released": false, "expiresAt": soon]])
            for held in [["repair", "ids", "--yes"], ["migrate", "unlock"]] {
                let refused = try await printed(held, on: database, expecting: 75)
                #expect(refused.schema == Self.error)
            }
            let taken = try await run("migrate", "unlock", "--force")
            #expect(taken["lease"] == "taken")

            let made = try await StepFolder.with([:]) { folder in
                try await Tool.run(["migrate", "create", "add-x", "--steps", folder.path, "--format", "json"])
            }
            used.insert(try await Self.held(made).schema)
            used.insert(try await Self.held(Tool.run(["explain", "--format", "json"])).schema)
            // What a watch prints has a test of its own, and so have sandboxes.
            return used.union([Self.error, "watch", "sandbox"])
        }
        #expect(try Self.fileNames() == used)
    }

    @Test("hold for sandboxes")
    func sandboxes() async throws {
        try await withSandboxes { sandboxes in
            let commands: [([String], Int32)] = [
                (["start", "a", "--ttl", "1h", "--replica-set"], 0), (["start", "a"], 4), (["list"], 0),
                (["snapshot", "a", "s"], 0), (["restore", "a", "s"], 0), (["restore", "a", "t"], 4),
                (["logs", "a"], 0),
                (["stop", "a"], 0), (["list"], 0), (["shell", "a"], 4), (["stop", "a", "--purge"], 0),
            ]
            for (command, code) in commands {
                let result = try await Tool.run(
                    ["sandbox"] + command + ["--format", "json"], environment: sandboxes.environment)
                #expect(result.exitCode == code, "\(result)")
                #expect(try await Self.held(result).schema == (code == 0 ? "sandbox" : Self.error))
            }
        }
    }

    @Test("hold for steps in files that are edited, missing, out of order, half done, or have left something")
    func stepsInFiles() async throws {
        let increment = """
            [{"update": "c", "updates": [{"q": {"_id": {"$gte": 0}}, "u": {"$inc": {"n": 1}}, "multi": true}]}]
            """
        let broken = #"[{"create": "d"}, {"collMod": "d", "validationLevel": "string"}]"#
        try await withDatabase { database in
            try await database.insertJSON("c", #"{"_id": 1, "n": 0}"#, #"{"_id": 2, "n": 0}"#)
            let steps = ["001_inc.up.json": increment, "002_inc.up.json": increment, "004_bad.up.json": broken]
            try await StepFolder.with(steps) { folder in
                func run(_ arguments: String..., expecting code: Int32) async throws {
                    _ = try await printed(["migrate"] + arguments + folder.arguments, on: database, expecting: code)
                }
                func look(plan: Int32, validate: Int32) async throws {
                    try await run("plan", expecting: plan)
                    try await run("status", expecting: 0)
                    try await run("validate", expecting: validate)
                }
                try folder.write("notes.json", "{}")
                try await look(plan: 2, validate: 0)
                try await run("up", "--yes", expecting: 3)
                try await look(plan: 2, validate: 1)
                try await run("down", "--yes", expecting: 0)
                try folder.write("003_late.up.json", #"[{"ping": 1}]"#)
                try await run("mark", "4", "applied", "--yes", expecting: 0)
                try await look(plan: 2, validate: 1)
                try await run("up", "--yes", expecting: 4)
                try await run("mark", "4", "reverted", "--yes", expecting: 0)

                try await database.update("c", ["_id": 2], ["$set": ["n": 9]])
                try await run("down", "--yes", expecting: 1)
                try await look(plan: 2, validate: 1)
                try folder.write("001_inc.up.json", #"[{"ping": 1}]"#)
                try await look(plan: 4, validate: 1)
                try folder.remove("001_inc.up.json")
                try await look(plan: 4, validate: 1)
                try folder.write("005_x.up.json", "{")
                try await run("plan", expecting: 65)
            }
        }
    }

    @Test("hold for values of any kind, and for a view in a collection's place")
    func oddData() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let long = String(repeating: "x", count: 5000)
            try await database.insertJSON(
                "messages", #"{"_id": 3, "session_id": {"$numberDouble": "NaN"}, "user_id": null, "deleted": false}"#,
                #"{"_id": {"a": {"$minKey": 1}}, "session_id": "\#(long)", "user_id": [1], "deleted": false}"#,
                #"{"_id": "\#(long)", "session_id": {"b": [{}]}, "user_id": {"$undefined": true}, "deleted": null}"#)
            try await database.insertJSON(
                "users", #"{"_id": 1, "username": "Ann", "email": 3}"#, #"{"_id": 2, "username": "ann", "email": "a"}"#,
                #"{"_id": 3, "username": "ann", "email": "A"}"#)
            try await database.run(["drop": "artifacts"])
            try await database.run(["create": "artifacts", "viewOn": "messages", "pipeline": []])
            try await look(at: database)
            let check = try await printed(["check"], on: database, expecting: 1).document
            #expect(check["unchecked"]?.array?.isEmpty == false)
            _ = try await printed(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            try await look(at: database)
        }
    }

    @Test("hold for a command whose time is over")
    func timeOver() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            for command in [["check"], ["migrate", "plan"], ["repair", "all", "--yes"]] {
                _ = try await printed(command + ["--max-time", "0.000001"], on: database, expecting: 5)
            }
        }
    }

    private static let refusals: [([String], Int32)] = [
        (["nonsense"], 64), (["check", "--only", "nonsense"], 64), (["seed", "nobody"], 64),
        (["check", "--env-file", "missing.env"], 78), (["seed", "--from", "/nowhere/users.json"], 74),
        (["migrate", "plan", "--steps", "/nowhere"], 74), (["migrate", "create", "a b"], 64),
        (["check", "--uri", "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=300"], 69),
        (["repair", "--yes", "--uri", "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=300"], 69),
        (["seed", "--uri", "mongodb://192.0.2.1/"], 4),
    ]

    @Test("hold for errors without a database", arguments: refusals)
    func refused(arguments: [String], code: Int32) async throws {
        let result = try await Tool.run(arguments + ["--format", "json"])
        #expect(result.exitCode == code, "\(result)")
        #expect(try await Self.held(result).schema == Self.error)
    }

    @Test("hold for errors of a server that lets the user do nothing, or only read")
    func notAllowed() async throws {
        let server = try await TestServer.shared(.authenticated)
        try await server.withDatabase { database in
            try await database.loadIncident()
            let reader = try await server.createUser(
                "schema_\(database.name)", password: "r3ad-only",
                roles: [["role": "read", "db": .string(database.name)]])
            let stranger = server.uri(user: "root", password: "wr0ng-secret")
            for (uri, command) in [(stranger, ["check"]), (reader, ["migrate", "up", "--yes", "--offline"])] {
                let result = try await Tool.run(
                    command + ["--uri", uri, "--database", database.name, "--format", "json"])
                #expect(result.exitCode == 77, "\(result)")
                #expect(try await Self.held(result).schema == Self.error)
            }
        }
    }

    @Test("refuse what isn't promised")
    func strict() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let result = try await Tool.run(["check"] + target(database) + ["--format", "json"])
            #expect(try await Self.objections(to: result.output, "check") == "")
            let more = result.output.replacing("{", with: #"{"surprise":1,"#, maxReplacements: 1)
            #expect(try await Self.objections(to: more, "check").contains("surprise"))
            let fewer = result.output.replacing(#""clean":false,"#, with: "")
            #expect(try await Self.objections(to: fewer, "check").contains("clean"))
            #expect(try await Self.objections(to: result.output + result.output, "check").contains("one line"))
        }
    }

    // MARK: - Running commands

    /// A document that was printed, and the schema that it was held against.
    private struct Printed {
        let document: BSONDocument
        let schema: String
    }

    /// Runs a command on a database, and holds what it prints against its schema.
    private func printed(
        _ arguments: [String], on database: TestDatabase, expecting code: Int32? = nil
    ) async throws -> Printed {
        let result = try await Tool.run(arguments + target(database) + ["--format", "json"])
        if let code { #expect(result.exitCode == code, "\(arguments): \(result)") }
        return try await Self.held(result)
    }

    /// Runs all commands that change nothing.
    ///
    /// - Returns: The schemas of what they printed.
    @discardableResult
    private func look(at database: TestDatabase) async throws -> Set<String> {
        var used: Set<String> = []
        for arguments in Self.looks { used.insert(try await printed(arguments, on: database).schema) }
        return used
    }

    /// Holds what was printed against its schema.
    private static func held(_ result: ToolResult) async throws -> Printed {
        let document = try result.json()
        let schema: String
        // A result has no exit code in it.
        if let code = document["exitCode"]?.integer {
            #expect(result.exitCode == Int32(code), "\(result)")
            schema = error
        } else {
            #expect([0, 1, 2, 5].contains(result.exitCode), "\(result)")
            schema = try #require(schemas[document["command"]?.string ?? ""], "\(result)")
        }
        let objections = try await objections(to: result.output, schema)
        #expect(objections == "", "\(result)")
        return Printed(document: document, schema: schema)
    }

    /// What the witness objects to in an output; empty where it objects to nothing.
    static func objections(to output: String, _ schema: String) async throws -> String {
        let answer = try await OtherProgram.run(
            OtherProgram.python(),
            [ProjectFiles.path("scripts/check_schema.py"), ProjectFiles.path("docs/schema/\(schema).json")],
            input: output)
        let words = answer.errors
        try #require([0, 1].contains(answer.code), "the witness itself failed: \(words)")
        try #require((answer.code == 0) == words.isEmpty)
        return words
    }

    /// The names of the files in `docs/schema`.
    private static func fileNames() throws -> Set<String> {
        let names = try FileManager.default.contentsOfDirectory(atPath: try ProjectFiles.path("docs/schema"))
        return Set(names.map { $0.hasSuffix(".json") ? String($0.dropLast(5)) : $0 })
    }
}
