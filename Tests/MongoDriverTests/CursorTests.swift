import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("Cursors")
struct CursorTests {
    private static let hundred = (0..<100).map { number -> BSONDocument in
        ["_id": .int32(number), "half": .int32(number / 2)]
    }

    @Test("give every document once, in batches of the size asked for", arguments: TestServer.Kind.allCases)
    func readsBatches(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("things", Self.hundred)
            try await database.withClient { client in
                let options: BSONDocument = ["sort": ["_id": 1], "batchSize": 7]
                let cursor = try await client.find(database.namespace("things"), filter: [:], options: options)
                var batches: [[BSONDocument]] = []
                while true {
                    let batch = try await cursor.nextBatch(maximum: 30)
                    batches.append(batch)
                    if batch.isEmpty { break }
                }
                #expect(batches.map(\.count) == [30, 30, 30, 10, 0])
                #expect(batches.flatMap(\.self) == Self.hundred)
                // Behind the end is still the end.
                #expect(try await cursor.nextBatch().isEmpty)
                await cursor.close()
                await cursor.close()
                await expectError(.internal) { _ = try await cursor.nextBatch() }
            }
        }
    }

    @Test("stop a batch when it has grown large")
    func boundsBytes() async throws {
        try await withDatabase { database in
            let large = (0..<20).map {
                ["_id": .int32($0), "text": .string(String(repeating: "x", count: 100_000))] as BSONDocument
            }
            try await database.load("things", large)
            try await database.withClient { client in
                let cursor = try await client.find(database.namespace("things"), filter: [:])
                var counts: [Int] = []
                while let batch = try await Optional(cursor.nextBatch(maximumBytes: 450_000)), !batch.isEmpty {
                    counts.append(batch.count)
                }
                #expect(counts == [5, 5, 5, 5])
            }
        }
    }

    @Test("of an empty or a missing collection are empty", arguments: TestServer.Kind.allCases)
    func readsNothing(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.withClient { client in
                let namespace = database.namespace("none")
                let found = try await client.all(client.find(namespace, filter: [:]))
                #expect(found.isEmpty)
                #expect(try await client.all(client.aggregate(namespace, pipeline: [["$match": [:]]])).isEmpty)
            }
        }
    }

    @Test("obey filter, projection, sort, limit, hint, min and max")
    func obeysOptions() async throws {
        try await withDatabase { database in
            try await database.load("things", Self.hundred)
            try await database.withClient { client in
                let namespace = database.namespace("things")
                let filtered = try await client.all(
                    client.find(
                        namespace, filter: ["half": ["$gte": 48]],
                        options: ["projection": ["half": 0], "sort": ["_id": -1], "limit": 3]))
                #expect(filtered == [["_id": 99], ["_id": 98], ["_id": 97]])
                let range = try await client.all(
                    client.find(
                        namespace, filter: [:],
                        options: ["hint": ["_id": 1], "min": ["_id": 5], "max": ["_id": 7]]))
                #expect(range.map { $0["_id"] } == [5, 6])
                let ignoringCase: BSONDocument = ["collation": ["locale": "en", "strength": 2], "maxTimeMS": 10_000]
                try await database.load("words", [["_id": "Ä"], ["_id": "ä"], ["_id": "a"]])
                let words = try await client.all(
                    client.find(database.namespace("words"), filter: ["_id": "ä"], options: ignoringCase))
                #expect(words.count == 2)
            }
        }
    }

    @Test("of aggregations obey their options", arguments: TestServer.Kind.allCases)
    func aggregates(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("things", Self.hundred)
            try await database.withClient { client in
                let pipeline: [BSONDocument] = [
                    ["$match": ["$expr": ["$lt": ["$_id", "$$limit"]]]],
                    ["$group": ["_id": "$half", "count": ["$sum": 1]]], ["$sort": ["_id": 1]],
                ]
                let options: BSONDocument = ["allowDiskUse": true, "batchSize": 2, "let": ["limit": 5]]
                let cursor = try await client.aggregate(
                    database.namespace("things"), pipeline: pipeline, options: options, readPreference: .nearest)
                let expected: [BSONDocument] = [
                    ["_id": 0, "count": 2], ["_id": 1, "count": 2], ["_id": 2, "count": 1],
                ]
                #expect(try await client.all(cursor) == expected)
                // A pipeline that writes gives no documents, and has written when it is at its end.
                let writing = try await client.aggregate(
                    database.namespace("things"), pipeline: pipeline + [["$out": "halves"]], options: options)
                #expect(try await client.all(writing).isEmpty)
                #expect(try await client.all(client.find(database.namespace("halves"), filter: [:])).count == 3)
            }
        }
    }

    @Test("take filters and pipelines with empty keys in them", arguments: TestServer.Kind.allCases)
    func takesEmptyKeys(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let document: BSONDocument = ["_id": 1, "value": ["": ["": 5]]]
            try await database.load("things", [document, ["_id": 2, "value": [:]]])
            try await database.withClient { client in
                let namespace = database.namespace("things")
                let filter: BSONDocument = ["value": ["": ["": 5]]]
                #expect(try await client.all(client.find(namespace, filter: filter)) == [document])
                let pipeline: [BSONDocument] = [
                    ["$match": .document(filter)], ["$set": ["new": ["$literal": ["": 1]]]],
                ]
                let changed = try await client.all(client.aggregate(namespace, pipeline: pipeline))
                #expect(changed.map { $0.value(at: "new", "") } == [1])
            }
        }
    }

    @Test("of a client are independent of each other")
    func areIndependent() async throws {
        try await withDatabase { database in
            try await database.load("things", Self.hundred)
            try await database.withClient { client in
                let options: BSONDocument = ["batchSize": 3, "sort": ["_id": 1]]
                let one = try await client.find(database.namespace("things"), filter: [:], options: options)
                let other = try await client.find(database.namespace("things"), filter: [:], options: options)
                for start in stride(from: 0, to: 100, by: 10) {
                    let expected = Array(Self.hundred[start..<start + 10])
                    #expect(try await one.nextBatch(maximum: 10) == expected)
                    #expect(try await other.nextBatch(maximum: 10) == expected)
                }
            }
        }
    }

    @Test("that were left open are closed with their client, on the server too")
    func closesLeftovers() async throws {
        try await withDatabase { database in
            try await database.load("things", Self.hundred)
            let leftover = try await database.withClient { client in
                let cursor = try await client.find(
                    database.namespace("things"), filter: [:], options: ["batchSize": 2])
                _ = try await cursor.nextBatch(maximum: 1)
                return cursor
            }
            await expectError(.internal) { _ = try await leftover.nextBatch() }
            let open: [BSONDocument] = [
                ["$currentOp": ["idleCursors": true]], ["$match": ["ns": .string("\(database.name).things")]],
                ["$match": ["cursor": ["$exists": true]]],
            ]
            let command: BSONDocument = [
                "aggregate": 1, "pipeline": .array(BSONArray(open.map { .document($0) })), "cursor": [:],
            ]
            let reply = try await database.server.admin.withClient { try await $0.run(command, on: "admin") }
            #expect(reply.value(at: "cursor", "firstBatch") == [])
        }
    }

    @Test("close when the closure that reads them throws")
    func closesOnThrow() async throws {
        struct Enough: Error {}
        try await withDatabase { database in
            try await database.load("things", Self.hundred)
            try await database.withClient { client in
                let cursor = try await client.find(database.namespace("things"), filter: [:])
                await #expect(throws: Enough.self) {
                    try await client.forEachBatch(of: cursor, maximum: 10) { _ in throw Enough() }
                }
                await expectError(.internal) { _ = try await cursor.nextBatch() }
            }
        }
    }
}
