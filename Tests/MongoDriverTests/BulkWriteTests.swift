import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("Bulk writes")
struct BulkWriteTests {
    @Test("do everything that a list asks for, and count it", arguments: TestServer.Kind.allCases, [true, false])
    func writes(kind: TestServer.Kind, ordered: Bool) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("things", (10..<20).map { ["_id": .int32($0), "n": 0] })
            try await database.withClient { client in
                let result = try await client.bulkWrite(
                    database.namespace("things"),
                    [
                        .insert(["_id": 1, "n": 0]), .insert(["_id": 2, "n": 0]),
                        .updateOne(filter: ["_id": 10], update: ["$set": ["n": 1]]),
                        .updateOne(filter: ["_id": 11], update: ["$set": ["n": 0]]),
                        .updateMany(filter: ["_id": ["$gte": 17]], update: ["$inc": ["n": 5]]),
                        .replaceOne(filter: ["_id": 12], replacement: ["_id": 12, "new": true]),
                        .deleteOne(filter: ["_id": 13]), .deleteMany(filter: ["_id": ["$in": [14, 15, 99]]]),
                    ], ordered: ordered)
                #expect(result.inserted == 2)
                #expect(result.matched == 6)
                #expect(result.modified == 5)
                #expect(result.removed == 3)
                #expect(result.upserted == 0)
                #expect(result.writeErrors.isEmpty)
            }
            let stored = try await database.all("things")
            #expect(stored.map { $0["_id"] } == [1, 2, 10, 11, 12, 16, 17, 18, 19])
            #expect(stored[4] == ["_id": 12, "new": true])
            #expect(stored[8]["n"] == 5)
        }
    }

    @Test("of nothing do nothing")
    func writesNothing() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                let result = try await client.bulkWrite(database.namespace("things"), [])
                #expect(result.inserted == 0)
                #expect(try await client.listCollections(database.name).isEmpty)
            }
        }
    }

    @Test("take pipelines as updates, which see the document")
    func takesPipelines() async throws {
        try await withDatabase { database in
            try await database.load("things", [["_id": 1, "n": 4], ["_id": 2, "n": 5]])
            let pipeline = BSONArray([["$set": ["n": ["$add": ["$n", 1]], "twice": ["$multiply": ["$n", 2]]]]])
            try await database.withClient { client in
                let result = try await client.bulkWrite(
                    database.namespace("things"),
                    [
                        .updateOne(filter: ["_id": 1], update: pipeline.document),
                        .updateMany(filter: ["n": 5, "_id": 2], update: pipeline.document),
                    ], ordered: true)
                #expect(result.modified == 2)
            }
            #expect(
                try await database.all("things") == [
                    ["_id": 1, "n": 5, "twice": 8], ["_id": 2, "n": 6, "twice": 10],
                ])
        }
    }

    @Test("are split where the server takes only so many at once")
    func splits() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                let many = (0..<120_001).map { WriteModel.insert(["_id": .int32(Int32($0))]) }
                let result = try await client.bulkWrite(database.namespace("things"), many, concern: .acknowledged)
                #expect(result.inserted == 120_001)
                // The position of an error counts from the beginning of the list, not of the part that failed.
                let again = try await client.bulkWriteCollectingErrors(
                    database.namespace("things"), [.insert(["_id": 120_001])] + many[110_000...119_999],
                    concern: .acknowledged)
                #expect(again.inserted == 1)
                #expect(again.writeErrors.count == 10_000)
                #expect(again.writeErrors.map(\.index) == Array(1...10_000))
            }
        }
    }

    @Test("use a collation where one is given")
    func usesCollation() async throws {
        try await withDatabase { database in
            try await database.load("things", [["_id": "a"], ["_id": "A"], ["_id": "b"]])
            try await database.withClient { client in
                let namespace = database.namespace("things")
                let exact = try await client.bulkWrite(
                    namespace, [.deleteMany(filter: ["_id": "B"])], collation: ["locale": "simple"])
                #expect(exact.removed == 0)
                let loose = try await client.bulkWrite(
                    namespace, [.deleteMany(filter: ["_id": "a"])], collation: ["locale": "en", "strength": 2])
                #expect(loose.removed == 2)
                let replaced = try await client.bulkWrite(
                    namespace,
                    [
                        .replaceOne(filter: ["_id": "B"], replacement: ["n": 1]),
                        .updateOne(filter: ["_id": "B"], update: ["$set": ["m": 1]]),
                    ], collation: ["locale": "en", "strength": 2])
                #expect(replaced.modified == 2)
            }
            #expect(try await database.all("things") == [["_id": "b", "n": 1, "m": 1]])
        }
    }

    @Test("bypass the validator when told to, and only then")
    func bypassesValidation() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                let namespace = database.namespace("things")
                try await client.createCollection(namespace, options: ["validator": ["a": ["$type": "int"]]])
                let wrong: [WriteModel] = [.insert(["_id": 1, "a": "text"])]
                await expectError(.documentValidation) { try await client.bulkWrite(namespace, wrong) }
                #expect(try await client.bulkWrite(namespace, wrong, bypassValidation: true).inserted == 1)
            }
        }
    }
}
