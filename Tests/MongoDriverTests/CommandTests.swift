import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("Commands")
struct CommandTests {
    @Test("run on every kind of deployment, in every mode", arguments: TestServer.Kind.allCases)
    func runs(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.withClient { client in
                let server = try await client.describeServer()
                #expect(server.topology == (kind == .replicaSet ? .replicaSet : .standalone))
                #expect(server.hasTransactions == (kind == .replicaSet))
                #expect(server.wireVersion >= ServerDescription.minimumWireVersion)
                #expect(server.version.split(separator: ".").count == 3)
                for mode in [CommandMode.plain, .read, .write] {
                    let insert: BSONDocument = ["insert": "things", "documents": [["_id": 1]]]
                    let drop: BSONDocument = ["drop": "things"]
                    let count: BSONDocument = ["count": "things"]
                    #expect(try await client.run(insert, on: database.name, mode: .write)["n"] == 1)
                    let reading = mode == .write ? CommandMode.read : mode
                    #expect(try await client.run(count, on: database.name, mode: reading)["n"] == 1)
                    try await client.run(drop, on: database.name, mode: mode == .read ? .plain : mode)
                }
                for preference in ReadPreference.allCases where preference != .secondary {
                    let reply = try await client.run(
                        ["count": "things"], on: database.name, mode: .read, readPreference: preference)
                    #expect(reply["n"] == 0)
                }
            }
        }
    }

    @Test("that the server refuses are thrown with its code and words")
    func throwsServerErrors() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                let unknown = await expectError(.server) { try await client.run(["noSuchThing": 1], on: database.name) }
                #expect(unknown?.code == 59)
                #expect(unknown?.message.contains("noSuchThing") == true)
                #expect(unknown?.partialResult == nil)
                // The client is none the worse for it.
                try await client.run(["ping": 1], on: "admin")
            }
        }
    }

    @Test("with ok: 1 can still fail: refused writes are thrown")
    func throwsWriteErrors() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                let insert: BSONDocument = ["insert": "things", "documents": [["_id": 1], ["_id": 1]]]
                let error = await expectError(.duplicateKey) { try await client.run(insert, on: database.name) }
                #expect(error?.code == MongoError.ServerCode.duplicateKey)
            }
        }
    }

    @Test("with ok: 1 can still fail: writes that aren't durable are thrown", arguments: TestServer.Kind.allCases)
    func throwsWriteConcernErrors(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let fault = FailCommand("insert", "findAndModify").failingWriteConcern(code: 64)
            try await database.withFailPoint(fault) { _ in
                try await database.withClient { client in
                    let insert: BSONDocument = ["insert": "things", "documents": [["_id": 1]]]
                    let error = await expectError(.writeConcern) { try await client.run(insert, on: database.name) }
                    #expect(error?.code == 64)
                    await expectError(.writeConcern) {
                        _ = try await client.findAndModify(
                            database.namespace("things"), query: ["_id": 2], ["update": ["_id": 2], "upsert": true])
                    }
                }
            }
            // They were done all the same.
            #expect(try await database.all("things") == [["_id": 1], ["_id": 2]])
        }
    }

    @Test("that find and modify give the document before, after, or nothing")
    func findsAndModifies() async throws {
        try await withDatabase { database in
            try await database.load("things", [["_id": 1, "n": 1], ["_id": 2, "n": 1]])
            let namespace = database.namespace("things")
            try await database.withClient { client in
                let raise: BSONDocument = ["update": ["$inc": ["n": 1]]]
                var raiseAndShow = raise
                raiseAndShow.append("new", true)
                #expect(try await client.findAndModify(namespace, query: ["_id": 1], raise) == ["_id": 1, "n": 1])
                let after = try await client.findAndModify(namespace, query: ["_id": 1], raiseAndShow)
                #expect(after == ["_id": 1, "n": 3])
                #expect(try await client.findAndModify(namespace, query: ["_id": 9], raise) == nil)
                let gone = try await client.findAndModify(
                    namespace, query: [:], ["remove": true, "sort": ["_id": -1]], concern: .acknowledged)
                #expect(gone == ["_id": 2, "n": 1])
                await expectError(.duplicateKey) {
                    _ = try await client.findAndModify(
                        namespace, query: ["n": 99], ["update": ["$setOnInsert": ["_id": 1]], "upsert": true])
                }
            }
            #expect(try await database.all("things").first == ["_id": 1, "n": 3])
        }
    }

    @Test("that take longer than they may are thrown as timeouts")
    func throwsTimeouts() async throws {
        try await withDatabase { database in
            try await database.load("things", [["_id": 1]])
            try await database.withClient { client in
                let error = await expectError(.timeout) {
                    let slow: BSONDocument = ["$where": "sleep(10000) || true"]
                    try await client.run(
                        ["count": "things", "query": .document(slow), "maxTimeMS": 50], on: database.name, mode: .read)
                }
                #expect(error?.code == MongoError.ServerCode.maxTimeExpired)
            }
        }
    }

    @Test("names with a NUL in them are refused, never cut short", arguments: ["a\u{0}b", "\u{0}"])
    func refusesNUL(name: String) async throws {
        try await withDatabase { database in
            try await database.load("a", [["_id": 1]])
            try await database.withClient { client in
                await expectError(.internal) { try await client.run(["ping": 1], on: name) }
                for namespace in [Namespace(database.name, name), Namespace(name, "a")] {
                    await expectError(.internal) { _ = try await client.find(namespace, filter: [:]) }
                    await expectError(.internal) { try await client.bulkWrite(namespace, [.deleteMany(filter: [:])]) }
                    await expectError(.internal) { _ = try await client.listIndexes(namespace) }
                }
                await expectError(.internal) { _ = try await client.listCollections(name) }
            }
            #expect(try await database.all("a").count == 1)
        }
    }
}
