import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("A peer that answers a cursor's command wrongly")
struct CursorReplyTests {
    private static let things = Namespace("chat", "things")

    /// What no server says of a cursor.
    static let wrong: [BSONDocument] = [
        ["ok": 1.0],
        ["cursor": 5, "ok": 1.0],
        ["cursor": [:], "ok": 1.0],
        ["cursor": ["id": .int64(0), "BATCH": []], "ok": 1.0],
        ["cursor": ["id": .int64(0), "ns": 5, "BATCH": []], "ok": 1.0],
        ["cursor": ["id": .int64(0), "ns": "", "BATCH": []], "ok": 1.0],
        ["cursor": ["id": .int64(0), "ns": "chat", "BATCH": []], "ok": 1.0],
        ["cursor": ["id": .int64(0), "ns": "other.things", "BATCH": []], "ok": 1.0],
        ["cursor": ["id": "7", "ns": "chat.things", "BATCH": []], "ok": 1.0],
        ["cursor": ["ns": "chat.things", "BATCH": []], "ok": 1.0],
        ["cursor": ["id": .int64(0), "ns": "chat.things"], "ok": 1.0],
        ["cursor": ["id": .int64(0), "ns": "chat.things", "BATCH": [:]], "ok": 1.0],
        ["cursor": ["id": .int64(0), "ns": "chat.things", "BATCH": "x"], "ok": 1.0],
        ["cursor": ["id": .int64(0), "ns": "chat.things", "BATCH": [5]], "ok": 1.0],
        ["cursor": ["id": .int64(0), "ns": "chat.things", "BATCH": [["_id": 1], .null]], "ok": 1.0],
    ]

    /// A reply with its list of documents under the name that the command asks for.
    private static func named(_ reply: BSONDocument, _ name: String) -> BSONDocument {
        guard let cursor = reply["cursor"]?.document, let batch = cursor["BATCH"] else { return reply }
        var renamed = cursor.removing("BATCH")
        renamed.append(name, batch)
        return reply.replacing("cursor", with: .document(renamed))
    }

    private func withMock(
        answering answer: @escaping @Sendable (BSONDocument) -> MockServer.Answer,
        _ body: (MongoClient) async throws -> Void
    ) async throws {
        let server = try MockServer(answer)
        let pool = try MongoPool(
            ConnectionString("mongodb://127.0.0.1:\(server.port)/"), logger: LogRecorder().logger)
        try await pool.withClient(body)
    }

    @Test("gets an error with a sentence, for its first reply", arguments: wrong)
    func refusesFirst(reply: BSONDocument) async throws {
        let answer: @Sendable (BSONDocument) -> MockServer.Answer = { _ in .reply(Self.named(reply, "firstBatch")) }
        try await withMock(answering: answer) { client in
            let cursors = [
                try await client.find(Self.things, filter: [:]),
                try await client.aggregate(Self.things, pipeline: [["$match": [:]]]),
            ]
            for cursor in cursors {
                let error = await expectError(.bson) { _ = try await client.all(cursor) }
                #expect(error?.message.contains("answered a cursor's command") == true)
            }
            await expectError(.bson) { _ = try await client.listCollections("chat") }
            await expectError(.bson) { _ = try await client.listIndexes(Self.things) }
        }
    }

    @Test("gets an error with a sentence, for a later reply", arguments: wrong)
    func refusesNext(reply: BSONDocument) async throws {
        let first: BSONDocument = [
            "cursor": ["id": .int64(7), "ns": "chat.things", "firstBatch": [["_id": 0]]], "ok": 1.0,
        ]
        let answer: @Sendable (BSONDocument) -> MockServer.Answer = { command in
            command.keys.first == "getMore" ? .reply(Self.named(reply, "nextBatch")) : .reply(first)
        }
        try await withMock(answering: answer) { client in
            let cursor = try await client.find(Self.things, filter: [:])
            #expect(try await cursor.nextBatch(maximum: 1) == [["_id": 0]])
            await expectError(.bson) { while try await !cursor.nextBatch(maximum: 1).isEmpty {} }
            // Nor does it look like the end when it is asked again.
            await expectError(.bson) { _ = try await cursor.nextBatch() }
            await cursor.close()
        }
    }

    @Test("is asked once more for a read, and never for what it has answered, nor with retryReads=false")
    func retriesOnce() async throws {
        for (options, expected) in [("", 2), ("?retryReads=false", 1)] {
            let server = try MockServer { $0.keys.first == "find" ? .hangUp : .reply(["ok": 1.0]) }
            let pool = try MongoPool(
                ConnectionString("mongodb://127.0.0.1:\(server.port)/\(options)"), logger: LogRecorder().logger)
            _ = try await pool.withClient { client in
                await expectError(.network) { _ = try await client.all(client.find(Self.things, filter: [:])) }
            }
            #expect(server.commands.count { $0 == "find" } == expected)
        }
    }
}
