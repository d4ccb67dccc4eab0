import BSON
import Journal
import MongoDriver
import TestSupport
import Testing

@Suite("Finishing what a killed run began")
struct ResumerTests {
    @Test(
        "what the server refuses by now is given up and reported, and stands in nobody's way",
        arguments: [("validator", "seen", 1), ("validator", "gone", 0), ("indexes", "things", 1)])
    func refusedByNow(kind: String, collection: String, left: Int) async throws {
        try await withDatabase { database in
            try await database.load("things", [["_id": 1, "a": 1], ["_id": 2, "a": 1]])
            _ = try await database.run(["create": "seen", "viewOn": "things"])
            let dead = ObjectID(timestamp: 1)
            // A validator of what has become a view, or is gone, which is nothing to speak of; a unique index that
            // duplicates have come to forbid.
            try await database.load(
                "chat_admin.journal",
                [
                    [
                        "_id": ["r": .objectID(dead), "n": .int64(1)], "kind": .string(kind), "state": "planned",
                        "code": "test", "collection": .string(collection), "before": [:],
                        "after": ["validator": ["a": 1]],
                        "indexes": [["key": ["a": 1], "name": "a_1", "unique": true]], "open": true,
                    ]
                ])
            try await withRun(on: database) { run in
                let source = ValueSource(database: database, referrer: RekeyerTests.referrer)
                let resumed = try await Resumer(run: run, source: source).resume()
                #expect(resumed.count == 1)
                #expect(run.totals.leftovers.count == left)
            }
            #expect(try await database.count("chat_admin.journal", ["open": true]) == 0)
            #expect(try await database.count("chat_admin.journal", ["state": "abandoned"]) == 1)
        }
    }

    @Test("an offline recount is sent again only by a run that is offline too", arguments: [true, false])
    func offline(isOffline: Bool) async throws {
        try await withDatabase { database in
            try await database.load("things", [["_id": 1, "n": 5]])
            let dead = ObjectID(timestamp: 1)
            try await database.load(
                "chat_admin.journal",
                [
                    [
                        "_id": ["r": .objectID(dead), "n": .int64(1)], "kind": "fields", "state": "planned",
                        "code": "test", "collection": "things", "once": true, "offline": true, "open": true,
                        "items": [["id": 1, "before": ["n": 5], "after": ["n": 7]]],
                    ]
                ])
            try await withRun(on: database, offline: isOffline) { run in
                _ = try await Resumer(run: run, source: NoReferences()).resume()
            }
            #expect(try await database.one("things", ["_id": 1])["n"] == (isOffline ? 7 : 5))
            let entry = try await database.one("chat_admin.journal", [:])
            #expect(entry["state"] == "done")
            #expect(entry["missed"] == (isOffline ? nil : [1]))
        }
    }
}
