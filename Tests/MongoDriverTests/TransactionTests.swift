import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("Transactions")
struct TransactionTests {
    private struct Refusal: Error {}

    @Test("commit everything that was done in them, and show it to nobody before")
    func commits() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.load("things", [["_id": 1, "n": 1], ["_id": 2, "n": 1]])
            let namespace = database.namespace("things")
            let seen = try await database.withClient { client in
                try await client.withTransaction { session in
                    #expect(session.isTransaction)
                    try await client.bulkWrite(
                        namespace, [.insert(["_id": 3, "n": 1]), .deleteOne(filter: ["_id": 1])], session: session)
                    _ = try await client.findAndModify(
                        namespace, query: ["_id": 2], ["update": ["$inc": ["n": 1]]], session: session)
                    let update: BSONDocument = [
                        "update": "things", "updates": [["q": ["_id": 3], "u": ["$set": ["n": 9]]]],
                    ]
                    try await client.run(update, on: database.name, mode: .write, session: session)
                    let inside = try await client.all(client.find(namespace, filter: [:], session: session))
                    let sum = try await client.all(
                        client.aggregate(
                            namespace, pipeline: [["$group": ["_id": .null, "n": ["$sum": "$n"]]]], session: session))
                    #expect(inside.count == 2)
                    #expect(sum.first?["n"] == 11)
                    #expect(try await database.all("things") == [["_id": 1, "n": 1], ["_id": 2, "n": 1]])
                    return inside.count
                }
            }
            #expect(seen == 2)
            #expect(try await database.all("things") == [["_id": 2, "n": 2], ["_id": 3, "n": 9]])
        }
    }

    @Test("leave nothing behind when their closure throws, and throw the same error")
    func aborts() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.load("things", [["_id": 1]])
            try await database.withClient { client in
                await #expect(throws: Refusal.self) {
                    try await client.withTransaction { session in
                        try await client.bulkWrite(
                            database.namespace("things"), [.deleteMany(filter: [:])], session: session)
                        throw Refusal()
                    }
                }
                await expectError(.duplicateKey) {
                    try await client.withTransaction { session in
                        _ = try await client.bulkWrite(
                            database.namespace("things"), [.insert(["_id": 2]), .insert(["_id": 1])], session: session)
                    }
                }
                // The client can go on, with a transaction too.
                try await client.withTransaction { session in
                    _ = try await client.bulkWrite(
                        database.namespace("things"), [.insert(["_id": 3])], session: session)
                }
                try await client.withTransaction { _ in }
            }
            #expect(try await database.all("things") == [["_id": 1], ["_id": 3]])
        }
    }

    @Test("are tried again as a whole after a transient error", arguments: [true, false])
    func retriesTransientErrors(isCommit: Bool) async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.load("things", [["_id": 1, "n": 0]])
            let fault = FailCommand(isCommit ? "commitTransaction" : "update")
                .failing(code: 112, labels: ["TransientTransactionError"])
            let attempts = try await database.withFailPoint(fault, mode: .times(2)) { _ in
                try await database.withClient { client in
                    let counter = Counter()
                    try await client.withTransaction { session in
                        await counter.add()
                        _ = try await client.bulkWrite(
                            database.namespace("things"), [.updateOne(filter: [:], update: ["$inc": ["n": 1]])],
                            session: session)
                    }
                    return await counter.value
                }
            }
            #expect(attempts == 3)
            #expect(try await database.all("things") == [["_id": 1, "n": 1]])
        }
    }

    @Test("whose commit's outcome is unknown commit again, and do their work once", arguments: [0, 1, 2])
    func retriesCommit(fault: Int) async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.load("things", [["_id": 1, "n": 0]])
            let faults = [
                FailCommand("commitTransaction").closingConnection(),
                // SocketException. (Codes that say "no longer primary" make libmongoc look for another for 10 s.)
                FailCommand("commitTransaction").failing(code: 9001),
                FailCommand("commitTransaction").failingWriteConcern(code: 64),
            ]
            let attempts = try await database.withFailPoint(faults[fault], mode: .times(4)) { point in
                let attempts = try await database.withClient { client in
                    let counter = Counter()
                    try await client.withTransaction { session in
                        await counter.add()
                        _ = try await client.bulkWrite(
                            database.namespace("things"), [.updateOne(filter: [:], update: ["$inc": ["n": 1]])],
                            session: session)
                    }
                    return await counter.value
                }
                try await point.waitUntilEntered(times: 4)
                return attempts
            }
            #expect(attempts == 1)
            #expect(try await database.all("things") == [["_id": 1, "n": 1]])
        }
    }

    @Test("that meet each other's writes all succeed in the end")
    func survivesConflicts() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.load("things", [["_id": 1, "n": 0]])
            let namespace = database.namespace("things")
            try await withThrowingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<5 {
                            try await database.withClient { client in
                                try await client.withTransaction { session in
                                    let found = try await client.all(
                                        client.find(namespace, filter: [:], session: session))
                                    let n = try #require(found.first?["n"]?.int32)
                                    try await client.bulkWrite(
                                        namespace, [.updateOne(filter: [:], update: ["$set": ["n": .int32(n + 1)]])],
                                        session: session)
                                }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await database.all("things") == [["_id": 1, "n": 40]])
        }
    }

    @Test("don't exist on a standalone server, which says so", arguments: [TestServer.Kind.standalone, .authenticated])
    func refusesStandalone(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.withClient { client in
                let error = await expectError(.server) {
                    try await client.withTransaction { session in
                        _ = try await client.bulkWrite(
                            database.namespace("things"), [.insert(["_id": 1])], session: session)
                    }
                }
                #expect(error?.code == 20)
            }
            #expect(try await database.count("things") == 0)
        }
    }

    @Test("can't be used after their end")
    func refusesUseAfterEnd() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.withClient { client in
                let session = try await client.withTransaction { $0 }
                await expectError(.internal) {
                    try await client.run(["ping": 1], on: database.name, session: session)
                }
                await expectError(.internal) {
                    _ = try await client.all(
                        client.find(database.namespace("things"), filter: [:], session: session))
                }
            }
        }
    }
}

/// Counts, from whatever task.
actor Counter {
    private(set) var value = 0

    func add() { value += 1 }
}
