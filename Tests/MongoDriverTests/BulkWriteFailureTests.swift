import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("A bulk write that fails")
struct BulkWriteFailureTests {
    @Test("in part says which writes were refused, and does the rest", arguments: TestServer.Kind.allCases)
    func collectsErrors(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("things", [["_id": 2, "name": "two"]])
            try await database.withClient { client in
                let namespace = database.namespace("things")
                try await client.createIndexes(namespace, [["key": ["name": 1], "name": "name", "unique": true]])
                let writes: [WriteModel] = [
                    .insert(["_id": 1, "name": "one"]), .insert(["_id": 2, "name": "x"]),
                    .insert(["_id": 3, "name": "two"]), .insert(["_id": 4, "name": "four"]),
                    .updateOne(filter: ["_id": 4], update: ["$set": ["name": "one"]]),
                    .updateOne(filter: ["_id": 1], update: ["$set": ["done": true]]),
                ]
                let result = try await client.bulkWriteCollectingErrors(namespace, writes)
                #expect(result.inserted == 2)
                #expect(result.matched == 1)
                #expect(result.writeErrors.map(\.index) == [1, 2, 4])
                #expect(result.writeErrors.allSatisfy { $0.code == MongoError.ServerCode.duplicateKey })
                #expect(result.writeErrors.map(\.keyPattern) == [["_id": 1], ["name": 1], ["name": 1]])
                #expect(result.writeErrors.allSatisfy { $0.message.hasPrefix("E11000") })
            }
        }
    }

    @Test("in order stops at the first refused write", arguments: TestServer.Kind.allCases)
    func stopsInOrder(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.withClient { client in
                let writes = [1, 2, 2, 3].map { WriteModel.insert(["_id": .int32($0)]) }
                let result = try await client.bulkWriteCollectingErrors(
                    database.namespace("things"), writes, ordered: true)
                #expect(result.inserted == 2)
                #expect(result.writeErrors.map(\.index) == [2])
            }
            #expect(try await database.count("things") == 2)
        }
    }

    @Test("throws the first refused write, with what was done")
    func throwsFirst() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                let writes = [1, 1, 2].map { WriteModel.insert(["_id": .int32($0)]) }
                let error = await expectError(.duplicateKey) {
                    try await client.bulkWrite(database.namespace("things"), writes)
                }
                #expect(error?.code == MongoError.ServerCode.duplicateKey)
                #expect(error?.partialResult?.inserted == 2)
                #expect(error?.partialResult?.writeErrors.map(\.index) == [1])
            }
        }
    }

    @Test("by validation says which rule was broken")
    func describesValidation() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                let namespace = database.namespace("things")
                let schema: BSONDocument = ["$jsonSchema": ["properties": ["_id": ["bsonType": "objectId"]]]]
                try await client.createCollection(namespace, options: ["validator": .document(schema)])
                let id = ObjectID(timestamp: 1)
                let result = try await client.bulkWriteCollectingErrors(
                    namespace, [.insert(["_id": ""]), .insert(["_id": .objectID(id)])])
                #expect(result.inserted == 1)
                let refused = try #require(result.writeErrors.first)
                #expect(refused.code == MongoError.ServerCode.documentValidationFailure)
                #expect(refused.details?.value(at: "details", "operatorName") == "$jsonSchema")
            }
        }
    }

    @Test("halfway, by a broken connection, says how far it came", arguments: TestServer.Kind.allCases)
    func reportsPartialResult(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            // Each document is so large that the driver sends three commands; the last two break, retry included.
            let text = BSONValue.string(String(repeating: "x", count: 12_000_000))
            let writes = (0..<10).map { WriteModel.insert(["_id": .int32($0), "text": text]) }
            try await database.withFailPoint(FailCommand("insert").closingConnection(), mode: .skip(1)) { _ in
                try await database.withClient { client in
                    let error = await expectError(.network) {
                        try await client.bulkWriteCollectingErrors(database.namespace("things"), writes, ordered: true)
                    }
                    #expect(error?.partialResult?.inserted == 3)
                    #expect(error?.partialResult?.writeErrors.isEmpty == true)
                }
            }
            let inserted = try await database.run(["count": "things"])
            #expect(inserted["n"] == 3)
        }
    }

    @Test("halfway keeps the refused writes too", arguments: [true, false])
    func reportsPartialErrors(isCollecting: Bool) async throws {
        try await withDatabase { database in
            let text = BSONValue.string(String(repeating: "x", count: 12_000_000))
            var writes = (0..<6).map { WriteModel.insert(["_id": .int32($0), "text": text]) }
            writes.insert(.insert(["_id": 0]), at: 1)
            try await database.withFailPoint(FailCommand("insert").closingConnection(), mode: .skip(1)) { _ in
                try await database.withClient { client in
                    let error = await expectError(.network) {
                        _ =
                            try await isCollecting
                            ? client.bulkWriteCollectingErrors(database.namespace("things"), writes)
                            : client.bulkWrite(database.namespace("things"), writes)
                    }
                    #expect(error?.partialResult?.writeErrors.map(\.index) == [1])
                }
            }
        }
    }

    @Test("by a server's error for the whole command is thrown", arguments: TestServer.Kind.allCases)
    func throwsServerErrors(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.withFailPoint(FailCommand("update").failing(code: 11601)) { _ in
                try await database.withClient { client in
                    let error = await expectError(.server) {
                        try await client.bulkWriteCollectingErrors(
                            database.namespace("things"),
                            [.insert(["_id": 1]), .updateOne(filter: ["_id": 1], update: ["$set": ["a": 1]])],
                            ordered: true)
                    }
                    #expect(error?.code == 11601)
                    #expect(error?.partialResult?.inserted == 1)
                }
            }
        }
    }

    @Test("to be durable is thrown although everything was written", arguments: TestServer.Kind.allCases)
    func throwsWriteConcernErrors(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.withFailPoint(FailCommand("insert").failingWriteConcern(code: 64)) { _ in
                try await database.withClient { client in
                    let error = await expectError(.writeConcern) {
                        try await client.bulkWriteCollectingErrors(
                            database.namespace("things"), [.insert(["_id": 1]), .insert(["_id": 1])])
                    }
                    #expect(error?.code == 64)
                    #expect(error?.partialResult?.inserted == 1)
                    #expect(error?.partialResult?.writeErrors.count == 1)
                }
            }
            #expect(try await database.count("things") == 1)
        }
    }

    @Test("halfway, by a server's error for one command, isn't hidden by refused writes or by what comes after")
    func reportsFailedCommand() async throws {
        try await withDatabase { database in
            let writes: [WriteModel] = [
                .insert(["_id": 1]), .insert(["_id": 1]), .updateOne(filter: ["_id": 1], update: ["$set": ["a": 1]]),
                .deleteOne(filter: ["_id": 9]),
            ]
            try await database.withFailPoint(FailCommand("update").failing(code: 11601)) { _ in
                try await database.withClient { client in
                    let error = await expectError(.server) {
                        try await client.bulkWriteCollectingErrors(database.namespace("things"), writes)
                    }
                    #expect(error?.code == 11601)
                    #expect(error?.partialResult?.inserted == 1)
                    #expect(error?.partialResult?.writeErrors.map(\.index) == [1])
                }
            }
        }
    }

    @Test("because libmongoc refuses a write leaves nothing done")
    func refusesBeforeSending() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                await expectError(.internal) {
                    let nonsense = WriteModel.updateOne(filter: [:], update: ["no operator": 1])
                    try await client.bulkWrite(database.namespace("things"), [.insert(["_id": 1]), nonsense])
                }
            }
            #expect(try await database.count("things") == 0)
        }
    }

    @Test("because a document is too large says so", arguments: [16 << 20, 17 << 20])
    func refusesTooLarge(size: Int) async throws {
        try await withDatabase { database in
            try await database.withClient { client -> Void in
                let large: BSONDocument = ["_id": 2, "text": .string(String(repeating: "x", count: size))]
                do {
                    _ = try await client.bulkWrite(database.namespace("things"), [.insert(["_id": 1]), .insert(large)])
                    Issue.record("nothing was thrown")
                } catch let error as MongoError {
                    #expect(error.message.contains("too large"), "\(error)")
                    #expect(error.kind == .server || error.kind == .bson)
                }
            }
        }
    }
}
