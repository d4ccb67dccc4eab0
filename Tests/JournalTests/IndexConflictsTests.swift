import BSON
import Journal
import MongoDriver
import TestSupport
import Testing

/// What the server takes is never refused by a plan, and what it refuses is always predicted: each pair of options, under
/// one name and under two.
@Suite("Indexes beside each other", .enabled(if: ServerVersion.canRunOthers))
struct IndexConflictsTests {
    private static let ascending: [String] = [
        #"{}"#, #"{"unique": true}"#, #"{"sparse": true}"#, #"{"unique": true, "sparse": true}"#,
        #"{"partialFilterExpression": {"a": {"$gt": 1}}}"#,
        #"{"unique": true, "partialFilterExpression": {"a": {"$type": "string"}}}"#,
        #"{"collation": {"locale": "en", "strength": 2}}"#, #"{"collation": {"locale": "fr_CA"}}"#,
        #"{"unique": true, "collation": {"locale": "en", "strength": 2}}"#, #"{"collation": {"locale": "simple"}}"#,
        #"{"expireAfterSeconds": 10}"#, #"{"expireAfterSeconds": 20}"#, #"{"hidden": true}"#,
        #"{"partialFilterExpression": {"$and": [{"a": {"$gt": 1.0}}]}}"#,
        #"{"sparse": true, "partialFilterExpression": {"a": 1}}"#,
    ]
    private static let others: [(key: String, options: String)] = [
        (#"{"a": -1}"#, "{}"), (#"{"a": "text"}"#, "{}"), (#"{"a": "text"}"#, #"{"weights": {"a": 5}}"#),
        (#"{"b": "text"}"#, "{}"), (#"{"a": "hashed"}"#, "{}"), (#"{"a": "2dsphere"}"#, "{}"),
        (#"{"a": "2dsphere"}"#, #"{"2dsphereIndexVersion": 2}"#), (#"{"a": "2d"}"#, #"{"bits": 20}"#),
        (#"{"$**": 1}"#, "{}"), (#"{"$**": 1}"#, #"{"wildcardProjection": {"a": 1}}"#),
        (#"{"$**": 1}"#, #"{"wildcardProjection": {"a": true}}"#), (#"{"_id": 1}"#, "{}"),
        (#"{"_id": 1}"#, #"{"unique": true}"#),
    ]

    private static func specifications() throws -> [BSONDocument] {
        let list = ascending.map { (key: #"{"a": 1}"#, options: $0) } + others
        return try list.map { item in
            var index: BSONDocument = ["key": .document(try ExtendedJSON.document(item.key))]
            for element in try ExtendedJSON.document(item.options).rawElements { index.append(raw: element) }
            return index
        }
    }

    @Test(
        "are predicted as the server takes them, with each pair of options", .timeLimit(.minutes(2)),
        arguments: zip(ServerVersion.allCases + [.standard], [false, false, false, false, true]))
    func pairs(version: ServerVersion, hasCollation: Bool) async throws {
        try await withDatabase(version: version) { database in
            try await database.withClient { client in
                let wireVersion = try await client.describeServer().wireVersion
                let collation: BSONDocument? = hasCollation ? ["locale": "en", "strength": 2] : nil
                let all = try Self.specifications()
                for (number, first) in all.enumerated() {
                    let name = "c\(number)"
                    let namespace = database.namespace(name)
                    try await client.createCollection(
                        namespace, options: collation.map { ["collation": .document($0)] } ?? [:])
                    let one = first.replacing("name", with: "one")
                    var alone = IndexConflicts(
                        present: try await client.listIndexes(namespace), collation: collation, wireVersion: wireVersion
                    )
                    let predicted = alone.add(one)
                    #expect(try await Self.create(one, client, namespace) == Self.kind(predicted), "\(Self.text(one))")
                    let present = try await client.listIndexes(namespace)
                    for second in all {
                        for name in ["one", "two"] {
                            let index = second.replacing("name", with: .string(name))
                            var conflicts = IndexConflicts(
                                present: present, collation: collation, wireVersion: wireVersion)
                            let predicted = conflicts.add(index)
                            let seen = try await Self.create(index, client, namespace)
                            #expect(
                                Self.kind(predicted) == seen,
                                "\(version): \(Self.text(index)) beside \(Self.text(one)): \(predicted)")
                            if seen == "created" { try await client.dropIndex(namespace, name: name) }
                        }
                    }
                    try await client.run(["drop": .string(name)], on: database.name)
                }
            }
        }
    }

    private static func text(_ index: BSONDocument) -> String { (try? ExtendedJSON.relaxed(index)) ?? "" }

    private static func kind(_ verdict: IndexConflicts.Verdict) -> String {
        switch verdict {
        case .created: "created"
        case .present: "present"
        case .refused: "refused"
        }
    }

    private static func create(
        _ index: BSONDocument, _ client: MongoClient, _ namespace: Namespace
    ) async throws -> String {
        do {
            let reply = try await client.run(
                ["createIndexes": .string(namespace.collection), "indexes": [.document(index)]], on: namespace.database)
            return reply["numIndexesAfter"] == reply["numIndexesBefore"] ? "present" : "created"
        } catch {
            return "refused"
        }
    }
}

/// What a unique index would refuse, over documents with arrays, as an index is built over them.
@Suite("Duplicates against a unique index")
struct IndexKeysTests {
    private static let keys = [
        #"{"a": 1}"#, #"{"a.b": 1}"#, #"{"a.b.c": 1}"#, #"{"a.b": 1, "a.c": 1}"#, #"{"a": 1, "b": 1}"#,
        #"{"a": 1, "a.b": 1}"#, #"{"a.$id": 1}"#, #"{"d": 1, "a.b": -1}"#, #"{"a.0": 1}"#, #"{"a.1": 1}"#,
        #"{"a.0": 1, "a.1": 1}"#, #"{"a.0.b": 1}"#, #"{"a.0.0": 1}"#, #"{"a.0": 1, "a.b": 1}"#,
        #"{"a.0.b": 1, "a.b": 1}"#, #"{"a.b.0": 1}"#, #"{"a": 1, "a.0": 1}"#, #"{"a.01": 1}"#, #"{"0": 1}"#,
        #"{"a.0": 1, "b": 1}"#, #"{"a.b": 1, "b.c": 1}"#, #"{"a.0.b": 1, "a.0.c": 1, "a.c": 1}"#,
    ]
    private static let values = [
        "1", "2", #""x""#, "null", "[]", "[1]", "[1, 1]", "[1, 2]", "[[1, 2]]", "[[]]", "{}", #"{"b": 1}"#,
        #"{"b": null}"#,
        #"[{"b": 1}]"#, #"[{"b": 1}, {"b": 2}]"#, #"[{"b": 1}, {"c": 1}]"#, #"[{"b": []}]"#, #"[{"b": [1, 3]}, 5]"#,
        #"{"b": {"c": [1]}}"#, #"{"b": [{"c": 1}, {"c": 2}]}"#, #"{"b": [1], "c": [1]}"#,
        #"[{"b": [1], "c": 2}, {"b": 3}]"#,
        #"[[{"b": 1}]]"#, #"{"$id": 1}"#, #"[{"$id": 1}]"#, #"{"$undefined": true}"#,
        #"{"b": {"$numberDouble": "1.0"}}"#,
        #"[{}]"#, #"[null]"#, #"[{"b": 1, "c": 1}, {"b": 1, "c": 2}]"#, #"{"0": 1}"#, #"[{"0": 1}]"#,
        #"[{"1": 1}]"#, #"[{"b": [1, 2]}]"#, #"[2, {"b": [1, 2]}]"#, #"[[1], [2]]"#, #"[[1, 2], 1]"#, #"[[], 1]"#,
        #"[[{"b": 1}], {"b": 1}]"#, #"{"b": [1, 2]}"#, #"{"b": [[1], 2]}"#, #"{"01": 1}"#, #"[{"01": 1}]"#,
        #"[1, {"0": 2}]"#,
    ]

    @Test(
        "are found as the server finds them, whatever arrays are on the way", .timeLimit(.minutes(2)),
        arguments: ServerVersion.canRunOthers ? [.standard, .mongo44] : [ServerVersion.standard])
    func arrays(version: ServerVersion) async throws {
        try await withDatabase(version: version) { database in
            try await database.withClient { client in
                let engine = Database(client: client, name: database.name, server: try await client.describeServer())
                var random = Generator(state: 42)
                for round in 0..<16 {
                    let name = "c\(round)"
                    let documents = try (0..<Int.random(in: 1...3, using: &random)).map { id -> BSONDocument in
                        var text = #"{"_id": \#(id)"#
                        for field in ["a", "b", "d", "0"] where Int.random(in: 0..<4, using: &random) > 0 {
                            let value = try #require(Self.values.randomElement(using: &random))
                            text += #", "\#(field)": \#(value)"#
                        }
                        return try ExtendedJSON.document(text + "}")
                    }
                    try await database.load(name, documents)
                    for key in Self.keys {
                        for isSparse in [false, true] {
                            var index: BSONDocument = [
                                "key": .document(try ExtendedJSON.document(key)), "name": "k", "unique": true,
                            ]
                            if isSparse { index.append("sparse", .int32(1)) }
                            let predicted = try await Duplicates.sentences(index, in: name, engine)
                            var isTaken = true
                            do {
                                try await client.createIndexes(database.namespace(name), [index])
                                try await client.dropIndex(database.namespace(name), name: "k")
                            } catch { isTaken = false }
                            #expect(
                                predicted.isEmpty == isTaken,
                                "\(key), sparse \(isSparse), over \(documents): \(predicted)")
                        }
                    }
                    try await client.run(["drop": .string(name)], on: database.name)
                }
            }
        }
    }

    /// Knuth's multiplicative generator (MMIX): the same documents each time.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }
}
