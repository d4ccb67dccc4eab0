import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("The main job")
struct MainJobTests {
    @Test(
        "the incident is checked, planned, repaired and clean, and nothing is lost", arguments: TestServer.Kind.allCases
    )
    func incident(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            let truth = try IncidentTruth.fixture

            let before = try await json(["check"], on: database, expecting: 1)
            #expect(before["clean"]?.bool == false)
            expectFindings(before, truth.expectedFindings)

            let plan = try await json(["migrate", "plan"], on: database, expecting: 2)
            #expect(plan["steps"]?.array?.count == 6)

            let up = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 1)
            #expect(up["run"]?.string.flatMap { ObjectID(hex: $0) } != nil)
            #expect(up["dryRun"]?.bool == false)
            let states = (up["steps"]?.array?.values ?? []).compactMap { $0.document?["state"]?.string }
            #expect(states == Array(repeating: "applied", count: 6))
            #expect(up.counts(of: "left", "count") == ["ref.empty": ["messages": 1], "ref.dangling": ["messages": 1]])
            #expect(try await truth.verify(database) == [])

            let after = try await json(["check"], on: database, expecting: 1)
            #expect(after.counts(of: "findings", "count") == up.counts(of: "left", "count"))

            let again = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 1)
            #expect(again["run"]?.isNull == true)
            #expect(again["changes"]?.array?.isEmpty == true)
        }
    }

    @Test("down to 0 restores every document, index and validator", arguments: TestServer.Kind.allCases)
    func down(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            try await database.run([
                "collMod": "messages", "validator": ["content": ["$type": "string"]], "validationLevel": "strict",
                "validationAction": "error",
            ])
            let before = try await application(database)
            let catalogue = try await Catalogue(database)
            _ = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 1)
            #expect(try await application(database) != before)

            let down = try await json(["migrate", "down", "--to", "0", "--yes"], on: database, expecting: 0)
            #expect(down["left"]?.array?.isEmpty == true)
            #expect(try await application(database) == before)
            #expect(try await Catalogue(database) == catalogue)

            let status = try await json(["migrate", "status", "--exit-code"], on: database, expecting: 2)
            let states = (status["steps"]?.array?.values ?? []).compactMap { $0.document?["state"]?.string }
            #expect(states == Array(repeating: "reverted", count: 6))

            _ = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 1)
            #expect(try await IncidentTruth.fixture.verify(database) == [])
        }
    }

    @Test("runs undo reverts a repair, and the repair can be done again", arguments: TestServer.Kind.allCases)
    func undo(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            let before = try await application(database)
            let repair = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            #expect(try await IncidentTruth.fixture.verify(database) == [])

            let run = try #require(repair["run"]?.string)
            let undo = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            #expect(try await application(database) == before)

            // What reverted something is reverted by doing it again.
            let second = try #require(undo["run"]?.string)
            _ = try await json(["runs", "undo", second, "--yes"], on: database, expecting: 4)
            #expect(try await application(database) == before)
            _ = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            #expect(try await IncidentTruth.fixture.verify(database) == [])

            let list = try await json(["runs", "list"], on: database, expecting: 0)
            #expect(list["runs"]?.array?.count == 3)
            let shown = try await json(["runs", "show", run], on: database, expecting: 0)
            #expect(shown["journal"]?.array?.isEmpty == false)
        }
    }

    @Test("documents changed since a repair are reported and left alone", arguments: TestServer.Kind.allCases)
    func changedSince(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            let before = try await application(database)
            _ = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 1)
            // The application renames the session that had the empty _id.
            try await database.run([
                "update": "chat_sessions",
                "updates": [["q": ["title": "chat 2"], "u": ["$set": ["title": "renamed"]]]],
            ])
            let renamed = try await database.one("chat_sessions", ["title": "renamed"])
            let id = try #require(renamed["_id"])
            let down = try await json(["migrate", "down", "--to", "0", "--yes"], on: database, expecting: 1)
            #expect(down.counts(of: "left", "count")["id.empty"] == ["chat_sessions": 1])
            #expect(try await database.find("chat_sessions", ["_id": ["$eq": id]]).count == 1)
            #expect(try await database.count("messages", ["session_id": id]) == 41)
            let others = try await database.find("chat_sessions", ["_id": ["$ne": id]])
            #expect(Set(others) == Set(before["chat_sessions"] ?? []).filter { $0["title"] != "chat 2" })
        }
    }
}

/// Compares a check's findings with those that the truth knows of.
func expectFindings(
    _ check: BSONDocument, _ expected: [String: [String: Int]], sourceLocation: SourceLocation = #_sourceLocation
) {
    let found = check.counts(of: "findings", "count")
    for code in [
        "id.empty", "id.null", "id.string", "ref.empty", "ref.string", "ref.missing", "ref.dangling", "user.duplicate",
        "user.password", "user.lookalike", "field.missing",
    ] {
        #expect(found[code] ?? [:] == expected[code] ?? [:], "\(code)", sourceLocation: sourceLocation)
    }
}
