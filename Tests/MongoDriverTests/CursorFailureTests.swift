import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("A cursor that breaks")
struct CursorFailureTests {
    private static let thousand = (0..<1000).map { ["_id": .int32(Int32($0))] as BSONDocument }

    /// How many documents were read before the error, and the error.
    private func readUntilError(_ cursor: MongoCursor) async throws -> (read: Int, error: MongoError) {
        var read = 0
        do {
            while true {
                let batch = try await cursor.nextBatch(maximum: 10)
                if batch.isEmpty { throw TestSupportError("The cursor ended after \(read) documents.") }
                read += batch.count
            }
        } catch let error as MongoError {
            return (read, error)
        }
    }

    @Test("never looks like one that ended: connection lost", arguments: TestServer.Kind.allCases, [0, 1, 3])
    func throwsWhenConnectionBreaks(kind: TestServer.Kind, skipped: Int32) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("things", Self.thousand)
            try await database.withFailPoint(FailCommand("getMore").closingConnection(), mode: .skip(skipped)) { _ in
                try await database.withClient { client in
                    for aggregating in [false, true] {
                        let options: BSONDocument = ["batchSize": 10]
                        let namespace = database.namespace("things")
                        let cursor =
                            try await aggregating
                            ? client.aggregate(namespace, pipeline: [["$match": [:]]], options: options)
                            : client.find(namespace, filter: [:], options: options)
                        let (read, error) = try await readUntilError(cursor)
                        #expect(error.kind == .network, "\(error)")
                        #expect(read < 1000)
                        // Nor does it when it is asked again.
                        await expectError(.network) { _ = try await cursor.nextBatch() }
                        await cursor.close()
                    }
                }
            }
            // The pool goes on with a new connection.
            #expect(try await database.count("things") == 1000)
            try await database.run(["ping": 1])
        }
    }

    @Test("throws the server's error with its code", arguments: TestServer.Kind.allCases)
    func throwsServerErrors(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("things", Self.thousand)
            // 43: CursorNotFound, as after a cursor's ten idle minutes; 11601: Interrupted; 50: MaxTimeMSExpired.
            for (code, kind) in [(43, MongoError.Kind.server), (11601, .server), (50, .timeout)] {
                try await database.withFailPoint(FailCommand("getMore").failing(code: Int32(code))) { _ in
                    try await database.withClient { client in
                        let cursor = try await client.find(
                            database.namespace("things"), filter: [:], options: ["batchSize": 10])
                        let (read, error) = try await readUntilError(cursor)
                        #expect(read == 10)
                        #expect(error.kind == kind)
                        #expect(error.code == Int32(code))
                    }
                }
            }
        }
    }

    @Test("by its first command throws too")
    func throwsAtFirstBatch() async throws {
        try await withDatabase { database in
            try await database.load("things", Self.thousand)
            try await database.withClient { client in
                let namespace = database.namespace("things")
                let bad = try await client.find(namespace, filter: ["$nonsense": 1])
                let error = await expectError(.server) { _ = try await bad.nextBatch() }
                #expect(error?.code == 2)
                await expectError(.server) { _ = try await client.all(bad) }
                await expectError(.server) {
                    _ = try await client.all(client.aggregate(namespace, pipeline: [["$nonsense": 1]]))
                }
                await expectError(.timeout) {
                    let filter: BSONDocument = ["$where": "sleep(10000) || true"]
                    _ = try await client.all(client.find(namespace, filter: filter, options: ["maxTimeMS": 50]))
                }
            }
        }
    }

    @Test("by options that libmongoc refuses is refused at once")
    func refusesOptions() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                do {
                    let cursor = try await client.find(
                        database.namespace("things"), filter: [:], options: ["readConcern": 5])
                    _ = try await cursor.nextBatch()
                    Issue.record("nothing was thrown")
                } catch {
                    #expect(error is MongoError)
                }
            }
        }
    }

    @Test("once is retried by the driver where nothing was lost", arguments: [TestServer.Kind.replicaSet])
    func retriesFirstCommand(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("things", Self.thousand)
            let fault = FailCommand("find", "aggregate").closingConnection()
            try await database.withFailPoint(fault, mode: .times(1)) { point in
                try await database.withClient { client in
                    let found = try await client.all(client.find(database.namespace("things"), filter: [:]))
                    #expect(found.count == 1000)
                }
                try await point.waitUntilEntered()
            }
        }
    }
}
