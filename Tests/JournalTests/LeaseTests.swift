import BSON
import Journal
import MongoDriver
import TestSupport
import Testing

@Suite("The lease")
struct LeaseTests {
    private func acquire(_ database: TestDatabase, _ owner: String, wait: Duration = .zero) async throws -> Lease {
        try await Lease.acquire(
            pool: database.pool, database: database.name, owner: owner, wait: wait, interruption: Interruption())
    }

    private static func token(_ database: TestDatabase) async throws -> Int64 {
        try await database.one("chat_admin.lease", [:])["token"]?.integer ?? 0
    }

    @Test("is held by one at a time, and named to the next", arguments: TestServer.Kind.allCases)
    func oneAtATime(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let first = try await acquire(database, "first")
            try first.check()
            let token = try await Self.token(database)
            let error = await #expect(throws: EngineError.self) { try await acquire(database, "second") }
            #expect("\(try #require(error))".contains("first, since 20"))
            try await first.release()
            #expect(throws: EngineError.self) { try first.check() }
            let second = try await acquire(database, "second")
            try await second.release()
            #expect(try await Self.token(database) == token + 1)
        }
    }

    @Test("many that try at once get it one after the other")
    func race() async throws {
        try await withDatabase { database in
            let first = try await acquire(database, "first")
            try await first.release()
            let token = try await Self.token(database)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<8 {
                    group.addTask {
                        let lease = try await acquire(database, "\(index)", wait: .seconds(60))
                        try lease.check()
                        try await lease.release()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await Self.token(database) == token + 8)
        }
    }

    @Test("that expired can be taken")
    func expired() async throws {
        try await withDatabase { database in
            let crashed = try await acquire(database, "crashed")
            try await expire(database)
            let next = try await acquire(database, "next")
            try await next.release()
            try await crashed.release()
            #expect(try await database.one("chat_admin.lease", [:])["owner"] == "next")
        }
    }

    @Test("whose document was dropped is another's, and the first holder writes nothing more")
    func dropped() async throws {
        try await withDatabase { database in
            let first = try await acquire(database, "first")
            let token = try await Self.token(database)
            try await database.run(["drop": "chat_admin.lease"])
            let second = try await acquire(database, "second")
            #expect(try await Self.token(database) != token)
            try await withHolder(of: first, database) { run in
                await #expect(throws: EngineError.self) {
                    try await run.insert([["_id": 1]], into: "things", code: "t")
                }
            }
            #expect(try await database.all("things").isEmpty)
            #expect(try await database.count("chat_admin.journal", ["open": true]) == 0)
            // Its token, which may be the larger one, isn't on record.
            #expect(try await database.all("chat_admin.runs").isEmpty)
            try await second.release()
        }
    }

    @Test("goes to the next run with the entries that it goes on with: the one before changes none of them any more")
    func takenEntries() async throws {
        try await withDatabase { database in
            let first = try await acquire(database, "first")
            try await withHolder(of: first, database) { old in
                let change = DocumentChange(id: 1, before: ["_id": 1], after: .unknown)
                let entries = old.makeEntries([("things", "t", .documents([change]), nil)], state: .done)
                try await old.append(entries)
                try await expire(database)
                let second = try await acquire(database, "second")
                try await withHolder(of: second, database) { try await $0.claim([["_id": entries[0].key.value]]) }
                let standing = try await database.all("chat_admin.journal")
                await #expect(throws: EngineError.self) {
                    try await old.carryOut(entries[0], [change], RepairSettings())
                }
                await #expect(throws: EngineError.self) { try await old.abandon(entries.map(\.key)) }
                await #expect(throws: EngineError.self) { try await old.amend(entries[0].key, ["$set": ["items": []]]) }
                #expect(try await database.all("chat_admin.journal") == standing)
                try await second.release()
            }
        }
    }

    /// Stands for the time that passes until a lease is over.
    private func expire(_ database: TestDatabase) async throws {
        try await database.run([
            "update": "chat_admin.lease", "updates": [["q": [:], "u": ["$set": ["expiresAt": .date(0)]]]],
        ])
    }

    /// A run that has a lease.
    private func withHolder(of lease: Lease, _ database: TestDatabase, _ body: (Run) async throws -> Void) async throws
    {
        try await database.withClient { client in
            let run = Run(
                database: Database(client: client, name: database.name, server: try await client.describeServer()),
                description: RunDescription(command: "test", arguments: [], toolVersion: "0"), lease: lease,
                interruption: Interruption(), progress: { _ in })
            try await body(run)
        }
    }

    @Test("of a holder that doesn't renew is taken by who waits, though a clock was ahead")
    func clockWasAhead() async throws {
        try await withDatabase { database in
            try await database.load(
                "chat_admin.lease",
                [
                    [
                        "_id": "lease", "token": .int64(7), "owner": "dead", "expiresAt": .date(4_000_000_000_000),
                        "released": false,
                    ]
                ])
            let next = try await acquire(database, "next", wait: .seconds(60))
            try next.check()
            #expect(try await Self.token(database) == 8)
            try await next.release()
        }
    }

    @Test("is freed when its time is over, and by force before", arguments: TestServer.Kind.allCases)
    func unlock(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await withRun(on: database) { run in
                #expect(try await Lease.unlock(run.database, force: false) == .wasFree)
                let lease = try await acquire(database, "alive")
                await #expect(throws: EngineError.self) { try await Lease.unlock(run.database, force: false) }
                #expect(try await Lease.unlock(run.database, force: true) == .taken(owner: "alive"))
                // The holder may not have noticed: until its time is over nobody else may write.
                await #expect(throws: EngineError.self) { try await acquire(database, "early") }
                try await expire(database)
                let next = try await acquire(database, "next")
                // What was taken can't be given back: the next holder keeps it.
                try await lease.release()
                await #expect(throws: EngineError.self) { try await acquire(database, "third") }
                try await expire(database)
                #expect(try await Lease.unlock(run.database, force: false) == .freed(owner: "next"))
                try await next.release()
                #expect(try await Lease.unlock(run.database, force: false) == .wasFree)
            }
        }
    }

    @Test("that was taken stops the next transaction before it writes")
    func takenInTransaction() async throws {
        try await withDatabase(on: .replicaSet) { database in
            let lease = try await acquire(database, "first")
            let document: BSONDocument = ["_id": "", "title": "t"]
            try await database.load("wholes", [document])
            try await database.withClient { client in
                let target = Database(client: client, name: database.name, server: try await client.describeServer())
                let run = Run(
                    database: target, description: RunDescription(command: "test", arguments: [], toolVersion: "0"),
                    lease: lease, interruption: Interruption(), progress: { _ in })
                _ = try await Lease.unlock(target, force: true)
                let source = ValueSource(database: database, referrer: RekeyerTests.referrer)
                let move = RekeyMove(oldID: "", newID: RekeyerTests.newID, image: document, referrers: [])
                await #expect(throws: EngineError.self) {
                    _ = try await Rekeyer(run: run, source: source).move([(move, "id.empty")], in: "wholes")
                }
            }
            #expect(try await database.all("wholes") == [document])
            try await lease.release()
        }
    }
}
