import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// An application has a transaction open on a collection whose catalogue a step changes. The step waits for its end, and
/// must not make the application's other writers wait behind it.
@Suite("Behind an open transaction", .serialized)
struct OpenTransactionTests {
    /// A command, what is run before it, and the collection whose catalogue it changes first.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let before: [[String]]
        let command: [String]
        let collection: String
        var testDescription: String { name }
    }

    private static func up(_ version: Int) -> [String] {
        ["migrate", "up", "--to", "\(version)", "--offline", "--yes"]
    }

    private static func down(_ version: Int) -> [String] { ["migrate", "down", "--to", "\(version)", "--yes"] }

    static let cases = [
        Case(name: "a validator is set", before: [], command: up(1), collection: "users"),
        Case(name: "an index is made", before: [up(3)], command: up(4), collection: "messages"),
        Case(name: "a unique index is made", before: [up(5)], command: up(6), collection: "users"),
        Case(name: "an index is dropped", before: [up(4)], command: down(3), collection: "messages"),
        Case(name: "a validator is taken away", before: [up(1)], command: down(0), collection: "users"),
    ]

    @Test("writers go on, and the step is done when the transaction has ended", arguments: cases)
    func waits(item: Case) async throws {
        try await ServerFleet.shared.withServer(.replicaSet) { server in
            try await server.withDatabase { database in
                try await database.loadIncident()
                try await Self.play(item, database, at: database.uri, for: .seconds(Effort.isFull ? 10 : 5))
            }
        }
    }

    @Test(
        "on older servers too", .enabled(if: ServerVersion.canRunOthers),
        arguments: [ServerVersion.mongo44, .mongo50])
    func olderServers(version: ServerVersion) async throws {
        for item in Self.cases.prefix(2) {
            try await ServerFleet.shared.withServer(.replicaSet, version: version) { server in
                try await server.withDatabase { database in
                    try await database.loadIncident()
                    try await Self.play(item, database, at: database.uri, for: .seconds(4))
                }
            }
        }
    }

    static func play(_ item: Case, _ database: TestDatabase, at uri: String, for time: Duration) async throws {
        // Two documents that nothing is wrong with: one for the transaction, one for the other writers.
        let ids = [FreshID.make(), FreshID.make()].map { BSONValue.objectID($0) }
        try await database.load(
            item.collection,
            ids.map { id in
                let name = BSONValue.string(id.objectID?.hex ?? "")
                return ["_id": id, "mark": 0, "username": name, "email": name]
            })
        let target = ["--uri", uri, "--database", database.name]
        for command in item.before {
            let result = try await Tool.run(command + target)
            try #require([0, 1].contains(result.exitCode), "\(result)")
        }
        let start = ContinuousClock.now
        let (result, longest) = try await withTransaction(on: database, item.collection, ids[0], for: time) {
            try await withWriter(on: database, item.collection, ids[1]) {
                try await Tool.run(item.command + target)
            }
        }
        #expect([0, 1].contains(result.exitCode), "\(result)")
        #expect(ContinuousClock.now - start >= time)
        // The time for which a catalogue change may wait, and much for a busy machine; without it, the transaction's.
        #expect(longest < .milliseconds(1_500), "\(item.name): a writer waited for \(longest)")
        print("faults: \(item.name) behind a transaction of \(time): a writer waited for \(longest) at most")
    }

    /// Keeps a transaction open that has changed a document, and runs a closure meanwhile.
    private static func withTransaction<R: Sendable>(
        on database: TestDatabase, _ collection: String, _ id: BSONValue, for time: Duration,
        _ body: @Sendable () async throws -> R
    ) async throws -> R {
        let (opened, isOpen) = AsyncStream.makeStream(of: Void.self)
        async let transaction: Void = database.withClient { client in
            try await client.withTransaction { session in
                _ = try await client.bulkWrite(
                    database.namespace(collection), [.updateOne(filter: ["_id": id], update: ["$inc": ["mark": 1]])],
                    session: session)
                isOpen.yield()
                // How long an application's transaction takes is what is played here.
                try await Task.sleep(for: time)
            }
        }
        for await _ in opened { break }
        let result = try await body()
        try await transaction
        return result
    }

    /// Writes to a document again and again while a closure runs.
    ///
    /// - Returns: What the closure returned, and the longest time that a write took.
    private static func withWriter<R: Sendable>(
        on database: TestDatabase, _ collection: String, _ id: BSONValue, _ body: @Sendable () async throws -> R
    ) async throws -> (R, Duration) {
        let writer = Task {
            var longest = Duration.zero
            while !Task.isCancelled {
                let start = ContinuousClock.now
                try await database.update(collection, ["_id": id], ["$inc": ["mark": 1]])
                longest = max(longest, ContinuousClock.now - start)
                try? await Task.sleep(for: .milliseconds(5))
            }
            return longest
        }
        do {
            let result = try await body()
            writer.cancel()
            return (result, try await writer.value)
        } catch {
            writer.cancel()
            throw error
        }
    }
}
