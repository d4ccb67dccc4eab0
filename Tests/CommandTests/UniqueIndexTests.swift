import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("Unique indexes (step 6)")
struct UniqueIndexTests {
    @Test("duplicates are named before anything is touched", arguments: TestServer.Kind.allCases)
    func duplicates(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            try await database.insertJSON(
                "users",
                #"{"_id": {"$oid": "6909dcb02291d8cdc3104001"}, "username": "user3", "email": "new@example.com"}"#,
                #"{"_id": {"$oid": "6909dcb02291d8cdc3104002"}, "username": "nomail"}"#,
                #"{"_id": {"$oid": "6909dcb02291d8cdc3104003"}, "username": "nomail2", "email": null}"#)
            let before = try await ServerImage(of: database, .naturalOrder)
            let up = try await Tool.run(["migrate", "up", "--yes", "--offline"] + target(database))
            #expect(up.exitCode == 4, "\(up)")
            #expect(up.errors.contains(#"2 documents share username "user3""#), "\(up)")
            #expect(!up.errors.contains("share email"), "\(up)")
            #expect(before.differences(to: try await ServerImage(of: database, .naturalOrder)) == [])

            let plan = try await json(["migrate", "plan"], on: database, expecting: 2)
            let last = plan["steps"]?.array?.values.last?.document
            #expect(last?["blockers"]?.array?.count == 1)

            let rest = try await Tool.run(["migrate", "up", "--to", "5", "--yes", "--offline"] + target(database))
            #expect(rest.exitCode == 1, "\(rest)")
        }
    }

    @Test("beside an index of the same name that isn't unique one of another name is made, where the server lets it")
    func otherIndex() async throws {
        for version in ServerVersion.canRunOthers ? [.standard, .mongo44] : [ServerVersion.standard] {
            try await withDatabase(version: version) { database in
                try await database.loadIncident()
                try await database.run([
                    "createIndexes": "users", "indexes": [["key": ["username": 1], "name": "username_1"]],
                ])
                let up = try await Tool.run(["migrate", "up", "--yes", "--offline"] + target(database))
                let isRefused = version == .mongo44
                #expect(up.exitCode == (isRefused ? 4 : 1), "\(up)")
                #expect(up.errors.contains("username_1, which the server lets no other stand beside") == isRefused)
                let indexes = try await database.withClient { try await $0.listIndexes(database.namespace("users")) }
                let names = indexes.compactMap { $0["name"]?.string }.filter { $0.hasPrefix("username") }
                #expect(names.sorted() == (isRefused ? ["username_1"] : ["username_1", "username_1_unique"]))
            }
        }
    }

    @Test(
        "ids are repaired though a unique index forbids a copy beside the original", arguments: TestServer.Kind.allCases
    )
    func repairUnderUniqueIndex(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            try await database.run([
                "createIndexes": "chat_sessions",
                "indexes": [["key": ["title": 1], "name": "title_1", "unique": true]],
            ])
            let before = try await application(database)
            let repair = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            #expect(try await IncidentTruth.fixture.verify(database) == [])
            let run = try #require(repair["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            #expect(try await application(database) == before)
        }
    }

    @Test(
        "users without a name, or with null, don't stand in the way, and text is kept unique", arguments: [false, true])
    func nameless(hasEarlier: Bool) async throws {
        for version in ServerVersion.canRunOthers ? [.standard, .mongo44] : [ServerVersion.standard] {
            try await withDatabase(version: version) { database in
                try await database.insertJSON(
                    "users",
                    #"{"_id": {"$oid": "6909dcb02291d8cdc3104001"}, "username": "a", "email": "a@example.com"}"#,
                    #"{"_id": {"$oid": "6909dcb02291d8cdc3104002"}, "email": "b@example.com"}"#)
                if hasEarlier {
                    // As an earlier version of this tool made them.
                    try await database.run([
                        "createIndexes": "users",
                        "indexes": [
                            ["key": ["username": 1], "name": "username_1", "unique": true],
                            ["key": ["email": 1], "name": "email_1", "unique": true],
                        ],
                    ])
                } else {
                    try await database.insertJSON(
                        "users", #"{"_id": {"$oid": "6909dcb02291d8cdc3104003"}, "username": null}"#,
                        #"{"_id": {"$oid": "6909dcb02291d8cdc3104004"}, "username": 7}"#,
                        #"{"_id": {"$oid": "6909dcb02291d8cdc3104005"}, "username": 7}"#)
                }
                let up = try await Tool.run(["migrate", "up", "--yes", "--offline"] + target(database))
                #expect([0, 1].contains(up.exitCode), "\(up)")
                let indexes = try await database.withClient { try await $0.listIndexes(database.namespace("users")) }
                #expect(indexes.count == 3)
                let condition = indexes.first { $0["name"] == "username_1" }?["partialFilterExpression"]
                #expect(condition == (hasEarlier ? nil : .document(["username": ["$gte": ""]])))
                await #expect(throws: (any Error).self) {
                    try await database.insertJSON(
                        "users", #"{"_id": {"$oid": "6909dcb02291d8cdc3104006"}, "username": "a"}"#)
                }
                // Who logs in is looked up in it.
                let explanation = try await database.run([
                    "explain": ["find": "users", "filter": ["username": "a"]], "verbosity": "queryPlanner",
                ])
                #expect(explanation.debugDescription.contains("IXSCAN"), "\(explanation.debugDescription)")
                let check = try await Tool.run(["check", "--format", "json"] + target(database))
                #expect(!check.output.contains("index.missing"), "\(check)")
                _ = try await json(["migrate", "down", "--to", "0", "--yes"], on: database, expecting: 0)
                let left = try await database.withClient { try await $0.listIndexes(database.namespace("users")) }
                #expect(left.count == (hasEarlier ? 3 : 1))
            }
        }
    }

    @Test("an index of the application's own that ignores case stands beside, whatever it is called")
    func ignoringCase() async throws {
        for version in ServerVersion.canRunOthers ? [.standard, .mongo44] : [ServerVersion.standard] {
            try await withDatabase(version: version) { database in
                try await database.insertJSON(
                    "users",
                    #"{"_id": {"$oid": "6909dcb02291d8cdc3104001"}, "username": "a", "email": "a@example.com"}"#)
                try await database.run([
                    "createIndexes": "users",
                    "indexes": [
                        [
                            "key": ["username": 1], "name": "username_1", "unique": true,
                            "collation": ["locale": "en", "strength": 2],
                        ]
                    ],
                ])
                let up = try await Tool.run(["migrate", "up", "--yes", "--offline"] + target(database))
                #expect([0, 1].contains(up.exitCode), "\(up)")
                let indexes = try await database.withClient { try await $0.listIndexes(database.namespace("users")) }
                #expect(indexes.count { $0["key"] == ["username": 1] && $0["unique"] == true } == 2)
            }
        }
    }
}
