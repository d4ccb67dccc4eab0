import BSON
import MongoDriver
import TestSupport
import Testing

/// One of the four collections is capped: on a replica set it takes no part in a transaction, and can't be read in a
/// snapshot.
@Suite("Capped collections")
struct CappedTests {
    @Test(
        "what can't be repaired is named by the plan, everything else is repaired, and an undo restores it",
        arguments: TestDatabase.chatCollections, [TestServer.Kind.replicaSet, .standalone])
    func capped(collection: String, kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.run(["create": .string(collection), "capped": true, "size": 50_000_000])
            try await database.loadIncident()
            let before = try await application(database)
            let found = try await json(["check"], on: database, expecting: 1).counts(of: "findings", "count")
            let damaged = ["id.empty", "id.string"].contains { found[$0]?[collection] != nil }

            let plan = try await Tool.run(["migrate", "plan"] + target(database))
            #expect(plan.exitCode == 2, "\(plan)")
            #expect(plan.output.contains("in \(collection): its collection is capped") == damaged, "\(plan)")

            let up = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 1)
            let states = (up["steps"]?.array?.values ?? []).compactMap { $0.document?["state"]?.string }
            #expect(states == Array(repeating: "applied", count: 6))
            let left = try await json(["check"], on: database, expecting: 1).counts(of: "findings", "count")
            for code in ["id.empty", "id.string"] {
                #expect(left[code]?.keys.contains { $0 != collection } != true, "\(code)")
                #expect(left[code]?[collection] == found[code]?[collection], "\(code)")
            }
            // A message whose session keeps its wrong _id can't be shown what it belongs to, but nothing else is left.
            // Before 5.0 a document there can't become larger or smaller, which is said.
            let reasons = (up["left"]?.array?.values ?? []).compactMap { $0.document?["reason"]?.string }
            if !reasons.contains(where: { $0.contains("Cannot change the size of a document in a capped collection") })
            {
                #expect(left["count.wrong"] == nil && left["count.type"] == nil && left["last.wrong"] == nil, "\(left)")
            }
            #expect(left["guard.missing"] == nil && left["index.missing"] == nil, "\(left)")

            let down = try await json(["migrate", "down", "--to", "0", "--yes"], on: database, expecting: 0)
            #expect(down["left"]?.array?.isEmpty == true)
            #expect(try await application(database) == before)
            _ = try await json(["repair", "all", "--settle", "0.2", "--yes"], on: database, expecting: 1)
        }
    }
}
