import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

@Suite("Steps in files")
struct FileStepTests {
    /// Four steps and their downs, as golang-migrate's users write them.
    static let shop = [
        "001_create_user.up.json": #"[{"createUser": "NAME", "pwd": "s3cr3t-of-the-step", "roles": []}]"#,
        "001_create_user.down.json": #"[{"dropUser": "NAME"}]"#,
        "002_indexes.up.json": """
        [{"createIndexes": "users", "indexes": [
            {"key": {"username": 1}, "name": "unique_username", "unique": true},
            {"key": {"born": {"$numberInt": "-1"}}, "name": "by_born"}]}]
        """,
        "002_indexes.down.json": #"[{"dropIndexes": "users", "index": ["unique_username", "by_born"]}]"#,
        "003_set_status.up.json": """
        [{"update": "users", "updates": [
            {"q": {"status": {"$exists": false}}, "u": {"$set": {"status": "active"}}, "multi": true}]}]
        """,
        "003_set_status.down.json": """
        [{"update": "users", "updates": [
            {"q": {"status": "active"}, "u": {"$unset": {"status": ""}}, "multi": true}]}]
        """,
        "004_full_name.up.json": """
        [{"aggregate": "users", "pipeline": [
            {"$project": {"username": 1, "born": 1, "status": 1, "full_name": {"$concat": ["$first", " ", "$last"]}}},
            {"$out": "users"}], "cursor": {}}]
        """,
        "004_full_name.down.json": """
        [{"update": "users", "updates": [
            {"q": {"full_name": {"$exists": true}}, "u": [{"$set": {"first": "$full_name"}}], "multi": true}]}]
        """,
    ]

    /// The same with a user of the test's own: users belong to the server.
    static func shop(_ database: TestDatabase) -> [String: String] {
        shop.mapValues { $0.replacingOccurrences(of: "NAME", with: "user-of-\(database.name)") }
    }

    static func loadUsers(_ database: TestDatabase, count: Int = 1200) async throws {
        try await database.load(
            "users",
            (0..<count).map { number in
                [
                    "_id": .int32(Int32(number)), "username": .string("u\(number)"), "first": "F",
                    "last": .string("L\(number)"), "born": .int64(Int64(number)),
                ]
            })
    }

    @Test("of golang-migrate's kind are planned, applied and reverted", arguments: TestServer.Kind.allCases)
    func wholeWay(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.loadUsers(database)
            let start = try await database.all("users")
            try await StepFolder.with(Self.shop(database)) { folder in
                let plan = try await json(["migrate", "plan"] + folder.arguments, on: database, expecting: 2)
                let operations = (plan["steps"]?.array?.values ?? []).compactMap { step in
                    step.document?["operations"]?.array?.values.first?.document
                }
                #expect(operations.map { $0["risk"]?.string } == ["safe", "careful", "careful", "dangerous"])
                #expect(operations.map { $0["matched"]?.integer } == [1, 2, 1200, 1200])
                #expect(operations.map { $0["access"]?.string } == ["index", "scan", "scan", "scan"])
                #expect(operations[2]["samples"]?.array?.count == 5)

                let up = ["migrate", "up", "--yes"] + folder.arguments
                let refused = try await json(up, on: database, expecting: 4)
                #expect(refused["error"]?.string?.contains("Step 4 (full_name) can lose data") == true)
                #expect(
                    try await database.names().filter { $0.hasPrefix("chat_admin.") && $0 != "chat_admin.lease" } == [])

                let applied = try await json(up + ["--allow-dangerous"], on: database, expecting: 0)
                #expect(applied["steps"]?.array?.count == 4)
                let users = try await database.all("users")
                #expect(users.count == 1200)
                #expect(users[7]["full_name"]?.string == "F L7" && users[7]["status"]?.string == "active")
                #expect(users[7]["first"] == nil)
                try await Self.expectNoSecret(database)

                let down = ["migrate", "down", "--yes", "--to"] + ["3"] + folder.arguments
                _ = try await json(down, on: database, expecting: 0)
                #expect(try await database.all("users")[7]["first"]?.string == "F L7")
                _ = try await json(
                    ["migrate", "down", "--yes", "--to", "0"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.find("users", ["status": ["$exists": true]]).isEmpty)
                #expect(try await Self.indexNames("users", database) == ["_id_"])

                // Up again, and back from the journal: the documents are as they were, but for what the downs left.
                let again = try await json(up + ["--allow-dangerous"], on: database, expecting: 0)
                let before = try await database.all("users")
                #expect(before != start)
                let run = try #require(again["run"]?.string)
                let undo = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 1)
                #expect(undo.counts(of: "left", "count") == ["step 1": ["chat_admin.migrations": 1]])
                let status = try await json(["migrate", "status"] + folder.arguments, on: database, expecting: 0)
                #expect(Self.states(status) == ["applied", "reverted", "reverted", "reverted"])
                _ = try await database.run(["dropUser": .string("user-of-\(database.name)")])
            }
        }
    }

    @Test(
        "that replace or drop a whole collection are undone exactly: documents, options, indexes",
        arguments: TestServer.Kind.allCases)
    func undoDestruction(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.run(["create": "words", "collation": ["locale": "de", "strength": 1]])
            try await database.run([
                "createIndexes": "words",
                "indexes": [["key": ["a": 1, "b": -1], "name": "ab", "sparse": true]],
            ])
            try await database.insertJSON(
                "words", #"{"_id": {"$numberDouble": "1.0"}, "z": 1, "a": {"$numberLong": "5"}}"#,
                #"{"_id": {"a": null}, "a": "x"}"#, #"{"_id": null}"#)
            try await Self.loadUsers(database)
            let (words, users) = (try await database.all("words"), try await database.all("users"))
            let catalogue = try await Catalogue(database)
            let steps = [
                "001_drop.up.json": #"[{"drop": "words"}]"#,
                "002_out.up.json": """
                [{"aggregate": "users", "pipeline": [
                    {"$match": {"_id": {"$gte": 100}}},
                    {"$unionWith": {"coll": "users", "pipeline": [{"$set": {"_id": {"$add": ["$_id", 5000]}}}]}},
                    {"$out": "users"}], "cursor": {}}]
                """,
            ]
            try await StepFolder.with(steps) { folder in
                let up = try await json(
                    ["migrate", "up", "--yes", "--allow-dangerous"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.all("users").count == 2300)
                let run = try #require(up["run"]?.string)
                _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
                #expect(try await database.all("words") == words)
                #expect(try await database.all("users") == users)
                #expect(try await Catalogue(database) == catalogue)
            }
        }
    }

    @Test(
        "leave alone, when they are undone, what the application has changed since", arguments: TestServer.Kind.allCases
    )
    func undoAfterChange(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.loadUsers(database, count: 20)
            let steps = [
                "001_out.up.json": """
                [{"aggregate": "users", "pipeline": [{"$set": {"new": true}}, {"$out": "users"}], "cursor": {}}]
                """
            ]
            try await StepFolder.with(steps) { folder in
                let up = try await json(
                    ["migrate", "up", "--yes", "--allow-dangerous"] + folder.arguments, on: database, expecting: 0)
                try await database.update("users", ["_id": 3], ["$set": ["last_login": "today"]])
                try await database.insertJSON("users", #"{"_id": 99, "username": "late"}"#)
                let run = try #require(up["run"]?.string)
                let undo = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 1)
                #expect(undo.counts(of: "left", "count") == ["aggregate": ["users": 1]])
                let users = try await database.all("users")
                #expect(users.count == 21)
                #expect(users[3]["last_login"]?.string == "today" && users[3]["new"]?.bool == true)
                #expect(users.filter { $0["new"] != nil }.count == 1)
                #expect(users[20]["username"]?.string == "late")
            }
        }
    }

    @Test("too large for the journal are carried out without it, and the plan says so")
    func journalLimit() async throws {
        try await withDatabase { database in
            try await Self.loadUsers(database, count: 100)
            try await StepFolder.with(["001_drop.up.json": #"[{"drop": "users"}]"#]) { folder in
                let small = folder.arguments + ["--journal-limit", "1KB"]
                let plan = try await Tool.run(["migrate", "plan"] + small + target(database))
                #expect(plan.output.contains("documents can't be restored"))
                let up = try await json(
                    ["migrate", "up", "--yes", "--allow-dangerous"] + small, on: database, expecting: 0)
                #expect(try await database.all("users").isEmpty)
                let run = try #require(up["run"]?.string)
                let undo = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 1)
                #expect(undo.counts(of: "left", "count") == ["step 1": ["chat_admin.migrations": 1]])
            }
        }
    }

    @Test(
        "lose nothing that an application writes to the same documents meanwhile", arguments: TestServer.Kind.allCases)
    func liveWriter(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.loadUsers(database, count: 3000)
            let step =
                #"[{"update": "users", "updates": [{"q": {"_id": {"$gte": 0}}, "u": {"$inc": {"n": 1000}}, "multi": true}]}]"#
            try await StepFolder.with(["001_inc.up.json": step]) { folder in
                let arguments = ["migrate", "up", "--yes"] + folder.arguments + target(database)
                let (result, written) = try await Tool.start(arguments) { tool in
                    var written = 0
                    try await database.withClient { client in
                        while tool.isRunning {
                            let id = Int32((written * 7919) % 3000)
                            try await client.bulkWrite(
                                database.namespace("users"),
                                [.updateOne(filter: ["_id": .int32(id)], update: ["$inc": ["n": 1]])],
                                concern: .acknowledged)
                            written += 1
                        }
                    }
                    return written
                }
                #expect(result.exitCode == 0, "\(result)")
                #expect(written > 0)
                let sum = try await database.all("users").reduce(0) { $0 + Int($1["n"]?.integer ?? 0) }
                #expect(sum == 3000 * 1000 + written)
            }
        }
    }

    private static func states(_ status: BSONDocument) -> [String] {
        (status["steps"]?.array?.values ?? []).compactMap { $0.document?["state"]?.string }
    }

    static func indexNames(_ collection: String, _ database: TestDatabase) async throws -> [String] {
        try await database.withClient { client in
            try await client.listIndexes(database.namespace(collection)).compactMap { $0["name"]?.string }.sorted()
        }
    }

    private static func expectNoSecret(_ database: TestDatabase) async throws {
        for name in try await database.names() where name.hasPrefix("chat_admin.") {
            for document in try await database.all(name) {
                #expect(!(try ExtendedJSON.canonical(document)).contains("s3cr3t"), "\(name)")
            }
        }
    }
}
