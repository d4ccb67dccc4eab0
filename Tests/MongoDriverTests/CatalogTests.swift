import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("The catalogue of a database")
struct CatalogTests {
    @Test("lists collections, views and time series with their options", arguments: TestServer.Kind.allCases)
    func listsCollections(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.withClient { client in
                #expect(try await client.listCollections(database.name).isEmpty)
                let validator: BSONDocument = ["validator": ["a": ["$type": "int"]], "validationLevel": "moderate"]
                try await client.createCollection(database.namespace("plain.with.dots"))
                try await client.createCollection(database.namespace("checked"), options: validator)
                let bounded: BSONDocument = ["capped": true, "size": 4096]
                try await client.createCollection(database.namespace("bounded"), options: bounded)
                try await client.createCollection(
                    database.namespace("view"), options: ["viewOn": "checked", "pipeline": []])
                try await client.createCollection(
                    database.namespace("series"), options: ["timeseries": ["timeField": "at"]])
                let found = try await client.listCollections(database.name)
                #expect(Set(found.keys) == ["plain.with.dots", "checked", "bounded", "view", "series"])
                #expect(found["checked"]?.options["validator"] == validator["validator"])
                #expect(found["checked"]?.isOrdinary == true)
                #expect(found["checked"]?.isCapped == false)
                #expect(found["bounded"]?.isCapped == true)
                #expect(found["view"]?.type == "view")
                #expect(found["view"]?.isOrdinary == false)
                #expect(found["series"]?.type == "timeseries")
                let exists = await expectError(.server) {
                    try await client.createCollection(database.namespace("checked"))
                }
                #expect(exists?.code == MongoError.ServerCode.namespaceExists)
            }
        }
    }

    @Test("lists more collections than a batch holds")
    func listsManyCollections() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                for number in 0..<130 { try await client.createCollection(database.namespace("c\(number)")) }
                #expect(try await client.listCollections(database.name).count == 130)
            }
        }
    }

    @Test("changes the validator of a collection")
    func changesValidator() async throws {
        try await withDatabase { database in
            try await database.withClient { client in
                let namespace = database.namespace("things")
                try await client.createCollection(namespace)
                try await client.collMod(namespace, ["validator": ["a": 1], "validationAction": "error"])
                #expect(try await client.listCollections(database.name)["things"]?.options["validator"] == ["a": 1])
                let missing = await expectError(.server) {
                    try await client.collMod(database.namespace("none"), ["validator": [:]])
                }
                #expect(missing?.code == MongoError.ServerCode.namespaceNotFound)
            }
        }
    }

    @Test("creates, lists and drops indexes", arguments: TestServer.Kind.allCases)
    func managesIndexes(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("things", [["_id": 1, "a": 1], ["_id": 2, "a": 1]])
            try await database.withClient { client in
                let namespace = database.namespace("things")
                #expect(try await client.listIndexes(database.namespace("none")).isEmpty)
                #expect(try await client.listIndexes(namespace).map { $0["name"] } == ["_id_"])
                let wanted: [BSONDocument] = [
                    ["key": ["a": 1, "_id": -1], "name": "a"], ["key": ["b": 1], "name": "b", "sparse": true],
                ]
                try await client.createIndexes(namespace, wanted)
                try await client.createIndexes(namespace, wanted)
                let found = try await client.listIndexes(namespace)
                #expect(found.map { $0["name"] } == ["_id_", "a", "b"])
                #expect(found[1]["key"] == ["a": 1, "_id": -1])
                let duplicate = await expectError(.duplicateKey) {
                    try await client.createIndexes(namespace, [["key": ["a": 1], "name": "u", "unique": true]])
                }
                #expect(duplicate?.code == MongoError.ServerCode.duplicateKey)
                let other = await expectError(.server) {
                    try await client.createIndexes(namespace, [["key": ["c": 1], "name": "a"]])
                }
                #expect(other?.code == MongoError.ServerCode.indexKeySpecsConflict)
                try await client.dropIndex(namespace, name: "b")
                let gone = await expectError(.server) { try await client.dropIndex(namespace, name: "b") }
                #expect(gone?.code == MongoError.ServerCode.indexNotFound)
                #expect(try await client.listIndexes(namespace).count == 2)
            }
        }
    }

    @Test("changes that aren't durable are thrown")
    func throwsWriteConcernErrors() async throws {
        try await withDatabase(on: .replicaSet) { database in
            let fault = FailCommand("create", "createIndexes", "dropIndexes", "collMod").failingWriteConcern()
            try await database.withFailPoint(fault) { _ in
                try await database.withClient { client in
                    let namespace = database.namespace("things")
                    await expectError(.writeConcern) { try await client.createCollection(namespace) }
                    await expectError(.writeConcern) {
                        try await client.createIndexes(namespace, [["key": ["a": 1], "name": "a"]])
                    }
                    await expectError(.writeConcern) { try await client.collMod(namespace, ["validator": [:]]) }
                    await expectError(.writeConcern) { try await client.dropIndex(namespace, name: "a") }
                }
            }
        }
    }
}
