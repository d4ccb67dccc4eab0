import BSON
import MongoDriver
import TestSupport
import Testing

/// Many documents are changed by one statement where an update sets the same plain values in all of them.
@Suite("A step that sets fields of many documents")
struct StepSettingTests {
    private static let values = #"{"state": "done", "n": {"$numberLong": "7"}, "tags": [{"a": 1}]}"#
    private static let step =
        #"[{"update": "c", "updates": [{"q": {"open": true}, "u": {"$set": \#(values)}, "multi": true}]}]"#
    private static let count = 2400

    /// Documents with `_id`s of three types, whose fields are absent, null, of other types, or right already.
    private static let documents: [BSONDocument] = (0..<count).map { number in
        let id: BSONValue =
            switch number % 3 {
            case 0: .objectID(ObjectID(timestamp: UInt32(number)))
            case 1: .int64(Int64(number))
            default: .string("d\(number)")
            }
        var document: BSONDocument = ["_id": id, "open": .bool(number % 8 != 5)]
        switch number % 7 {
        case 0: break
        case 1: document.append("n", .null)
        case 2: document.append("n", .double(7))
        case 3: document.append("state", .array(["done"]))
        case 4: document.append("tags", .array([["a": 1.0]]))
        case 5: document.append("state", .string("done"))
        default:
            document.append("tags", .array([["a": 1]]))
            document.append("n", .int64(7))
            document.append("state", .string("done"))
        }
        document.append("last", true)
        return document
    }

    /// - Returns: Documents in the order of their numbers, without the fields that `$set` puts where it likes.
    private static func set(_ document: BSONDocument) -> BSONDocument {
        guard document["open"] == .bool(true) else { return document }
        return document.replacing("state", with: "done").replacing("n", with: .int64(7))
            .replacing("tags", with: .array([["a": 1]]))
    }

    private static func sorted(_ documents: [BSONDocument]) -> [[String: BSONValue]] {
        documents.map { document in
            Dictionary(document.elements.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        }
    }

    private func up(_ folder: StepFolder) -> [String] { ["migrate", "up", "--yes"] + folder.arguments }

    @Test(
        "sends few commands, changes each as the server would, and is reverted to the byte",
        arguments: TestServer.Kind.allCases)
    func fewCommands(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("c", Self.documents)
            let start = try await database.all("c")
            try await StepFolder.with(["001_set.up.json": Self.step]) { folder in
                let result = try await Tool.run(up(folder) + ["-v", "-v"] + target(database))
                #expect(result.exitCode == 0, "\(result)")
                let updates = result.errors.split(separator: "\n").filter {
                    $0.hasSuffix("command started") && $0.contains("command=\(database.name).update")
                }
                #expect(updates.count < 60, "\(updates.joined(separator: "\n"))")
                #expect(Self.sorted(try await database.all("c")) == Self.sorted(start.map(Self.set)))
                let down = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.all("c") == start, "\(down)")
            }
        }
    }

    @Test("that was killed goes on: what others have changed since is left and named, and nothing is done to it twice")
    func killed() async throws {
        try await withDatabase { database in
            try await database.load("c", (0..<1500).map { ["_id": .int32($0), "open": true, "n": .int32(1)] })
            let step =
                #"[{"update": "c", "updates": [{"q": {"open": true}, "u": {"$set": {"n": 2}}, "multi": true}]}]"#
            try await StepFolder.with(["001_set.up.json": step]) { folder in
                let block = FailCommand("update", on: "\(database.name).c").blocking(milliseconds: 1000)
                try await kill(up(folder), on: database, holdingBack: block, mode: .times(1))
                // The server carries out what it had received of a process that is gone.
                try await waitUntil("the first statements are carried out") {
                    try await database.count("c", ["n": 2]) >= 1000
                }
                try await database.update("c", ["_id": 1], ["$set": ["n": 3]])
                try await database.update("c", ["_id": 2], ["$set": ["other": 1]])
                try await database.update("c", ["_id": 1200], ["$set": ["open": false]])
                try await database.update("c", ["_id": 1300], ["$set": ["other": 1]])
                let result = try await json(up(folder) + ["--wait", "60"], on: database, expecting: 1)
                #expect(result.counts(of: "left", "count") == ["update": ["c": 1]])
                #expect(try await database.one("c", ["_id": 1])["n"]?.integer == 3)
                #expect(try await database.one("c", ["_id": 1200])["n"]?.integer == 1)
                #expect(try await database.count("c", ["n": 2]) == 1498)
                let down = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 1)
                #expect(down.counts(of: "left", "count") == ["update": ["c": 1]])
                #expect(try await database.count("c", ["n": 1]) == 1499)
            }
        }
    }

    @Test("fails where the server refuses one of them, and goes on when it doesn't any more")
    func refused() async throws {
        try await withDatabase { database in
            try await database.load("c", (0..<1500).map { ["_id": .int32($0), "open": true, "n": .int32(1)] })
            try await database.update("c", ["_id": 700], ["$set": ["fixed": true]])
            try await database.run([
                "collMod": "c", "validator": ["$or": [["fixed": ["$exists": false]], ["n": ["$lt": 2]]]],
            ])
            let step =
                #"[{"update": "c", "updates": [{"q": {"open": true}, "u": {"$set": {"n": 2}}, "multi": true}]}]"#
            try await StepFolder.with(["001_set.up.json": step]) { folder in
                let refused = try await json(up(folder), on: database, expecting: 3)
                #expect(refused["error"]?.string?.contains("validation") == true, "\(refused)")
                #expect(try await database.one("c", ["_id": 700])["n"]?.integer == 1)
                try await database.run(["collMod": "c", "validator": [:]])
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await database.count("c", ["n": 2]) == 1500)
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.count("c", ["n": 1]) == 1500)
            }
        }
    }

    @Test(
        "loses nothing that an application writes to the same documents meanwhile", arguments: TestServer.Kind.allCases)
    func live(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.load("c", (0..<3000).map { ["_id": .int32($0), "seen": 0] })
            let step =
                #"[{"update": "c", "updates": [{"q": {"shut": {"$exists": false}}, "u": {"$set": {"n": 1}}, "multi": true}]}]"#
            try await StepFolder.with(["001_set.up.json": step]) { folder in
                let (result, written) = try await Tool.start(up(folder) + target(database)) { tool in
                    var written = 0
                    try await database.withClient { client in
                        while tool.isRunning {
                            let id = Int32((written * 7919) % 3000)
                            // Each third has a value of its own, and asks to be left alone.
                            let own: BSONDocument = written % 3 == 0 ? ["n": -1, "shut": true] : [:]
                            try await client.bulkWrite(
                                database.namespace("c"),
                                [
                                    .updateOne(
                                        filter: ["_id": .int32(id)],
                                        update: own.isEmpty
                                            ? ["$inc": ["seen": 1]] : ["$inc": ["seen": 1], "$set": .document(own)])
                                ],
                                concern: .acknowledged)
                            written += 1
                        }
                    }
                    return written
                }
                #expect(result.exitCode == 0, "\(result)")
                let all = try await database.all("c")
                #expect(written > 0 && all.reduce(0) { $0 + Int($1["seen"]?.integer ?? 0) } == written)
                for document in all {
                    #expect(document["n"]?.integer == (document["shut"] == nil ? 1 : -1), "\(document)")
                }
            }
        }
    }

    @Test(
        "is reverted where a document within one has a name twice, which ends some servers",
        arguments: TestServer.Kind.allCases)
    func repeatedNames(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            var twice: BSONDocument = ["x": 1]
            twice.append("x", 2)
            let inner = BSONValue.document(twice)
            try await database.load(
                "c", (0..<1100).map { ["_id": .objectID(ObjectID(timestamp: UInt32($0))), "a": inner, "n": [inner]] })
            let start = try await database.all("c")
            let step =
                #"[{"update": "c", "updates": [{"q": {"a.x": 1}, "u": {"$set": {"a": {"x": 2}, "n": 1}}, "multi": true}]}]"#
            try await StepFolder.with(["001_set.up.json": step]) { folder in
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await database.count("c", ["n": 1]) == 1100)
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.all("c") == start)
            }
        }
    }

    @Test("takes a filter that is too long to be repeated, and an empty timestamp")
    func longFilter() async throws {
        try await withDatabase { database in
            try await database.load("c", (0..<1200).map { ["_id": .int32($0), "n": .int32($0)] })
            let start = try await database.all("c")
            let ids = (0..<100_000).map { "\($0)" }.joined(separator: ",")
            let steps = [
                "001_long.up.json":
                    #"[{"update": "c", "updates": [{"q": {"_id": {"$in": [\#(ids)]}}, "u": {"$set": {"m": 1}}, "multi": true}]}]"#,
                "002_time.up.json":
                    #"[{"update": "c", "updates": [{"q": {"m": 1}, "u": {"$set": {"t": {"$timestamp": {"t": 0, "i": 0}}}}, "multi": true}]}]"#,
            ]
            try await StepFolder.with(steps) { folder in
                _ = try await json(up(folder), on: database, expecting: 0)
                let empty = BSONValue.timestamp(BSONTimestamp(seconds: 0, increment: 0))
                #expect(try await database.count("c", ["m": 1, "t": empty]) == 1200)
                _ = try await json(
                    ["migrate", "down", "--to", "0", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.all("c") == start)
            }
        }
    }

    /// What an application writes while the server is in the middle of a statement: each document waits a moment in its
    /// filter, and the application is quicker.
    struct Race: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var set = #"{"n": 2}"#
        /// Written to the last document, before its turn.
        var late: BSONDocument = [:]
        /// Written to the first one, once it is set.
        var early: BSONDocument = [:]
        /// What the first and the last one have to be in the end.
        let first: Int64
        let last: Int64
        let code: Int32
    }

    static let races = [
        Race(
            testDescription: "a field of two", set: #"{"n": 2, "m": 1}"#, late: ["n": 3, "m": 1], first: 2, last: 2,
            code: 0),
        Race(testDescription: "the old value again", late: ["shut": true], early: ["n": 1], first: 1, last: 1, code: 1),
        Race(
            testDescription: "one that hides, and one that is changed", late: ["n": 3], early: ["n": 5, "shut": true],
            first: 5, last: 3, code: 1),
    ]

    @Test(
        "neither overwrites nor passes over in silence what an application writes in the middle of a statement",
        arguments: races)
    func race(race: Race) async throws {
        try await withDatabase { database in
            try await database.load("c", (0..<1000).map { ["_id": .int32($0), "n": 1] })
            let filter = #"{"shut": {"$exists": false}, "$where": "sleep(this._id % 100 === 0 ? 150 : 0) || true"}"#
            let step = #"[{"update": "c", "updates": [{"q": \#(filter), "u": {"$set": \#(race.set)}, "multi": true}]}]"#
            try await StepFolder.with(["001_set.up.json": step]) { folder in
                let (result, _) = try await Tool.start(up(folder) + target(database)) { _ in
                    try await waitUntil("the first one is set", every: .milliseconds(2)) {
                        try await database.count("c", ["_id": 0, "n": 2]) == 1
                    }
                    if !race.late.isEmpty {
                        try await database.update("c", ["_id": 999], ["$set": .document(race.late)])
                    }
                    if !race.early.isEmpty {
                        try await database.update("c", ["_id": 0], ["$set": .document(race.early)])
                    }
                }
                #expect(result.exitCode == race.code, "\(result)")
                #expect(try await database.one("c", ["_id": 0])["n"]?.integer == race.first)
                #expect(try await database.one("c", ["_id": 999])["n"]?.integer == race.last)
                #expect(try await database.count("c", ["n": 2]) >= 998)
            }
        }
    }
}
