import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// A run is stopped (`SIGSTOP`) at a write until its lease is over and another run has done the work.
@Suite("Stopped past its lease")
struct StoppedTests {
    @Test("a holder writes nothing more when it continues", arguments: KillMatrixTests.topologies)
    func stopped(kind: TestServer.Kind) async throws {
        let points = Effort.isFull ? [2, 7, 12, 17, 22, 27, 32, 37] : [12]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for point in points {
                group.addTask {
                    try await ServerFleet.shared.withServer(kind) { server in
                        try await server.withDatabase { try await Self.stop($0, at: point) }
                    }
                }
            }
            try await group.waitForAll()
        }
        print("faults: stopped past the lease on \(kind) at \(points.count) points")
    }

    /// Stops the tool at its n-th write, waits until its lease is over, lets another one finish, and lets the first go on.
    private static func stop(_ database: TestDatabase, at point: Int) async throws {
        try await database.loadIncident()
        let command = [
            "migrate", "up", "--offline", "--yes", "--uri", database.uri, "--database", database.name,
        ]
        let ended = try await Tool.start(command) { tool in
            try await database.withFailPoint(
                KillMatrixTests.writes.blocking(milliseconds: 1_000), mode: .skip(Int32(point))
            ) { failPoint in
                try await failPoint.waitUntilEntered()
                tool.send(SIGSTOP)
            }
            try await waitUntil("the lease is over", within: .seconds(60), every: .milliseconds(200)) {
                try await database.count(
                    "chat_admin.lease", ["$expr": ["$lte": ["$expiresAt", "$$NOW"]]]) == 1
            }
            let other = try await Tool.run(command)
            #expect(other.exitCode == 1, "\(other)")
            let image = try await Self.image(database)
            tool.send(SIGCONT)
            return image
        }
        // Whoever finds that the lease was lost says so; the run that took over has recorded what there is to record.
        #expect(ended.result.exitCode == 75, "write \(point): \(ended.result)")
        let after = try await Self.image(database)
        for (name, documents) in ended.value {
            let changed = Set(after[name] ?? []).subtracting(documents)
            #expect(changed.isEmpty, "write \(point), \(name)")
            #expect(after[name]?.count == documents.count, "write \(point), \(name)")
        }
        #expect(try await IncidentTruth.fixture.verify(database) == [])
    }

    private static func image(_ database: TestDatabase) async throws -> [String: [BSONDocument]] {
        var image: [String: [BSONDocument]] = [:]
        for name in TestDatabase.chatCollections + ["chat_admin.journal", "chat_admin.migrations"] {
            image[name] = try await database.all(name)
        }
        return image
    }
}
