import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// The tool is killed at every write that it sends, with no hook in the product: the server holds the n-th write back,
/// the tool is sent SIGKILL, and then the write is let through, or killed too.
@Suite("Killed at the n-th write", .serialized)
struct KillMatrixTests {
    static let topologies = [TestServer.Kind.standalone, .replicaSet]

    /// Everything the tool sends that changes something.
    static let writes = FailCommand(
        "insert", "update", "delete", "findAndModify", "create", "createIndexes", "collMod", "drop", "dropIndexes",
        "commitTransaction")

    /// What steps in files send besides: a pipeline that writes is an `aggregate`.
    static let stepWrites = FailCommand(
        "insert", "update", "delete", "findAndModify", "create", "createIndexes", "drop", "dropIndexes", "aggregate",
        "commitTransaction")

    /// How long a write is held back: long enough to kill the tool meanwhile. The server waits it out, killed or not.
    private static let heldBackMS: Int32 = 1_000

    enum Fate: CaseIterable { case happened, didNotHappen }

    @Test(
        "the next run finishes it, and it can be reverted", arguments: Scenario.all + [Scenario.watching], topologies)
    func killed(scenario: Scenario, kind: TestServer.Kind) async throws {
        guard Effort.includes("\(scenario.name) on \(kind)") else { return }
        var total = 0
        for fate in Fate.allCases {
            let start = (scenario.name.utf8.count + (fate == .happened ? 0 : 7)) % 5
            total += try await Self.kill(scenario, on: kind, fate, from: start, stride: 47)
        }
        print("faults: \(scenario.name) on \(kind): killed at \(total) points")
        #expect(total > 0)
    }

    /// Kills a scenario's command at one write after another, each in a database of its own, and looks whether the next
    /// run reaches the goal and can be reverted.
    ///
    /// - Returns: At how many writes.
    static func kill(
        _ scenario: Scenario, on kind: TestServer.Kind, version: ServerVersion = .standard, _ fate: Fate,
        from start: Int, stride: Int
    ) async throws -> Int {
        try await Matrix.forEachPoint(on: kind, version: version, from: start, stride: stride) { database, point in
            let stage = try await Stage(scenario, database)
            guard try await kill(stage.arguments, on: database, at: point, fate, commands: scenario.writes)
            else { return false }
            let problems = try await stage.finish()
            #expect(problems == [], "\(scenario.name), \(kind), \(version), write \(point), \(fate)")
            return true
        }
    }

    @Test("the next run waits for the transaction that a killed one left open")
    func openTransaction() async throws {
        _ = try await Matrix.forEachPoint(on: .replicaSet, from: 0, stride: 1_000) { database, point in
            guard point == 0, let scenario = Scenario.all.first(where: { $0.name == "repair ids" }) else {
                return false
            }
            let stage = try await Stage(scenario, database)
            let isReached = try await Self.kill(
                stage.arguments, on: database, at: 0, .didNotHappen, endsTransactions: false,
                commands: FailCommand("commitTransaction"))
            #expect(isReached)
            #expect(try await stage.finish() == [])
            return true
        }
    }

    /// Kills the tool at its n-th write.
    ///
    /// - Returns: Whether it got that far.
    static func kill(
        _ arguments: [String], on database: TestDatabase, at point: Int, _ fate: Fate, endsTransactions: Bool = true,
        commands: FailCommand = writes
    ) async throws -> Bool {
        let wasKilled = try await database.withFailPoint(
            commands.blocking(milliseconds: heldBackMS), mode: .skip(Int32(point))
        ) { failPoint in
            let ended = try await Tool.run(arguments, sending: SIGKILL) { _ in
                try await failPoint.waitUntilEntered()
            }
            if ended.wasSent {
                try #require(ended.result.signal == SIGKILL, "\(ended.result)")
                if fate == .didNotHappen { try await Operations.kill(of: database) }
            } else {
                try #require([0, 1].contains(ended.result.exitCode), "\(ended.result)")
            }
            return ended.wasSent
        }
        try await Operations.waitUntilNone(of: database)
        if endsTransactions, database.server.kind == .replicaSet {
            try await Operations.endTransactions(on: database.server)
        }
        return wasKilled
    }
}

/// What a killed tool left running on the server.
enum Operations {
    /// Kills it.
    static func kill(of database: TestDatabase) async throws {
        for operation in try await all(of: database) {
            guard let id = operation["opid"] else { continue }
            _ = try await database.server.admin.withClient { try await $0.run(["killOp": 1, "op": id], on: "admin") }
        }
    }

    /// Stands for the minute (`transactionLifetimeLimitSeconds`) after which the server itself ends a killed client's
    /// transaction; ``KillMatrixTests/openTransaction()`` waits for that.
    static func endTransactions(on server: TestServer) async throws {
        _ = try await server.admin.withClient { try await $0.run(["killAllSessions": []], on: "admin") }
    }

    /// Waits until nothing of it is left.
    static func waitUntilNone(of database: TestDatabase) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while !(try await all(of: database)).isEmpty {
            try #require(ContinuousClock.now < deadline, "operations of a killed tool don't end")
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// The operations of the tool's connections that are being worked on, a monitoring `hello` excepted.
    private static func all(of database: TestDatabase) async throws -> [BSONDocument] {
        let pipeline: [BSONDocument] = [
            ["$currentOp": ["allUsers": true]],
            ["$match": ["appName": .string(database.appName), "active": true, "command.hello": ["$exists": false]]],
        ]
        return try await database.server.admin.withClient { client in
            let reply = try await client.run(
                [
                    "aggregate": 1, "pipeline": .array(BSONArray(pipeline.map { .document($0) })),
                    "cursor": ["batchSize": 1000],
                ], on: "admin")
            return (reply.value(at: "cursor", "firstBatch")?.array?.values ?? []).compactMap(\.document)
        }
    }
}
