import BSON
import Journal
import MongoDriver
import TestSupport
import Testing

@Suite("Reading at one moment")
struct DatabaseTests {
    @Test("what a server can't show yet is asked for again", arguments: [246, 239] as [Int32])
    func snapshotUnavailable(code: Int32) async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.withClient { client in
                // Only what a majority has is seen at a moment.
                try await client.bulkWrite(database.namespace("things"), [.insert(["_id": 1])])
                let view = Database(client: client, name: database.name, server: try await client.describeServer())
                let found = try await database.withFailPoint(FailCommand("find").failing(code: code), mode: .times(2)) {
                    _ in
                    try await view.atOneMoment { try await view.findAll("things", filter: [:], session: $0) }
                }
                #expect(found == [["_id": 1]])
            }
        }
    }

    @Test("what is written meanwhile isn't seen")
    func oneMoment() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.withClient { client in
                // Only what a majority has is seen at a moment.
                try await client.bulkWrite(database.namespace("things"), [.insert(["_id": 1])])
                let view = Database(client: client, name: database.name, server: try await client.describeServer())
                let counts = try await view.atOneMoment { session in
                    let before = try await view.findAll("things", filter: [:], session: session).count
                    try await database.load("things", [["_id": 2]])
                    return (before, try await view.findAll("things", filter: [:], session: session).count)
                }
                #expect(counts == (1, 1))
            }
        }
    }
}
