import BSON
import TestSupport
import Testing

@testable import MongoDriver

@Suite("Streams of changes")
struct ChangeStreamTests {
    @Test("tell what has changed after a place, in order, and where they have come to")
    func follow() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.run(["create": "c"])
            try await database.withClient { client in
                let place = try await client.changeStreamToken(database.name)
                for number in 1...5 { try await database.load("c", [["_id": .int32(Int32(number))]]) }
                let stream = try await client.watch(database.name, .after(place), pipeline: [], batchSize: 2)
                var seen: [BSONValue] = []
                var last = place
                while seen.count < 5 {
                    let batch = try await stream.next(waiting: .milliseconds(500))
                    #expect(batch.events.count <= 2)
                    seen += batch.events.compactMap { $0.value(at: "documentKey", "_id") }
                    last = batch.token
                }
                #expect(seen == [1, 2, 3, 4, 5])
                await stream.close()
                let first = try #require(place.time)
                #expect(try #require(last.time) > first)
                // Nothing is told twice.
                let next = try await client.watch(database.name, .after(last), pipeline: [])
                #expect(try await next.next(waiting: .milliseconds(1)).events.isEmpty)
                await next.close()
            }
        }
    }

    @Test("fail with an error where there is no such place, and where there are none")
    func refused() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.withClient { client in
                let nowhere = ResumeToken(["_data": "00"])
                await #expect(throws: MongoError.self) {
                    try await client.watch(database.name, .after(nowhere), pipeline: [])
                }
            }
        }
        try await withDatabase { database in
            try await database.withClient { client in
                await #expect(throws: MongoError.self) { try await client.changeStreamToken(database.name) }
            }
        }
    }

    @Test("tell their place's moment, and nothing of a place that isn't known")
    func time() {
        let known = ResumeToken(["_data": "826B09579000000002296E04"]).time
        #expect(known == BSONTimestamp(seconds: 0x6b09_5790, increment: 2))
        for data in ["", "82", "816B09579000000002", "82zzzzzzzz00000002"] {
            #expect(ResumeToken(["_data": .string(data)]).time == nil)
        }
        #expect(ResumeToken([:]).time == nil)
    }
}
