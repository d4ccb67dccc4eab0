import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// The tool's own collections as somebody, or another application, may leave them.
@Suite("The tool's own collections in another's shape")
struct OwnStateTests {
    private static let collections = [
        "chat_admin.lease", "chat_admin.migrations", "chat_admin.runs", "chat_admin.journal",
    ]

    /// Values that none of the fields holds by right; nil takes the field away.
    private static let hostile: [BSONValue?] = [
        "text", -1, .int64(.max), .int64(.min), .double(1e300), .double(.nan), .date(.max), .null, .array([]),
        .array([1, "a", ["n": .int64(.max)]]), .document(["$size": 1]), true, .maxKey, BSONValue?.none,
    ]

    /// Commands that read what a collection holds.
    private static func commands(_ collection: String, _ run: String) -> [[String]] {
        switch collection {
        case "chat_admin.runs":
            [
                ["runs", "list"], ["runs", "show", run], ["runs", "undo", run, "--dry-run"],
                ["repair", "ids", "--yes"],
            ]
        case "chat_admin.migrations":
            [
                ["migrate", "status"], ["migrate", "plan"], ["migrate", "validate"],
                ["migrate", "up", "--yes", "--offline"],
            ]
        case "chat_admin.journal":
            [
                ["runs", "show", run], ["runs", "undo", run, "--dry-run"], ["repair", "ids", "--yes"], ["check"],
                ["runs", "list"],
            ]
        default: [["repair", "ids", "--yes"], ["migrate", "unlock"], ["check"], ["migrate", "unlock", "--force"]]
        }
    }

    /// A field of a document, and of those within it.
    private static func paths(_ document: BSONDocument, depth: Int = 0) -> [String] {
        document.elements.flatMap { element -> [String] in
            if depth == 0, element.key == "_id" { return [] }
            let inner = element.value.document ?? element.value.array?.values.first?.document
            let step = element.value.array == nil ? element.key : element.key + ".0"
            let below = depth < 2 ? inner.map { paths($0, depth: depth + 1).map { step + "." + $0 } } ?? [] : []
            return [element.key] + below
        }
    }

    @Test("a value in any field of them ends in a sentence, never in a crash, and no document is lost")
    func hostileValues() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            _ = try await Tool.run(["migrate", "up", "--offline", "--yes"] + target(database))
            let repaired = try await Tool.run(["repair", "ids", "--yes"] + target(database))
            #expect(repaired.exitCode == 1 || repaired.exitCode == 0, "\(repaired)")
            let run = try #require(try await database.all("chat_admin.runs").first?["_id"]?.objectID).hex
            let before = try await application(database)
            var number = 0
            for collection in Self.collections {
                // One document of each kind.
                var kinds: Set<String> = []
                let documents = try await database.all(collection).filter {
                    kinds.insert($0["kind"]?.string ?? "").inserted
                }
                let combinations = documents.flatMap { document in
                    Self.paths(document).flatMap { path in Self.hostile.map { (document, path, $0) } }
                }
                // As many of each, spread evenly.
                let isWhole = ProcessInfo.processInfo.environment["CHAT_ADMIN_FAULTS"] == "all"
                let stride = isWhole ? 3 : max(combinations.count / 30, 1) | 1
                for index in Swift.stride(from: number % stride, to: combinations.count, by: stride) {
                    let (document, path, value) = combinations[index]
                    let commands = Self.commands(collection, run)
                    let command = commands[number % commands.count]
                    number += 1
                    try await Self.set(database, collection, document, path, value)
                    let result = try await Tool.run(command + target(database))
                    let place = "\(collection) \(path) = \(value?.debugDescription ?? "nothing"), \(command)"
                    #expect([0, 1, 2, 4, 65, 75, 78].contains(result.exitCode), "\(place): \(result)")
                    if result.exitCode == 65 { #expect(result.errors.contains(collection), "\(place): \(result)") }
                    if command.contains("--yes") || result.exitCode == 70 {
                        #expect(try await application(database) == before, "\(place): \(result)")
                    }
                    try await Self.restore(database, collection, document)
                }
            }
            #expect(number >= 100)
            #expect(try await application(database) == before)
            let last = try await Tool.run(["runs", "undo", run, "--yes"] + target(database))
            #expect(last.exitCode == 0 || last.exitCode == 1, "\(last)")
        }
    }

    private static func set(
        _ database: TestDatabase, _ collection: String, _ document: BSONDocument, _ path: String, _ value: BSONValue?
    ) async throws {
        // As another application would write it: what a validator or an operator refuses isn't tried.
        let update: BSONDocument = value.map { ["$set": .document([path: $0])] } ?? ["$unset": .document([path: ""])]
        _ = try? await database.update(collection, ["_id": document["_id"] ?? .null], update)
    }

    private static func restore(_ database: TestDatabase, _ collection: String, _ document: BSONDocument) async throws {
        try await database.run([
            "update": .string(collection),
            "updates": [["q": ["_id": document["_id"] ?? .null], "u": .document(document), "upsert": true]],
        ])
        try await database.update("chat_admin.lease", ["_id": "lease"], ["$set": ["expiresAt": .date(0)]])
    }

    @Test("a view, a capped collection, a time series or one under a validator in their place is named")
    func otherKinds() async throws {
        let kinds: [(options: BSONDocument, words: String, readable: Bool)] = [
            (["viewOn": "messages", "pipeline": []], "is a view", false),
            (["capped": true, "size": 100_000], "is capped", false),
            (["timeseries": ["timeField": "t"]], "is a time series", false),
            (["validator": ["owner": "me"]], "is under a validator", true),
        ]
        try await withDatabase { database in
            try await database.loadIncident()
            let before = try await application(database)
            for collection in Self.collections {
                for (options, words, readable) in kinds {
                    var create: BSONDocument = ["create": .string(collection)]
                    for element in options.rawElements { create.append(raw: element) }
                    try await database.run(create)
                    let repair = try await Tool.run(["repair", "ids", "--yes"] + target(database))
                    #expect(repair.exitCode == 78, "\(collection), \(words): \(repair)")
                    #expect(repair.errors.contains("\(collection) \(words)"), "\(repair)")
                    let check = try await Tool.run(["check", "--only", "id"] + target(database))
                    #expect(check.exitCode == (readable ? 1 : 78), "\(collection), \(words): \(check)")
                    #expect(try await application(database) == before)
                    try await database.run(["drop": .string(collection)])
                }
            }
        }
    }

    @Test("another application's documents are named, and left as they are")
    func otherDocuments() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let theirs: BSONDocument = ["_id": 1, "state": "running", "open": true, "series": "chat", "version": "1"]
            let commands = [
                "chat_admin.runs": [["runs", "list"]],
                "chat_admin.migrations": [["migrate", "status"], ["migrate", "up", "--yes"]],
                "chat_admin.journal": [["repair", "ids", "--yes"]],
            ]
            for (collection, commands) in commands {
                try await database.load(collection, [theirs])
                for command in commands {
                    let result = try await Tool.run(command + target(database))
                    #expect(result.exitCode == 65, "\(command): \(result)")
                    #expect(result.errors.contains(collection), "\(command): \(result)")
                }
                #expect(try await database.find(collection, ["_id": 1]) == [theirs])
                try await database.run(["drop": .string(collection)])
            }
        }
    }

    @Test("what would make an undo pass an entry over is named, and nothing of the run reverted")
    func undoIsWhole() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let repair = try await json(["repair", "ids", "--yes"], on: database, expecting: 0)
            let run = try #require(repair["run"]?.string)
            let entries = try await database.all("chat_admin.journal")
            let rekey = try #require(entries.first { $0["kind"] == "rekey" })
            let child = try #require(entries.first { $0["parent"] != nil })
            let before = try await application(database)
            let changes: [(BSONDocument, String, BSONValue)] = [
                (rekey, "state", 5), (rekey, "state", "planned"), (rekey, "kind", "other"), (rekey, "undone", true),
                (child, "parent", "1"), (child, "items", "none"), (rekey, "before", ["_id": "another"]),
            ]
            for (entry, field, value) in changes {
                try await Self.set(database, "chat_admin.journal", entry, field, value)
                let undo = try await Tool.run(["runs", "undo", run, "--yes"] + target(database))
                #expect(undo.exitCode == 65, "\(field) = \(value): \(undo)")
                #expect(try await application(database) == before, "\(field) = \(value)")
                try await Self.restore(database, "chat_admin.journal", entry)
            }
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
        }
    }

    @Test("a token that leaves none larger stops what would work under a smaller one")
    func largestToken() async throws {
        for value in [BSONValue.int64(.max), .double(1e300)] {
            try await withDatabase { database in
                try await database.loadIncident()
                let repair = try await json(["repair", "ids", "--yes"], on: database, expecting: 0)
                let run = try #require(repair["run"]?.string)
                let entry = try #require(try await database.all("chat_admin.journal").first)
                try await database.update(
                    "chat_admin.journal", ["_id": entry["_id"] ?? .null],
                    ["$set": ["token": value, "open": true, "state": "planned"]])
                for command in [["repair", "ids", "--yes"], ["runs", "undo", run, "--yes"]] {
                    let result = try await Tool.run(command + target(database))
                    #expect(result.exitCode == 65, "\(result)")
                    #expect(result.errors.contains("`token`"), "\(result)")
                }
            }
        }
    }

    @Test("a lease that can't be read is named, and made anew by force")
    func lease() async throws {
        let faults: [(String, BSONValue)] = [
            ("token", "text"), ("token", .int64(.max)), ("token", .date(5)), ("expiresAt", .maxKey), ("expiresAt", 5),
            ("expiresAt", .date(.max)),
        ]
        try await withDatabase { database in
            try await database.loadIncident()
            for (field, value) in faults {
                var lease: BSONDocument = [
                    "_id": "lease", "token": .int64(7), "owner": "o", "expiresAt": .date(0), "released": true,
                ]
                lease[field] = value
                try await database.run(["delete": "chat_admin.lease", "deletes": [["q": [:], "limit": 0]]])
                try await database.load("chat_admin.lease", [lease])
                for command in [["repair", "ids", "--yes"], ["migrate", "unlock"]] {
                    let result = try await Tool.run(command + target(database))
                    #expect(result.exitCode == 65, "\(field) = \(value), \(command): \(result)")
                    #expect(result.errors.contains("`\(field)`"), "\(result)")
                    #expect(result.errors.contains("migrate unlock --force"), "\(result)")
                }
                let force = try await Tool.run(["migrate", "unlock", "--force"] + target(database))
                #expect(force.exitCode == 0, "\(force)")
                try await Self.isOverSoon(database)
                try await database.update("chat_admin.lease", [:], ["$set": ["expiresAt": .date(0)]])
                let next = try await Tool.run(
                    ["repair", "counts", "--offline", "--yes", "--dry-run"] + target(database))
                #expect(next.exitCode == 0, "\(next)")
            }
            let repair = try await Tool.run(["repair", "ids", "--yes"] + target(database))
            #expect(repair.exitCode == 0, "\(repair)")
        }
    }

    /// A lease that somebody has freed can be taken within its life, half a minute, by the server's clock.
    static func isOverSoon(_ database: TestDatabase) async throws {
        let hello = try await database.run(["hello": 1])
        let now = try #require(hello["localTime"]?.date)
        let expiry = try #require(try await database.one("chat_admin.lease", [:])["expiresAt"]?.date)
        #expect(expiry <= now + 30_000)
    }

    @Test("a clock that was an hour ahead holds nobody up for an hour")
    func clockWasAhead() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let hello = try await database.run(["hello": 1])
            let now = try #require(hello["localTime"]?.date)
            try await database.load(
                "chat_admin.lease",
                [
                    [
                        "_id": "lease", "token": .int64(7), "owner": "dead", "expiresAt": .date(now + 3_600_000),
                        "acquiredAt": .date(now + 3_570_000), "released": false,
                    ]
                ])
            let early = try await Tool.run(["repair", "ids", "--yes"] + target(database))
            #expect(early.exitCode == 75, "\(early)")
            let gentle = try await Tool.run(["migrate", "unlock"] + target(database))
            #expect(gentle.exitCode == 75, "\(gentle)")
            let force = try await Tool.run(["migrate", "unlock", "--force"] + target(database))
            #expect(force.exitCode == 0, "\(force)")
            try await Self.isOverSoon(database)
            // A run that is killed holds it for half a minute at most, whatever was there before.
            let fault = FailCommand("insert", on: "\(database.name).chat_admin.journal").blocking(milliseconds: 1_000)
            try await database.withFailPoint(fault, mode: .times(1)) { failPoint in
                let ended = try await Tool.run(
                    ["repair", "ids", "--yes", "--wait", "60"] + target(database), sending: SIGKILL
                ) { _ in
                    try await failPoint.waitUntilEntered()
                }
                #expect(ended.wasSent)
            }
            #expect(try await database.one("chat_admin.lease", [:])["released"] == false)
            try await Self.isOverSoon(database)
        }
    }

    @Test("a unique index that somebody put on the records of runs isn't taken for success")
    func uniqueIndex() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await database.run(["create": "chat_admin.runs"])
            try await database.run([
                "createIndexes": "chat_admin.runs", "indexes": [["key": ["state": 1], "name": "s", "unique": true]],
            ])
            try await database.load("chat_admin.runs", [["_id": 1, "state": "running"]])
            let before = try await application(database)
            let repair = try await Tool.run(["repair", "ids", "--yes"] + target(database))
            #expect(repair.exitCode == 65, "\(repair)")
            #expect(try await application(database) == before)
        }
    }
}
