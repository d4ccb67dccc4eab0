import BSON
import MongoDriver
import TestSupport
import Testing

/// The main jobs on every other version of MongoDB that is supported: commands and expressions differ, and how catalogue
/// changes lock. `make test-versions` runs all tests of commands and faults on each of them.
@Suite("Other versions of MongoDB", .serialized, .enabled(if: ServerVersion.canRunOthers && !Effort.isFull))
struct VersionsTests {
    @Test(
        "check, plan, up, down, repair, undo, seed and steps in files do what they do elsewhere",
        arguments: ServerVersion.others, KillMatrixTests.topologies)
    func mainJob(version: ServerVersion, kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind, version: version) { database in
            try await database.loadIncident()
            let start = try await Stage.application(database)
            let indexes = try await Self.indexes(database)
            try await Self.expect(1, "check", database)
            try await Self.expect(2, "migrate plan", database)
            try await Self.expect(1, "migrate up --offline --yes", database)
            #expect(try await IncidentTruth.fixture.verify(database) == [])
            try await Self.expect(1, "check", database)
            try await Self.expect(0, "migrate status --exit-code", database)
            try await Self.expect(0, "migrate validate", database)
            try await Self.expect(0, "runs list", database)
            for run in try await Stage.runs(database) { try await Self.expect(0, "runs show \(run)", database) }
            try await Self.expect(0, "migrate down --to 0 --yes", database)
            #expect(try await Stage.application(database) == start)
            #expect(try await Self.indexes(database) == indexes)

            try await Self.expect(1, "repair all --offline --yes", database)
            #expect(try await IncidentTruth.fixture.verify(database) == [])
            let repair = try #require(try await Stage.runs(database).first)
            try await Self.expect(0, "runs undo \(repair) --yes", database)
            #expect(try await Stage.application(database) == start)
            try await Self.expect(1, "repair all --settle 0.2 --yes", database)
            #expect(try await IncidentTruth.fixture.verify(database) == [])
            try await Self.expect(0, "seed --allow-here --yes", database)
            #expect(try await database.count("users", ["username": ["$in": ["alice", "testuser"]]]) == 2)
        }
        let steps = try #require(Scenario.all.first { $0.goal == .stepsApplied })
        try await withDatabase(on: kind, version: version) { database in
            let problems = try await Stage(steps, database).finish()
            #expect(problems == [])
        }
    }

    @Test(
        "counts are set in documents that hold a field whose name begins with a dollar",
        arguments: ServerVersion.others)
    func dollars(version: ServerVersion) async throws {
        try await withDatabase(on: .standalone, version: version) { database in
            try await database.load(
                "chat_sessions",
                (0..<20).map { _ in
                    ["_id": .objectID(FreshID.make()), "message_count": 5, "price": ["$minor": 100]]
                })
            try await database.run(["create": "messages"])
            try await Self.expect(0, "repair counts --offline --yes --zero-counts", database)
            #expect(try await database.count("chat_sessions", ["message_count": 0]) == 20)
        }
    }

    @Test(
        "a partial unique index that a step in a file made is reverted", arguments: ServerVersion.others)
    func partialIndex(version: ServerVersion) async throws {
        try await withDatabase(on: .standalone, version: version) { database in
            try await database.load("users", [["_id": 1, "email": "a"]])
            let step = """
                [{"createIndexes": "users", "indexes": [{"key": {"email": 1}, "name": "email", "unique": true,
                  "partialFilterExpression": {"email": {"$type": "string"}}}]}]
                """
            try await StepFolder.with(["001_email.up.json": step]) { folder in
                try await Self.expect(0, "migrate up --steps \(folder.path) --yes", database)
                #expect(try await Self.indexes(database)["users"]?.count == 2)
                try await Self.expect(0, "migrate down --to 0 --steps \(folder.path) --yes", database)
                #expect(try await Self.indexes(database)["users"]?.count == 1)
            }
        }
    }

    @Test("what was killed is finished by the next run", arguments: ServerVersion.others, KillMatrixTests.topologies)
    func killed(version: ServerVersion, kind: TestServer.Kind) async throws {
        let names = ["migrate up", "repair ids", "runs undo", "migrate up steps"]
        var total = 0
        for (index, scenario) in Scenario.all.filter({ names.contains($0.name) }).enumerated() {
            let fate = KillMatrixTests.Fate.allCases[(index + version.rawValue.utf8.count) % 2]
            total += try await KillMatrixTests.kill(scenario, on: kind, version: version, fate, from: 9, stride: 29)
        }
        print("faults: MongoDB \(version) on \(kind): killed at \(total) points")
        #expect(total > 0)
    }

    private static func indexes(_ database: TestDatabase) async throws -> [String: [BSONDocument]] {
        var indexes: [String: [BSONDocument]] = [:]
        for name in TestDatabase.chatCollections {
            indexes[name] = try await database.withClient { try await $0.listIndexes(database.namespace(name)) }
        }
        return indexes
    }

    /// Runs a command of the tool, written as on a command line.
    private static func expect(_ code: Int32, _ command: String, _ database: TestDatabase) async throws {
        let target = ["--uri", database.uri, "--database", database.name]
        let result = try await Tool.run(command.split(separator: " ").map(String.init) + target)
        try #require(result.exitCode == code, "\(command): \(result)")
    }
}
