import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// Counts are rebuilt while sixteen writers send and delete, each in two halves with a gap between them.
@Suite("Counting while the application writes", .serialized)
struct LiveCountTests {
    private static let sessions = 500
    private static let writers = 16

    @Test("no session ends with a drift that it didn't have before", arguments: KillMatrixTests.topologies)
    func live(kind: TestServer.Kind) async throws {
        try await TestServer.shared(kind).withDatabase { database in
            let application = CountingApplication(database, sessions: Self.sessions)
            try await application.prepare()
            let target = ["--uri", database.uri, "--database", database.name]
            let end = ContinuousClock.now + .seconds(Effort.isFull ? 60 : 10)
            let changed = try await withThrowingTaskGroup(of: Int.self) { group in
                for writer in 0..<Self.writers {
                    group.addTask {
                        try await application.write(until: end, seed: UInt64(writer))
                        return 0
                    }
                }
                group.addTask {
                    var changed = 0
                    while ContinuousClock.now < end {
                        let result = try await Tool.run(
                            ["repair", "counts", "--settle", "1", "--yes", "--max-time", "5", "--format", "json"]
                                + target)
                        try #require([0, 1, 5].contains(result.exitCode), "\(result)")
                        changed += try Self.changed(result)
                    }
                    return changed
                }
                return try await group.reduce(0, +)
            }
            // Everybody has finished what was begun. What was right before, or was set meanwhile, is right now.
            let drifts = try await Self.drifts(database)
            // Where the machine held a writer up for longer than the settling time, nothing was promised.
            let new = await Set(drifts.keys).subtracting(application.drifted).subtracting(application.late)
            #expect(await application.late.count < Self.sessions / 4)
            #expect(new.isEmpty, "\(new.count) sessions have a drift that they hadn't: \(new.prefix(3))")
            // Nor is one that was set, as the journal says, wrong again.
            let set = try await Self.set(database)
            let undone = await set.intersection(drifts.keys).subtracting(application.late)
            #expect(undone.isEmpty, "\(undone.count) of \(set.count) sessions were set, and are wrong")
            #expect(changed > 0)
            print(
                "live: counts on \(kind): \(await application.writes) messages sent or deleted, \(changed) changes, "
                    + "\(drifts.count) of \(application.drifted.count) drifts still there at the end")

            let quiet = try await Tool.run(["repair", "counts", "--settle", "1", "--yes"] + target)
            #expect(quiet.exitCode == 0, "\(quiet)")
            #expect(try await Self.drifts(database).isEmpty)
        }
    }

    /// The sessions whose counts were set, as the journal says.
    private static func set(_ database: TestDatabase) async throws -> Set<ObjectID> {
        let ids = { (value: BSONValue?) in value?.array?.values ?? [] }
        return try await database.all("chat_admin.journal").reduce(into: []) { set, entry in
            let missed = Set(ids(entry["missed"]).compactMap(\.objectID))
            set.formUnion(
                Set(ids(entry["items"]).compactMap { $0.document?["id"]?.objectID }).subtracting(missed))
        }
    }

    @Test("an application that is merely busy is found right", arguments: KillMatrixTests.topologies)
    func busy(kind: TestServer.Kind) async throws {
        try await TestServer.shared(kind).withDatabase { database in
            let application = CountingApplication(database, sessions: 100, hasDrifts: false)
            try await application.prepare()
            let end = ContinuousClock.now + .seconds(8)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask { try await application.write(until: end, seed: UInt64(writer)) }
                }
                group.addTask {
                    while ContinuousClock.now + .seconds(4) < end {
                        let result = try await Tool.run(
                            ["repair", "counts", "--settle", "1", "--yes", "--uri", database.uri]
                                + ["--database", database.name])
                        #expect(result.exitCode == 0, "\(result)")
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await Self.drifts(database).isEmpty)
        }
    }

    private static func changed(_ result: ToolResult) throws -> Int {
        let changes = try result.json()["changes"]?.array?.values ?? []
        return changes.reduce(0) { $0 + Int($1.document?["changed"]?.integer ?? 0) }
    }

    /// The sessions whose count isn't the number of their messages, counted here and not by the tool.
    private static func drifts(_ database: TestDatabase) async throws -> [ObjectID: Int64] {
        var live: [ObjectID: Int64] = [:]
        for message in try await database.find("messages", ["deleted": ["$ne": true]]) {
            if let session = message["session_id"]?.objectID { live[session, default: 0] += 1 }
        }
        return try await database.all("chat_sessions").reduce(into: [:]) { drifts, session in
            guard let id = session["_id"]?.objectID else { return }
            let drift = (session["message_count"]?.integer ?? 0) - live[id, default: 0]
            if drift != 0 { drifts[id] = drift }
        }
    }
}

/// An application that inserts or deletes a message and, up to a quarter of a second later, changes the count.
private actor CountingApplication {
    /// The sessions whose counts are wrong from the start.
    nonisolated let drifted: Set<ObjectID>
    private(set) var writes = 0
    /// Sessions of which the two halves of a change were nearly a second apart.
    private(set) var late: Set<ObjectID> = []
    private let database: TestDatabase
    private let ids: [ObjectID]

    init(_ database: TestDatabase, sessions: Int, hasDrifts: Bool = true) {
        self.database = database
        let ids = (0..<sessions).map { _ in FreshID.make() }
        self.ids = ids
        drifted = hasDrifts ? Set(stride(from: 0, to: ids.count, by: 4).map { ids[$0] }) : []
    }

    func prepare() async throws {
        try await database.load(
            "chat_sessions",
            ids.map { id in
                [
                    "_id": .objectID(id), "title": "t", "message_count": .int32(drifted.contains(id) ? 7 : 0),
                    "last_message_at": nil,
                ]
            })
        try await database.run([
            "createIndexes": "messages",
            "indexes": [["key": ["session_id": 1, "deleted": 1, "created_at": 1], "name": "counting"]],
        ])
    }

    /// One writer's work; what was begun is finished.
    nonisolated func write(until end: ContinuousClock.Instant, seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        var own: [(message: ObjectID, session: ObjectID)] = []
        try await database.withClient { client in
            while ContinuousClock.now < end {
                let session = ids[Int(random.next() % UInt64(ids.count))]
                let gap = Duration.milliseconds(Int64(random.next() % 250))
                let start = ContinuousClock.now
                var changed = session
                if random.next() % 3 == 0, let last = own.popLast() {
                    try await update(client, "messages", last.message, ["$set": ["deleted": true]])
                    try await Task.sleep(for: gap)
                    try await update(client, "chat_sessions", last.session, ["$inc": ["message_count": -1]])
                    changed = last.session
                } else {
                    let message = FreshID.make()
                    let now = BSONValue.date(Int64(Date().timeIntervalSince1970 * 1000))
                    _ = try await client.bulkWrite(
                        database.namespace("messages"),
                        [
                            .insert([
                                "_id": .objectID(message), "session_id": .objectID(session), "created_at": now,
                                "deleted": false,
                            ])
                        ], concern: .acknowledged)
                    try await Task.sleep(for: gap)
                    try await update(
                        client, "chat_sessions", session,
                        ["$inc": ["message_count": 1], "$set": ["last_message_at": now]])
                    own.append((message, session))
                }
                await wrote(changed, within: ContinuousClock.now - start)
            }
        }
    }

    private func wrote(_ session: ObjectID, within duration: Duration) {
        writes += 1
        if duration > .milliseconds(900) { late.insert(session) }
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
