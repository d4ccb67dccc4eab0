import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("Documents, byte for byte")
struct ByteExactnessTests {
    /// Documents that a driver with opinions would change or refuse.
    static let odd: [BSONDocument] = {
        let every = BSONDocument(ExtendedJSONTests.values.enumerated().map { ("v\($0.offset)", $0.element.0) })
        // {"a": "caf\xe9", "\xff": {"0": "\xc3"}}
        let nested: [UInt8] = [14, 0, 0, 0, 2, 0x30, 0, 2, 0, 0, 0, 0xc3, 0, 0]
        let text: [UInt8] = [2, 0x61, 0, 5, 0, 0, 0, 0x63, 0x61, 0x66, 0xe9, 0]
        let body = text + [3, 0xff, 0] + nested
        let latin = try? BSONDocument(validating: [UInt8(body.count + 5), 0, 0, 0] + body + [0])
        return [
            every, latin ?? [:], ["a.b": 1, "$set": 2, "": 3, "nested": ["$x": ["y.z": ["": 1]]]],
            ["nan": .double(Double(bitPattern: 0x7ff8_0000_0000_1234)), "negative": .double(-0.0)],
            ["same": 1, "other": 2, "z": ["same": 1, "b": 2, "a": 3]],
            // An array whose keys aren't its positions.
            ["array": .array(BSONArray()), "text": "\u{0}\u{FEFF}e\u{301}"],
        ]
    }()

    private static func stored(_ number: Int, _ document: BSONDocument) -> BSONDocument {
        var result: BSONDocument = ["_id": .int32(Int32(number))]
        for element in document.rawElements { result.append(raw: element) }
        return result
    }

    @Test("are inserted, found, aggregated, replaced and matched as they are", arguments: TestServer.Kind.allCases)
    func areKept(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let documents = Self.odd.enumerated().map { Self.stored($0.offset, $0.element) }
            let namespace = database.namespace("things")
            try await database.withClient { client in
                try await client.bulkWrite(namespace, documents.map { .insert($0) })
                let sorted: BSONDocument = ["sort": ["_id": 1]]
                let found = try await client.all(client.find(namespace, filter: [:], options: sorted))
                #expect(found == documents)
                let aggregated = try await client.all(
                    client.aggregate(namespace, pipeline: [["$sort": ["_id": 1]]], options: ["allowDiskUse": true]))
                #expect(aggregated == documents)
                for document in documents {
                    // The whole document as a condition, as repairs compare and set.
                    let condition: BSONDocument = [
                        "_id": document["_id"] ?? .null,
                        "$expr": ["$eq": ["$$ROOT", ["$literal": .document(document)]]],
                    ]
                    let count: BSONDocument = ["count": "things", "query": .document(condition)]
                    #expect(try await client.run(count, on: database.name, mode: .read)["n"] == 1)
                    let image: BSONDocument = [
                        "_id": .document(["of": document["_id"] ?? .null]), "image": .document(document),
                    ]
                    try await client.bulkWrite(database.namespace("images"), [.insert(image)])
                    try await compareAndSet(client, namespace, document, condition)
                    let seen = try await client.findAndModify(
                        namespace, query: condition, ["remove": true], concern: .acknowledged)
                    #expect(seen == document)
                    try await client.bulkWrite(namespace, [.insert(document)])
                }
                let images = try await client.all(
                    client.find(database.namespace("images"), filter: [:], options: ["sort": ["_id": 1]]))
                #expect(images.map { $0["image"] } == documents.map { .document($0) })
            }
        }
    }

    /// Puts a copy of a document into itself by an update and by a pipeline, each on the condition that it is as it
    /// was, and then puts the document back.
    private func compareAndSet(
        _ client: MongoClient, _ namespace: Namespace, _ document: BSONDocument, _ condition: BSONDocument
    ) async throws {
        let exactly: BSONDocument = ["locale": "simple"]
        let set: BSONDocument = ["$set": ["copy": .document(document)]]
        let changed = try await client.bulkWrite(
            namespace, [.updateOne(filter: condition, update: set)], collation: exactly)
        #expect(changed.modified == 1)
        let again = try await client.bulkWrite(
            namespace, [.updateMany(filter: condition, update: set), .deleteOne(filter: condition)], collation: exactly)
        #expect(again.matched == 0)
        #expect(again.removed == 0)
        let pipeline: BSONArray = [["$replaceWith": ["$literal": .document(document)]]]
        let only: BSONDocument = ["_id": document["_id"] ?? .null]
        let back = try await client.bulkWrite(
            namespace,
            [
                .updateMany(filter: only, update: pipeline.document),
                .replaceOne(filter: condition, replacement: document), .deleteOne(filter: condition),
                .insert(document),
            ], ordered: true, collation: exactly)
        #expect(back.matched == 2)
        #expect(back.removed == 1)
    }

    @Test("near the limit of 16 MB go through bulk writes and cursors")
    func areKeptWhenLarge() async throws {
        try await withDatabase { database in
            // The server's limit of 16 MiB, less the document's own 5 bytes, `_id` (9) and the rest of `text` (11).
            let most = (16 << 20) - 5 - 9 - 11
            let large: [BSONDocument] = (0..<3).map {
                ["_id": .int32($0), "text": .string(String(repeating: "x", count: most - Int($0)))]
            }
            #expect(large[0].byteCount == 16 << 20)
            let namespace = database.namespace("things")
            try await database.withClient { client in
                try await client.bulkWrite(namespace, large.map { .insert($0) })
                let cursor = try await client.find(namespace, filter: [:], options: ["sort": ["_id": 1]])
                for expected in large {
                    let batch = try await cursor.nextBatch(maximum: 10)
                    #expect(batch.count == 1)
                    #expect(batch.first == expected)
                }
                let replacement: BSONDocument = ["_id": 1, "text": .string(String(repeating: "y", count: most))]
                let result = try await client.bulkWrite(
                    namespace, [.replaceOne(filter: ["_id": 1], replacement: replacement)])
                #expect(result.modified == 1)
                let found = try await client.findAndModify(namespace, query: ["_id": 1], ["remove": true])
                #expect(found == replacement)
            }
        }
    }

    @Test("with an _id of \"\" or null are inserted as they are, and one without gets an ObjectId")
    func keepsIdentifiers() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                try await client.bulkWrite(
                    database.namespace("things"),
                    [.insert(["_id": "", "n": 1]), .insert(["_id": .null, "n": 2]), .insert(["n": 3])])
            }
            let stored = try await database.all("things")
            #expect(stored.count == 3)
            #expect(stored[0] == ["_id": .null, "n": 2])
            #expect(stored[1] == ["_id": "", "n": 1])
            #expect(stored[2]["_id"]?.objectID != nil)
        }
    }
}
