import BSON
import Journal
import MongoDriver
import TestSupport
import Testing

/// Moving documents while an application writes between the copy and the deletion.
@Suite("Giving documents another _id")
struct RekeyerTests {
    static let newID = BSONValue.objectID(ObjectID(timestamp: 1_700_000_000))
    static let original: BSONDocument = ["_id": "", "created": .date(5), "title": "first", "n": .int64(1)]
    static let referrer = Referrer(collection: "parts", field: "whole")

    private static func load(_ database: TestDatabase) async throws {
        try await database.load("wholes", [original])
        try await database.load("parts", (0..<3).map { ["_id": .int32($0), "whole": ""] })
    }

    private static func move(
        _ run: Run, _ database: TestDatabase, meanwhile: @escaping @Sendable () async throws -> Void = {}
    ) async throws -> [Rekeyer.Outcome] {
        let source = ValueSource(database: database, referrer: referrer, meanwhile: meanwhile)
        let move = RekeyMove(oldID: "", newID: newID, image: original, referrers: [referrer])
        return try await Rekeyer(run: run, source: source).move([(move, "id.empty")], in: "wholes")
    }

    @Test("the document and its references move, and go back", arguments: TestServer.Kind.allCases)
    func moves(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.load(database)
            let before = try await database.all("parts")
            let id = try await withRun(on: database) { run in
                let outcome = try await Self.move(run, database)
                #expect(outcome == [.moved])
                return run.id
            }
            #expect(try await database.all("wholes") == [Self.original.replacing("_id", with: Self.newID)])
            #expect(try await database.count("parts", ["whole": Self.newID]) == 3)
            #expect(try await database.count("chat_admin.journal", ["open": true]) == 0)
            try await withRun(on: database) { try await Undo(run: $0).revert(run: id) }
            #expect(try await database.all("wholes") == [Self.original])
            #expect(try await database.all("parts") == before)
        }
    }

    @Test("a change that the application makes to the original meanwhile is carried over")
    func carriesOver() async throws {
        try await withDatabase { database in
            try await Self.load(database)
            let outcome = try await withRun(on: database) { run in
                try await Self.move(run, database) {
                    try await database.run([
                        "update": "wholes", "updates": [["q": ["_id": ""], "u": ["$set": ["title": "renamed"]]]],
                    ])
                }
            }
            #expect(outcome == [.moved])
            let moved = try await database.all("wholes")
            #expect(moved.count == 1)
            #expect(moved.first?["title"] == "renamed")
            #expect(moved.first?["_id"] == Self.newID)
        }
    }

    @Test("when original and copy both change, both are kept and reported")
    func conflict() async throws {
        try await withDatabase { database in
            try await Self.load(database)
            try await withRun(on: database) { run in
                let outcome = try await Self.move(run, database) {
                    for (id, title) in [(BSONValue.string(""), "one"), (Self.newID, "two")] {
                        try await database.run([
                            "update": "wholes",
                            "updates": [["q": ["_id": id], "u": ["$set": ["title": .string(title)]]]],
                        ])
                    }
                }
                #expect(outcome == [.conflict])
                #expect(run.totals.leftovers.count == 1)
            }
            #expect(Set(try await database.all("wholes").compactMap { $0["title"]?.string }) == ["one", "two"])
        }
    }

    @Test("when the application deletes the original meanwhile, its copy goes too")
    func deletedMeanwhile() async throws {
        try await withDatabase { database in
            try await Self.load(database)
            let outcome = try await withRun(on: database) { run in
                try await Self.move(run, database) {
                    try await database.run(["delete": "wholes", "deletes": [["q": ["_id": ""], "limit": 1]]])
                }
            }
            #expect(outcome == [.changed])
            #expect(try await database.all("wholes").isEmpty)
            #expect(try await database.count("parts", ["whole": ""]) == 3)
        }
    }

    @Test("another document that takes the original's place meanwhile is left alone")
    func replacedMeanwhile() async throws {
        try await withDatabase { database in
            try await Self.load(database)
            let other: BSONDocument = ["_id": "", "created": .date(9), "title": "another"]
            let outcome = try await withRun(on: database) { run in
                try await Self.move(run, database) {
                    try await database.run(["delete": "wholes", "deletes": [["q": ["_id": ""], "limit": 1]]])
                    try await database.load("wholes", [other])
                }
            }
            #expect(outcome == [.changed])
            #expect(try await database.all("wholes") == [other])
        }
    }

    @Test("a document that a validator refuses stays, with the server's reason", arguments: TestServer.Kind.allCases)
    func refused(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.load(database)
            try await database.run(["collMod": "wholes", "validator": ["needed": ["$exists": true]]])
            let outcome = try await withRun(on: database) { try await Self.move($0, database) }
            guard case .refused(let reason) = outcome[0] else {
                Issue.record("\(outcome)")
                return
            }
            #expect(reason.contains("validat"))
            #expect(try await database.all("wholes") == [Self.original])
            #expect(try await database.count("parts", ["whole": ""]) == 3)
        }
    }

    @Test("a new _id that is taken is refused, and nothing is overwritten", arguments: TestServer.Kind.allCases)
    func taken(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.load(database)
            try await database.load("wholes", [["_id": Self.newID, "title": "here first"]])
            let before = try await database.all("wholes")
            let outcome = try await withRun(on: database) { try await Self.move($0, database) }
            #expect(outcome != [.moved])
            #expect(try await database.all("wholes") == before)
        }
    }

    @Test("more references than a transaction takes all follow", arguments: [TestServer.Kind.standalone, .replicaSet])
    func manyReferences(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("wholes", [Self.original])
            try await database.load("parts", (0..<2_500).map { ["_id": .int32($0), "whole": ""] })
            let id = try await withRun(on: database) { run in
                let outcome = try await Self.move(run, database)
                #expect(outcome == [.moved])
                return run.id
            }
            #expect(try await database.count("parts", ["whole": Self.newID]) == 2_500)
            try await withRun(on: database) { try await Undo(run: $0).revert(run: id) }
            #expect(try await database.count("parts", ["whole": ""]) == 2_500)
        }
    }
}
