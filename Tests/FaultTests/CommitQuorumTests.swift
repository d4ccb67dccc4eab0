import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// A replica set of three has lost a member, for which an index build waits unless it is told otherwise.
@Suite("Index builds with a member down", .serialized)
struct CommitQuorumTests {
    @Test("a majority is enough, and a build that wants all members ends with the time that it has")
    func memberDown() async throws {
        let set = try await TestReplicaSet.start()
        do {
            let lost = (try await set.primary() + 1) % 3
            try await set.killMember(lost)
            try await Self.migrate(set)
            try await Self.wait(set, lost)
            try await set.stop()
        } catch {
            try? await set.stop()
            throw error
        }
    }

    private static func migrate(_ set: TestReplicaSet) async throws {
        try await set.server.withDatabase { database in
            try await database.loadIncident()
            let up = try await Tool.run(["migrate", "up", "--offline", "--yes"] + target(database))
            #expect(up.exitCode == 1, "\(up)")
            #expect(try await IncidentTruth.fixture.verify(database) == [])
            let down = try await Tool.run(["migrate", "down", "--to", "0", "--yes"] + target(database))
            #expect(down.exitCode == 0, "\(down)")
        }
    }

    /// A step that asks for all members itself.
    private static func wait(_ set: TestReplicaSet, _ lost: Int) async throws {
        let step = """
            [{"createIndexes": "users", "indexes": [{"key": {"email": 1}, "name": "email"}],
              "commitQuorum": "votingMembers"}]
            """
        try await set.server.withDatabase { database in
            try await database.loadIncident()
            try await StepFolder.with(["001_email.up.json": step]) { folder in
                let up = ["migrate", "up", "--steps", folder.path, "--yes"] + target(database)
                let start = ContinuousClock.now
                let ended = try await Tool.run(up + ["--max-time", "4"])
                #expect([1, 5].contains(ended.exitCode), "\(ended)")
                #expect(ended.errors.contains("--max-time is over"), "\(ended)")
                #expect(ContinuousClock.now - start < .seconds(12), "\(ended)")
                try await set.startMember(lost)
                try await set.waitUntilHealthy()
                let again = try await Tool.run(up)
                #expect(again.exitCode == 0, "\(again)")
                let indexes = try await database.withClient { try await $0.listIndexes(database.namespace("users")) }
                #expect(indexes.count == 2)
            }
        }
    }

    private static func target(_ database: TestDatabase) -> [String] {
        ["--uri", database.uri, "--database", database.name]
    }
}
