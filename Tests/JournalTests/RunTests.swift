import BSON
import Journal
import MongoDriver
import TestSupport
import Testing

@Suite("A run's changes")
struct RunTests {
    static let everyType: BSONDocument = [
        "double": 1.5, "string": "text", "document": ["a": 1], "array": [1, "2"], "undefined": .undefined, "null": nil,
        "bool": true, "date": .date(-1), "int": 5, "long": .int64(5), "min": .minKey, "dollar": "$field",
        "decimal": .decimal128(Decimal128(low: 7, high: 0x3040_0000_0000_0000)), "nan": .double(.nan),
    ]

    @Test(
        "fields of every type are compared by value and type, set, and put back byte for byte",
        arguments: TestServer.Kind.allCases, [false, true])
    func everyFieldType(kind: TestServer.Kind, isTogether: Bool) async throws {
        try await withDatabase(on: kind) { database in
            var documents: [BSONDocument] = []
            for (index, element) in Self.everyType.elements.enumerated() {
                documents.append(["_id": Self.id(index, isTogether), "a": 1, "f": element.value, "z": 2])
            }
            documents.append(["_id": Self.id(99, isTogether), "a": 1, "z": 2])
            try await database.load("things", documents)
            let id = try await withRun(on: database) { run in
                let changes = documents.map { document in
                    FieldChange(
                        id: document["_id"] ?? .null, before: document["f"].map { ["f": $0] } ?? [:],
                        after: ["f": "changed"])
                }
                let missed = try await run.apply(changes, in: "things", code: "test")
                #expect(missed.isEmpty)
                return run.id
            }
            #expect(try await database.count("things", ["f": "changed"]) == documents.count)
            try await withRun(on: database) { try await Undo(run: $0).revert(run: id) }
            #expect(try await database.all("things") == documents)
        }
    }

    /// Documents with ObjectIds are changed together, others one by one.
    private static func id(_ number: Int, _ isObjectID: Bool) -> BSONValue {
        guard isObjectID else { return .int32(Int32(number)) }
        return .objectID(
            ObjectID(bytes: (0..<12).map { $0 < 8 ? 1 : UInt8(truncatingIfNeeded: number >> (8 * (11 - $0))) }) ?? .min)
    }

    @Test("of hundreds that are changed together, those that differ from what was observed are left as they are")
    func together() async throws {
        try await withDatabase { database in
            let others: [BSONValue?] = [.int64(5), .double(5), .null, "5", [5], 6, nil, ["n": 5], true, .date(5)]
            let documents = (0..<1_234).map { index -> BSONDocument in
                var document: BSONDocument = ["_id": Self.id(index, true), "b": "$x", "n": 5, "z": [1, "2"]]
                if index % 100 == 7 { document["n"] = others[index / 100 % others.count] }
                return document
            }
            try await database.load("things", documents)
            let run = try await withRun(on: database) { run in
                let changes = documents.indices.map { index in
                    FieldChange(
                        id: Self.id(index, true), before: ["n": 5, "b": "$x"],
                        after: ["n": .int32(Int32(index)), "b": .string("$\(index)")])
                }
                let missed = try await run.apply(changes, in: "things", code: "test")
                #expect(missed == documents.indices.filter { $0 % 100 == 7 }.map { Self.id($0, true) })
                #expect(run.totals.totalChanged == documents.count - missed.count)
                return run.id
            }
            for (index, document) in try await database.all("things").enumerated() {
                var expected = documents[index]
                if index % 100 != 7 {
                    expected["n"] = .int32(Int32(index))
                    expected["b"] = .string("$\(index)")
                }
                #expect(document == expected)
            }
            try await withRun(on: database) { try await Undo(run: $0).revert(run: run) }
            #expect(try await database.all("things") == documents)
        }
    }

    @Test("a document in which the changed field occurs twice is left and named; another field doesn't matter to it")
    func fieldTwice() async throws {
        try await withDatabase { database in
            var documents = (0..<30).map { index -> BSONDocument in ["_id": Self.id(index, true), "n": 5, "z": 1] }
            documents[11].append("n", "second")
            documents[12].append("z", "second")
            try await database.load("things", documents)
            try await withRun(on: database) { run in
                let changes = documents.indices.map { index in
                    FieldChange(id: Self.id(index, true), before: ["n": 5], after: ["n": 6])
                }
                let missed = try await run.apply(changes, in: "things", code: "test")
                #expect(missed == [Self.id(11, true)])
                #expect(run.totals.leftovers.first?.reason.description.contains("more than once") == true)
            }
            let after = try await database.all("things")
            for (index, document) in after.enumerated() {
                #expect(document["n"] == (index == 11 ? 5 : 6))
                #expect(document.keys == documents[index].keys)
            }
            #expect(Array(after[11].elements).last?.value == "second")
        }
    }

    @Test("of those changed together, the one that a validator refuses is named, and the others are changed")
    func togetherRefused() async throws {
        try await withDatabase { database in
            try await database.run(["create": "things", "validator": ["n": ["$ne": 13]]])
            try await database.load("things", (0..<50).map { ["_id": Self.id($0, true), "n": 100] })
            try await withRun(on: database) { run in
                let changes = (0..<50).map { index in
                    FieldChange(id: Self.id(index, true), before: ["n": 100], after: ["n": .int32(Int32(index))])
                }
                let missed = try await run.apply(changes, in: "things", code: "test")
                #expect(missed == [Self.id(13, true)])
                #expect(run.totals.leftovers.map(\.count) == [1])
            }
            #expect(try await database.count("things", ["n": 100]) == 1)
        }
    }

    @Test("a value of another type or another value is never overwritten")
    func compareAndSet() async throws {
        try await withDatabase { database in
            let stored: [BSONValue] = [.int32(5), .int64(5), .double(5), .null, .string("5"), [5], .int32(6)]
            let documents = stored.enumerated().map { index, value -> BSONDocument in
                ["_id": .int32(Int32(index)), "n": value]
            }
            try await database.load("things", documents + [["_id": 99]])
            try await withRun(on: database) { run in
                let ids = (0..<stored.count).map { BSONValue.int32(Int32($0)) } + [99]
                let missed = try await run.apply(
                    ids.map { FieldChange(id: $0, before: ["n": .int32(5)], after: ["n": 7]) }, in: "things",
                    code: "test")
                #expect(missed == Array(ids.dropFirst()))
                #expect(run.totals.changes == [Change(code: "test", collection: "things", changed: 1)])
                // Null doesn't stand for a missing field, nor the other way round.
                let absent = try await run.apply(
                    [
                        FieldChange(id: 99, before: ["n": nil], after: ["n": 1]),
                        FieldChange(id: 3, before: [:], after: ["n": 1]),
                    ],
                    in: "things", code: "test")
                #expect(absent == [99, 3])
            }
        }
    }

    @Test("a run that changes nothing leaves no trace")
    func noTrace() async throws {
        try await withDatabase { database in
            try await database.load("things", [["_id": 1]])
            let before = try await ServerImage(of: database)
            try await withRun(on: database) { run in
                let missed = try await run.apply([], in: "things", code: "test")
                #expect(missed.isEmpty)
                #expect(!run.record.exists)
            }
            #expect(before.differences(to: try await ServerImage(of: database)) == [])
        }
    }

    @Test("an interruption stops before the next batch is written, and what is written is in the journal")
    func interruption() async throws {
        try await withDatabase { database in
            let interruption = Interruption()
            try await database.load("things", (0..<10).map { ["_id": .int32($0), "n": 0] })
            await #expect(throws: EngineError.self) {
                try await withRun(on: database, interruption: interruption) { run in
                    try await run.apply(
                        [FieldChange(id: 1, before: ["n": 0], after: ["n": 1])], in: "things", code: "a")
                    interruption.request(.signal(2))
                    try await run.apply(
                        [FieldChange(id: 2, before: ["n": 0], after: ["n": 1])], in: "things", code: "a")
                }
            }
            #expect(try await database.count("things", ["n": 1]) == 1)
            #expect(try await database.count("chat_admin.journal") == 1)
        }
    }

    @Test("indexes, validators and collections are put back as they were")
    func catalogue() async throws {
        try await withDatabase { database in
            try await database.load("things", [["_id": 1]])
            let id = try await withRun(on: database) { run in
                try await run.createIndexes([["key": ["a": 1], "name": "a_1"]], on: "things")
                try await run.createIndexes([["key": ["a": 1], "name": "a_1"]], on: "things")
                try await run.setValidator(["validator": ["a": ["$exists": true]]], on: "things")
                try await run.createCollection("fresh")
                #expect(run.totals.totalChanged == 3)
                return run.id
            }
            #expect(try await database.withClient { try await $0.listIndexes(database.namespace("things")) }.count == 2)
            try await withRun(on: database) { try await Undo(run: $0).revert(run: id) }
            let present = try await database.withClient { try await $0.listCollections(database.name) }
            #expect(present["fresh"] == nil)
            #expect(present["things"]?.options["validator"] == nil)
            #expect(try await database.withClient { try await $0.listIndexes(database.namespace("things")) }.count == 1)
        }
    }

    @Test("an undo of an unknown run is refused")
    func unknownRun() async throws {
        try await withDatabase { database in
            await #expect(throws: EngineError.self) {
                try await withRun(on: database) { try await Undo(run: $0).revert(run: ObjectID(timestamp: 1)) }
            }
        }
    }
}
