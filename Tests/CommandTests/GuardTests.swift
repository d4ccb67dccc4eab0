import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("The guard (step 1)")
struct GuardTests {
    @Test("merges with a validator that is there, and the server then refuses an empty _id")
    func merges() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await database.run([
                "collMod": "messages", "validator": ["content": ["$type": "string"]], "validationLevel": "strict",
            ])
            _ = try await json(["migrate", "up", "--to", "1", "--yes"], on: database, expecting: 0)
            for collection in TestDatabase.chatCollections {
                try await #expect(Self.refusal(of: ["_id": "x", "content": "y"], in: collection, database) == 121)
                try await #expect(Self.refusal(of: ["_id": "", "content": "y"], in: collection, database) == 121)
            }
            // The rule that was there still holds.
            let id = BSONValue.objectID(ObjectID(timestamp: 1))
            try await #expect(Self.refusal(of: ["_id": id, "content": 5], in: "messages", database) == 121)
            try await #expect(Self.refusal(of: ["_id": id, "content": "right"], in: "messages", database) == nil)
            // What is there can still be updated while it waits for its repair.
            let options = try await database.withClient { try await $0.listCollections(database.name) }
            #expect(options["messages"]?.options["validationLevel"] == "moderate")
            #expect(options["users"]?.options["validationLevel"] == "moderate")
        }
    }

    @Test("leaves a validator that only warns alone, and says so")
    func warns() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await database.run([
                "collMod": "users", "validator": ["email": ["$exists": true]], "validationAction": "warn",
            ])
            let up = try await Tool.run(["migrate", "up", "--to", "1", "--yes"] + target(database))
            #expect(up.output.contains("guard.missing") && up.output.contains("only warns"), "\(up)")
            let options = try await database.withClient { try await $0.listCollections(database.name) }
            #expect(options["users"]?.options["validationAction"] == "warn")
        }
    }

    @Test("makes collections that aren't there, and takes them away again while they are empty")
    func createsCollections() async throws {
        try await withDatabase { database in
            try await database.insertJSON("users", #"{"_id": {"$oid": "6909dcb02291d8cdc310411e"}, "username": "a"}"#)
            _ = try await Tool.run(["migrate", "up", "--to", "1", "--yes"] + target(database))
            var present = try await database.withClient { try await $0.listCollections(database.name) }
            #expect(TestDatabase.chatCollections.allSatisfy { present[$0] != nil })
            let down = try await Tool.run(["migrate", "down", "--to", "0", "--yes"] + target(database))
            #expect(down.exitCode == 0, "\(down)")
            present = try await database.withClient { try await $0.listCollections(database.name) }
            #expect(present.keys.filter { !$0.hasPrefix("chat_admin.") } == ["users"])
        }
    }

    /// The code with which the server refuses an insert, or nil.
    private static func refusal(
        of document: BSONDocument, in collection: String, _ database: TestDatabase
    ) async throws -> Int32? {
        do {
            try await database.withClient { client in
                _ = try await client.bulkWrite(database.namespace(collection), [.insert(document)])
            }
            return nil
        } catch let error as MongoError {
            return error.code
        }
    }
}
