import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// Checks of a healthy application, while sixteen writers send and delete, each in two halves up to three seconds apart.
@Suite("Checking while the application writes", .serialized)
struct LiveCheckTests {
    /// So many checks are run in each half: 500 in all by `make test-faults`, and 16 by `make test`.
    private static let checks = Effort.isFull ? 250 : 8
    /// So many of them at once: each waits most of its time.
    private static let atOnce = 8
    private static let writers = 16
    private static let topologies = Effort.isFull ? KillMatrixTests.topologies : [.standalone]
    /// A second more than the longest gap, for a busy machine.
    private static let settle = Duration.seconds(4)

    @Test(
        "no check finds anything; with one counter wrong each finds it, and nothing else", .timeLimit(.minutes(60)),
        arguments: topologies)
    func healthy(kind: TestServer.Kind) async throws {
        try await TestServer.shared(kind).withDatabase { database in
            let application = HealthyApplication(database, promise: Self.settle)
            try await application.prepare()
            let summary = try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<Self.writers {
                    group.addTask { try await application.write(seed: UInt64(writer)) }
                }
                var summary = Summary()
                do {
                    summary.add(try await Self.check(database), wrong: [], application: await application.late)
                    try await database.update(
                        "chat_sessions", ["_id": .objectID(application.quiet)], ["$inc": ["message_count": 1]])
                    summary.add(
                        try await Self.check(database), wrong: [application.quiet],
                        application: await application.late)
                } catch {
                    await application.stop()
                    throw error
                }
                await application.stop()
                try await group.waitForAll()
                return summary
            }
            print(
                "live: \(summary.checks) checks on \(kind): \(await application.writes) messages sent or deleted, "
                    + "\(summary.falseAlarms) false alarms, \(summary.missed) misses, \(summary.unsettled) counters unsettled, "
                    + "\(await application.late.count) sessions written too late, median \(summary.median) ms")
            #expect(summary.checks == 2 * Self.checks && summary.falseAlarms == 0 && summary.missed == 0)
            // With all writers held up nothing would be tried.
            #expect(await application.late.count < HealthyApplication.sessions / 4)
        }
    }

    /// What came of one check.
    private struct Outcome {
        /// The errors, and the sessions that are samples of them.
        var errors: [(code: String, count: Int64, samples: [ObjectID])] = []
        var unsettled = 0
        var durationMS: Int64 = 0
    }

    private struct Summary {
        var checks = 0
        var falseAlarms = 0
        var missed = 0
        var unsettled = 0
        private var durations: [Int64] = []

        var median: Int64 { durations.sorted()[durations.count / 2] }

        /// - Parameters:
        ///   - wrong: What each has to find.
        ///   - late: Of these nothing was promised.
        mutating func add(_ outcomes: [Outcome], wrong: [ObjectID], application late: Set<ObjectID>) {
            for outcome in outcomes {
                checks += 1
                unsettled += outcome.unsettled
                durations.append(outcome.durationMS)
                let found = Set(outcome.errors.flatMap(\.samples))
                if !found.isSuperset(of: wrong) { missed += 1 }
                if !found.subtracting(wrong).isSubset(of: late) || outcome.errors.contains(where: { $0.count > 5 }) {
                    falseAlarms += 1
                    print("live: a false alarm: \(outcome)")
                }
            }
        }
    }

    private static func check(_ database: TestDatabase) async throws -> [Outcome] {
        let arguments = [
            "check", "--settle", "\(settle.components.seconds)", "--format", "json", "--uri", database.uri,
            "--database", database.name,
        ]
        return try await withThrowingTaskGroup(of: [Outcome].self) { group in
            for worker in 0..<atOnce {
                group.addTask {
                    var outcomes: [Outcome] = []
                    for _ in stride(from: worker, to: checks, by: atOnce) {
                        let result = try await Tool.run(arguments)
                        try #require([0, 1].contains(result.exitCode), "\(result)")
                        outcomes.append(try outcome(result.json()))
                    }
                    return outcomes
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private static func outcome(_ check: BSONDocument) throws -> Outcome {
        let list = { (name: String) in check[name]?.array?.values.compactMap(\.document) ?? [] }
        var outcome = Outcome()
        outcome.durationMS = check["durationMS"]?.integer ?? 0
        outcome.unsettled = list("unsettled").reduce(0) { $0 + Int($1["count"]?.integer ?? 0) }
        outcome.errors = list("findings").filter { $0["severity"] == "error" }.map { finding in
            let samples = finding["samples"]?.array?.values.compactMap { $0.document?["_id"]?.objectID } ?? []
            return (finding["code"]?.string ?? "", finding["count"]?.integer ?? 0, samples)
        }
        return outcome
    }
}

/// An application without a bug: it inserts or deletes a message and, up to three seconds later, changes the count.
private actor HealthyApplication {
    static let sessions = 200
    /// A session that nobody writes to.
    nonisolated let quiet = FreshID.make()
    private(set) var writes = 0
    /// Sessions of which the two halves of a change were further apart than checks were told.
    private(set) var late: Set<ObjectID> = []
    private var isStopped = false
    private let database: TestDatabase
    private let promise: Duration
    private let user = FreshID.make()
    private let ids = (0..<sessions).map { _ in FreshID.make() }
    /// The longest gap between the halves, in milliseconds.
    private static let longestGap: UInt64 = 3_000

    init(_ database: TestDatabase, promise: Duration) { (self.database, self.promise) = (database, promise) }

    func prepare() async throws {
        try await database.load(
            "users",
            [
                [
                    "_id": .objectID(user), "username": "ann", "email": "ann@example.com", "full_name": "Ann",
                    "role": "user", "disabled": false, "hashed_password": .null, "workspaces": [],
                    "created_at": "2026-11-22T12:59:31.050666Z", "updated_at": "2026-11-22T12:59:31.050666Z",
                ]
            ])
        let now = Self.now
        try await database.load(
            "chat_sessions",
            (ids + [quiet]).map { id in
                [
                    "_id": .objectID(id), "user_id": .objectID(user), "title": "t", "message_count": 0,
                    "last_message_at": .null, "created_at": now, "updated_at": now, "deleted": false,
                    "deleted_at": .null,
                ]
            })
        try await database.run([
            "createIndexes": "messages",
            "indexes": [["key": ["session_id": 1, "deleted": 1, "created_at": 1], "name": "counting"]],
        ])
    }

    func stop() { isStopped = true }

    /// One writer's work, until it is stopped; what was begun is finished.
    nonisolated func write(seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        var own: [(message: ObjectID, session: ObjectID)] = []
        try await database.withClient { client in
            while await !isStopped {
                let gap = Duration.milliseconds(Int64(random.next() % Self.longestGap))
                let isDeleted = random.next() % 3 == 0
                let start = ContinuousClock.now
                if isDeleted, let last = own.popLast() {
                    try await update(
                        client, "messages", last.message, ["$set": ["deleted": true, "deleted_at": Self.now]])
                    try await Task.sleep(for: gap)
                    try await update(client, "chat_sessions", last.session, ["$inc": ["message_count": -1]])
                    await wrote(last.session, since: start)
                } else {
                    let (message, session) = (FreshID.make(), ids[Int(random.next() % UInt64(ids.count))])
                    let created = Self.now
                    _ = try await client.bulkWrite(
                        database.namespace("messages"),
                        [
                            .insert([
                                "_id": .objectID(message), "session_id": .objectID(session),
                                "user_id": .objectID(user), "content": "c", "role": "user", "created_at": created,
                                "updated_at": created, "deleted": false, "deleted_at": .null,
                            ])
                        ], concern: .acknowledged)
                    try await Task.sleep(for: gap)
                    let now = Self.now
                    try await update(
                        client, "chat_sessions", session,
                        ["$inc": ["message_count": 1], "$set": ["last_message_at": now, "updated_at": now]])
                    own.append((message, session))
                    await wrote(session, since: start)
                }
            }
        }
    }

    private static var now: BSONValue { .date(Int64(Date().timeIntervalSince1970 * 1000)) }

    private func wrote(_ session: ObjectID, since start: ContinuousClock.Instant) {
        writes += 1
        // What the server needs to be seen is a part of the gap, too.
        if ContinuousClock.now - start > promise - .milliseconds(200) { late.insert(session) }
    }

    private nonisolated func update(
        _ client: MongoClient, _ collection: String, _ id: ObjectID, _ change: BSONDocument
    ) async throws {
        let result = try await client.bulkWrite(
            database.namespace(collection), [.updateOne(filter: ["_id": .objectID(id)], update: change)],
            concern: .acknowledged)
        try #require(result.matched == 1)
    }
}
