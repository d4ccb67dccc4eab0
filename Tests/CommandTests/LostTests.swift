import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("What an applied step made, and somebody dropped")
struct LostTests {
    @Test("is named by check with the command that puts it back, which does, and can be undone")
    func guards() async throws {
        try await withDatabase { database in
            try await Self.prepare(database)
            let before = try await Catalogue(database)
            try await database.run(["drop": "artifacts"])
            try await database.run(["create": "artifacts"])
            try await database.run(["collMod": "messages", "validator": [:]])
            try await #expect(
                Self.advice(database) == ["guard.missing": ["repair guard"], "index.missing": ["repair indexes"]])

            let plan = try await json(["repair", "guard", "--dry-run"], on: database, expecting: 0)
            #expect(plan.counts(of: "changes", "changed") == ["validator": ["artifacts": 1, "messages": 1]])
            let guards = try await json(["repair", "guard", "--yes"], on: database, expecting: 0)
            #expect(guards.counts(of: "changes", "changed") == ["validator": ["artifacts": 1, "messages": 1]])
            _ = try await json(["repair", "indexes", "--yes"], on: database, expecting: 0)
            try await #expect(Catalogue(database) == before)
            try await #expect(Self.advice(database) == [:])

            let run = try #require(guards["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            try await #expect(Self.advice(database) == ["guard.missing": ["repair guard"]])
            _ = try await json(["repair", "--yes", "--offline"], on: database, expecting: 0)
            try await #expect(Catalogue(database) == before)
            // What the steps changed is still theirs to revert.
            _ = try await json(["migrate", "down", "--to", "0", "--yes"], on: database, expecting: 0)
            try await #expect(
                Self.advice(database) == ["guard.missing": ["migrate up"], "index.missing": ["migrate up"]])
        }
    }

    @Test("is put back by `repair all` too, in one run")
    func all() async throws {
        try await withDatabase { database in
            try await Self.prepare(database)
            let before = try await Catalogue(database)
            try await database.run(["collMod": "users", "validator": [:]])
            try await database.run(["dropIndexes": "messages", "index": "*"])
            try await database.run(["dropIndexes": "users", "index": "email_1"])
            let repair = try await json(["repair", "all", "--yes", "--offline"], on: database, expecting: 0)
            let changes = repair.counts(of: "changes", "changed")
            #expect(changes["validator"] == ["users": 1] && changes["create index"]?["users"] == 1, "\(changes)")
            try await #expect(Catalogue(database) == before)
        }
    }

    @Test("isn't confused with what a step that isn't applied would make")
    func notApplied() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            for what in ["guard", "indexes"] {
                let refused = try await Tool.run(["repair", what, "--yes"] + target(database))
                #expect(refused.exitCode == 4 && refused.errors.contains("`migrate up --to"), "\(refused)")
                let plan = try await Tool.run(["repair", what, "--dry-run"] + target(database))
                #expect(plan.exitCode == 4, "\(plan)")
            }
            _ = try await json(["repair", "all", "--yes", "--offline"], on: database, expecting: 1)
            let names = try await database.withClient { try await $0.listIndexes(database.namespace("messages")) }
            #expect(names.count == 1)
            try await #expect(Self.advice(database)["guard.missing"] == ["migrate up"])
        }
    }

    @Test("is left, and named, where the data stand in its way")
    func blocked() async throws {
        try await withDatabase { database in
            try await Self.prepare(database)
            try await database.run(["dropIndexes": "users", "index": "username_1"])
            try await database.run(["dropIndexes": "messages", "index": "*"])
            let user = try #require(try await database.all("users").first)
            var twin = user.replacing("_id", with: .objectID(ObjectID(timestamp: 5)))
            twin = twin.replacing("email", with: "twin@example.org")
            try await database.load("users", [twin])
            let plan = try await json(["repair", "indexes", "--dry-run"], on: database, expecting: 0)
            let repair = try await json(["repair", "indexes", "--yes"], on: database, expecting: 1)
            #expect(plan["left"] == repair["left"] && plan["changes"] == repair["changes"], "\(plan) \(repair)")
            #expect(repair.counts(of: "left", "count") == ["index.missing": ["users": 1]], "\(repair)")
            #expect(repair.debugDescription.contains("username_1"), "\(repair)")
            #expect(repair.counts(of: "changes", "changed")["create index"]?["messages"] != nil, "\(repair)")
        }
    }

    @Test("is left by `repair all` where the user may not set it, and the rest is mended")
    func withoutRole() async throws {
        let server = try await TestServer.shared(.authenticated)
        try await server.withDatabase { database in
            try await Self.prepare(database)
            try await database.run(["collMod": "chat_sessions", "validator": [:]])
            try await database.update("chat_sessions", [:], ["$set": ["message_count": 7]])
            try await database.load("chat_sessions", [Sample.session(["_id": "", "message_count": 4])])
            let uri = try await server.createUser(
                "writer_of_\(database.name)", password: "x",
                roles: [["role": "readWrite", "db": .string(database.name)]])
            let arguments = ["--yes", "--offline", "--zero-counts", "--uri", uri, "--database", database.name]
            let all = try await Tool.run(["repair", "all"] + arguments)
            #expect(all.exitCode == 1 && all.output.contains("`repair guard` needs the role dbAdmin too"), "\(all)")
            try await #expect(database.count("chat_sessions", ["_id": ""]) == 0)
            let guarded = try await Tool.run(
                ["repair", "guard"] + arguments.filter { !["--offline", "--zero-counts"].contains($0) })
            #expect(guarded.exitCode == 77, "\(guarded)")
        }
    }

    private static func prepare(_ database: TestDatabase) async throws {
        _ = try await json(["seed", "--yes"], on: database, expecting: 0)
        _ = try await json(["migrate", "up", "--yes", "--offline"], on: database, expecting: 0)
    }

    /// What a check advises against each warning.
    private static func advice(_ database: TestDatabase) async throws -> [String: Set<String>] {
        let check = try await json(["check", "--only", "guard,index"], on: database, expecting: 0)
        return (check["findings"]?.array?.values ?? []).compactMap(\.document).reduce(into: [:]) {
            $0[$1["code"]?.string ?? "", default: []].insert($1["repair"]?.string ?? "")
        }
    }
}
