import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// The main job on replica sets as they are deployed.
@Suite("Kinds of replica sets", .serialized)
struct TopologyTests {
    @Test(
        "the incident is repaired, and everything is reverted",
        arguments: [TestReplicaSet.Shape.arbiter, .hidden])
    func mainJob(shape: TestReplicaSet.Shape) async throws {
        try await Self.withSet(shape) { set in
            try await set.server.withDatabase { database in
                try await database.loadIncident()
                try await Self.mainJob(database, at: database.uri)
            }
        }
    }

    /// The roles are those that README names; own operations have to be seen and ended without any other.
    @Test("with a key file and a user of few roles, behind somebody's open transaction too")
    func keyFile() async throws {
        try await Self.withSet(.keyFile) { set in
            try await set.server.withDatabase { database in
                let roles: BSONArray = [
                    ["role": "readWrite", "db": .string(database.name)],
                    ["role": "dbAdmin", "db": .string(database.name)],
                ]
                let uri = try await set.server.createUser("keeper", password: "pw", roles: roles)
                try await database.loadIncident()
                try await Self.mainJob(database, at: uri)
                let item = try #require(OpenTransactionTests.cases.first)
                try await OpenTransactionTests.play(item, database, at: uri, for: .seconds(5))
                let nobody = try await Tool.run(
                    ["check", "--uri", set.server.uriWithoutCredentials, "--database", database.name])
                #expect(nobody.exitCode == 77, "\(nobody)")
            }
        }
    }

    @Test("a repair decides by the primary, whatever a lagging secondary shows")
    func lagging() async throws {
        // The hidden member takes part in the majority, and answers no reads; the other secondary answers them all.
        try await Self.withSet(.hidden) { set in
            let secondary = try await set.primary() == 0 ? 1 : 0
            for command in [["migrate", "up"], ["repair", "all"]] {
                try await set.server.withDatabase { database in
                    try await set.setLagging(true, member: secondary)
                    try await database.loadIncident()
                    let uri = database.uri + "&readPreference=secondary"
                    let changes = try await Tool.run(command + ["--offline", "--yes"] + Self.target(database, uri))
                    let problems = try await IncidentTruth.fixture.verify(database)
                    try await set.setLagging(false, member: secondary)
                    #expect(changes.exitCode == 1, "\(command): \(changes)")
                    #expect(problems == [], "\(command): \(changes)")
                    try await set.waitUntilHealthy()
                }
            }
        }
    }

    @Test("a secondary alone is looked at, and refuses changes with what to do")
    func secondaryAlone() async throws {
        try await Self.withSet(.secondaries) { set in
            let secondary = try await set.primary() == 0 ? 1 : 0
            try await set.server.withDatabase { database in
                try await database.loadIncident()
                try await set.waitUntilHealthy()
                let before = try await ServerImage(of: database, .naturalOrder)
                let uri = set.uri(ofMember: secondary)
                for (command, code) in [("check", 1), ("doctor", 0), ("migrate plan", 2)] {
                    let result = try await Tool.run(
                        command.split(separator: " ").map(String.init) + Self.target(database, uri))
                    #expect(result.exitCode == Int32(code), "\(command): \(result)")
                }
                for command in ["repair ids --yes", "repair all --yes", "migrate up --yes", "seed --allow-here --yes"] {
                    let result = try await Tool.run(
                        command.split(separator: " ").map(String.init) + Self.target(database, uri))
                    #expect(result.exitCode == 69, "\(command): \(result)")
                    #expect(result.errors.contains("isn't the primary of its replica set"), "\(command): \(result)")
                }
                #expect(before.differences(to: try await ServerImage(of: database, .naturalOrder)) == [])
            }
        }
    }

    private static func mainJob(_ database: TestDatabase, at uri: String) async throws {
        let start = try await Stage.application(database)
        for (command, code) in [("check", 1), ("migrate plan", 2), ("migrate up --offline --yes", 1), ("check", 1)] {
            let result = try await Tool.run(command.split(separator: " ").map(String.init) + target(database, uri))
            try #require(result.exitCode == Int32(code), "\(command): \(result)")
        }
        #expect(try await IncidentTruth.fixture.verify(database) == [])
        let down = try await Tool.run(["migrate", "down", "--to", "0", "--yes"] + target(database, uri))
        #expect(down.exitCode == 0, "\(down)")
        #expect(try await Stage.application(database) == start)
    }

    private static func target(_ database: TestDatabase, _ uri: String) -> [String] {
        ["--uri", uri, "--database", database.name]
    }

    private static func withSet(
        _ shape: TestReplicaSet.Shape, _ body: (TestReplicaSet) async throws -> Void
    ) async throws {
        let set = try await TestReplicaSet.start(shape)
        do {
            try await body(set)
            try await set.stop()
        } catch {
            try? await set.stop()
            throw error
        }
    }
}
