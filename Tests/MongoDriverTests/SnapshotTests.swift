import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("Snapshots")
struct SnapshotTests {
    @Test("show the data at one moment, whatever is written meanwhile")
    func showsOneMoment() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.load("things", (0..<50).map { ["_id": .int32($0)] })
            try await database.load("others", [["_id": 1]])
            let namespace = database.namespace("things")
            try await database.withClient { client in
                // What was just written is in a snapshot only when a majority has it.
                try await client.bulkWrite(namespace, [.insert(["_id": 50])])
                try await client.withSnapshot { session in
                    #expect(!session.isTransaction)
                    let cursor = try await client.find(
                        namespace, filter: [:], options: ["batchSize": 5, "sort": ["_id": 1]], session: session)
                    let first = try await cursor.nextBatch(maximum: 5)
                    try await client.bulkWrite(namespace, [.deleteMany(filter: [:]), .insert(["_id": 99])])
                    try await client.bulkWrite(database.namespace("others"), [.insert(["_id": 2])])
                    let rest = try await client.all(cursor)
                    #expect(first.count + rest.count == 51)
                    let others = try await client.all(
                        client.aggregate(
                            database.namespace("others"), pipeline: [["$count": "n"]], session: session))
                    #expect(others == [["n": 1]])
                }
            }
            #expect(try await database.all("things") == [["_id": 99]])
        }
    }

    @Test("give back what their closure gives, and throw what it throws")
    func passesResults() async throws {
        struct Refusal: Error {}
        try await withDatabase(on: .replicaSet) { database in
            try await database.withClient { client in
                let result = try await client.withSnapshot { _ in 7 }
                #expect(result == 7)
                await #expect(throws: Refusal.self) { try await client.withSnapshot { _ in throw Refusal() } }
                let session = try await client.withSnapshot { $0 }
                await expectError(.internal) {
                    _ = try await client.all(
                        client.find(database.namespace("things"), filter: [:], session: session))
                }
            }
        }
    }

    @Test("don't exist on a standalone server, which says so")
    func refusesStandalone() async throws {
        try await withDatabase(on: .standalone) { database in
            try await database.load("things", [["_id": 1]])
            try await database.withClient { client in
                await expectError(.server) {
                    try await client.withSnapshot { session in
                        _ = try await client.all(
                            client.find(database.namespace("things"), filter: [:], session: session))
                    }
                }
            }
        }
    }
}
