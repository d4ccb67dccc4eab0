import BSON
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
            #expect(up.errors.contains("share email null"), "\(up)")
            #expect(before.differences(to: try await ServerImage(of: database, .naturalOrder)) == [])

            let plan = try await json(["migrate", "plan"], on: database, expecting: 2)
            let last = plan["steps"]?.array?.values.last?.document
            #expect(last?["blockers"]?.array?.count == 2)

            let rest = try await Tool.run(["migrate", "up", "--to", "5", "--yes", "--offline"] + target(database))
            #expect(rest.exitCode == 1, "\(rest)")
        }
    }

    @Test("an index of the same name that isn't unique is named too")
    func otherIndex() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await database.run([
                "createIndexes": "users", "indexes": [["key": ["username": 1], "name": "username_1"]],
            ])
            let up = try await Tool.run(["migrate", "up", "--yes", "--offline"] + target(database))
            #expect(up.exitCode == 4, "\(up)")
            #expect(up.errors.contains("username_1, which differs"), "\(up)")
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
}
