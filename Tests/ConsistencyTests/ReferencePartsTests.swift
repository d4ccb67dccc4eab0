import BSON
import Chat
import Journal
import MongoDriver
import TestSupport
import Testing

@testable import Consistency

/// Looking at references in several passes finds what one pass finds.
@Suite("References in parts")
struct ReferencePartsTests {
    private static func scan(
        _ database: TestDatabase, _ collection: String, groupsAtOnce: Int
    ) async throws -> (findings: [String: Int], samples: Int, scanned: Int) {
        try await database.withClient { client in
            let target = Database(client: client, name: database.name, server: try await client.describeServer())
            let schema = DatabaseSchema.chat
            let scan = ReferenceScan(
                database: target, collection: try #require(schema.collection(collection)), schema: schema,
                groupsAtOnce: groupsAtOnce)
            let (found, scanned) = try await scan.scan(workers: 2, Interruption())
            let counts = found.sorted.map { ("\($0.code.rawValue) \($0.field ?? "")", $0.count) }
            let samples = found.sorted.reduce(0) { $0 + $1.samples.count }
            return (Dictionary(uniqueKeysWithValues: counts), samples, scanned)
        }
    }

    @Test(
        "a reference that isn't there and one that is null are told apart, and neither is lost",
        arguments: TestServer.Kind.allCases)
    func nothing(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("users", [["_id": .objectID(.min)]])
            // The server groups both together where there is but one field to group by, as in sessions.
            let ids = (1...5).map { BSONValue.objectID(ObjectID(timestamp: $0)) }
            try await database.load(
                "chat_sessions", ids.enumerated().map { $0 < 2 ? ["_id": $1] : ["_id": $1, "user_id": .null] })
            let scanned = try await Self.scan(database, "chat_sessions", groupsAtOnce: .max)
            #expect(scanned.findings == ["ref.missing user_id": 5])
        }
    }

    @Test("every document is in one part, whatever type its reference has", arguments: TestServer.Kind.allCases)
    func everyType(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            let odd: [BSONValue] = [
                .minKey, .null, 1, .double(.nan), "", "z", ["a": 1], [.objectID(.max), "x"], true, .date(1), .maxKey,
                .objectID(.min), .objectID(.max),
            ]
            let owner = BSONValue.objectID(ObjectID(timestamp: 1))
            try await database.load(
                "messages",
                odd.enumerated().map { index, value in
                    ["_id": .objectID(ObjectID(timestamp: UInt32(index))), "session_id": value, "user_id": owner]
                } + [["_id": .objectID(ObjectID(timestamp: 99)), "user_id": owner]])
            for collection in ["messages", "chat_sessions"] {
                let whole = try await Self.scan(database, collection, groupsAtOnce: .max)
                #expect(!whole.findings.isEmpty)
                #expect(whole.scanned == (try await database.count(collection)))
                for groups in [1, 3, 10, 40] {
                    let parts = try await Self.scan(database, collection, groupsAtOnce: groups)
                    #expect(parts == whole, "\(groups) groups at once")
                }
            }
        }
    }
}
