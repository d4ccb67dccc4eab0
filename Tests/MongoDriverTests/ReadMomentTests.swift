import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("The moment of what was read")
struct ReadMomentTests {
    @Test("is the oldest of all reads, and can be begun anew")
    func keepsOldest() async throws {
        try await withDatabase(on: .replicaSet) { database in
            let things = database.namespace("things")
            try await database.load("things", (0..<50).map { ["_id": .int32($0)] })
            try await database.withClient { client in
                // A collection that has just been made isn't in a snapshot yet.
                try await waitUntil("the collection is in a snapshot") {
                    do {
                        return try await client.withSnapshot { session in
                            try await client.all(client.find(things, filter: [:], session: session)).count == 50
                        }
                    } catch let error as MongoError where MongoError.ServerCode.snapshotErrors.contains(error.code) {
                        return false
                    }
                }
                database.pool.resetReads()
                #expect(database.pool.oldestRead == nil)
                #expect(database.pool.longestReadLag == nil)
                try await client.withSnapshot { session in
                    let options: BSONDocument = ["batchSize": 5]
                    let cursor = try await client.find(things, filter: [:], options: options, session: session)
                    _ = try await cursor.nextBatch(maximum: 5)
                    let snapshot = try #require(database.pool.oldestRead)
                    try await client.bulkWrite(things, [.insert(["_id": 100])])
                    _ = try await client.run(["count": "things"], on: database.name, mode: .read)
                    #expect(try await client.all(cursor).count == 45)
                    #expect(database.pool.oldestRead == snapshot)
                    database.pool.resetReads()
                    _ = try await client.run(["count": "things"], on: database.name, mode: .read)
                    #expect(try #require(database.pool.oldestRead) > snapshot)
                }
                #expect(database.pool.longestReadLag != nil)
            }
        }
    }

    @Test("isn't known of a server without a replica set")
    func knowsNoneOfStandalone() async throws {
        try await withDatabase { database in
            _ = try await database.withClient { try await $0.all($0.find(database.namespace("things"), filter: [:])) }
            #expect(database.pool.oldestRead == nil)
        }
    }

    @Test("shows a member that lags, by a cursor that stays with its member")
    func showsLag() async throws {
        let set = try await TestReplicaSet.start()
        let namespace = Namespace("lag", "things")
        let pool = try MongoPool(
            ConnectionString(set.server.uri + "&heartbeatFrequencyMS=500"), logger: LogRecorder().logger)
        try await pool.withClient { client in
            _ = try await client.run(
                [
                    "insert": .string(namespace.collection),
                    "documents": .array(BSONArray((0..<40).map { .document(["_id": .int32($0)]) })),
                    // Whichever secondary is asked has them.
                    "writeConcern": ["w": 3],
                ], on: namespace.database)
            let primary = try await set.primary()
            let secondaries = (0..<3).filter { $0 != primary }
            try await set.waitUntilHealthy()
            for _ in 0..<10 {
                let options: BSONDocument = ["batchSize": 3]
                let cursor = try await client.find(
                    namespace, filter: [:], options: options, readPreference: .secondary)
                #expect(try await client.all(cursor).count == 40)
            }
            for member in secondaries { try await set.setLagging(true, member: member) }
            try await waitUntil("a lag of two seconds") {
                try await client.bulkWrite(namespace, [.deleteMany(filter: ["_id": 0])], concern: .acknowledged)
                pool.resetReads()
                _ = try await client.all(client.find(namespace, filter: [:], readPreference: .secondary))
                return (pool.longestReadLag ?? .zero) >= .seconds(2)
            }
            for member in secondaries { try await set.setLagging(false, member: member) }
        }
        try await set.stop()
    }
}
