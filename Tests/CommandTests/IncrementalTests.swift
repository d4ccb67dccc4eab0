import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// A check of what has changed knows what a whole check finds.
@Suite("An incremental check", .timeLimit(.minutes(10)))
struct IncrementalTests {
    private static let recorded = ["check", "--incremental", "--record", "--settle", "0"]

    /// What a record says was found.
    struct Found: Equatable {
        var count: Int64
        var severity: String
        var documents: Set<String>
    }

    static func findings(_ record: BSONDocument) -> [String: Found] {
        (record["findings"]?.array?.values ?? []).compactMap(\.document).reduce(into: [:]) { result, item in
            let place = ["code", "collection", "field"].map { item[$0]?.string ?? "" }.joined(separator: " ")
            let bytes = item["identities"]?.binary?.bytes ?? []
            result[place] = Found(
                count: item["count"]?.integer ?? -1, severity: item["severity"]?.string ?? "",
                documents: Set(stride(from: 0, to: bytes.count, by: 8).map { "\(bytes[$0..<$0 + 8])" }))
        }
    }

    /// Where two checks differ. A whole one can't always tell documents apart.
    static func differences(_ first: [String: Found], _ second: [String: Found]) -> [String] {
        Set(first.keys).union(second.keys).sorted().compactMap { place in
            guard var one = first[place], var other = second[place] else {
                return "\(place): \(first[place]?.count ?? 0) and \(second[place]?.count ?? 0)"
            }
            if one.documents.isEmpty || other.documents.isEmpty { (one.documents, other.documents) = ([], []) }
            return one == other ? nil : "\(place): \(one) and \(other)"
        }
    }

    static func newest(_ database: TestDatabase) async throws -> BSONDocument {
        let records = try await database.find("chat_admin.checks", ["kind": "check"])
        return try #require(records.max { $0["number"]?.integer ?? 0 < $1["number"]?.integer ?? 0 })
    }

    /// What a whole check finds.
    static func whole(_ database: TestDatabase) async throws -> [String: Found] {
        var found: [String: Found] = [:]
        try await withFolder { folder in
            let file = folder + "/whole.jsonl"
            let result = try await Tool.run(["check", "--settle", "0", "--record-file", file] + target(database))
            try #require([0, 1].contains(result.exitCode), "\(result)")
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let line = try #require(text.split(separator: "\n").last)
            found = findings(try ExtendedJSON.document(String(line)))
        }
        return found
    }

    /// Runs a check.
    private static func check(_ database: TestDatabase, _ arguments: [String] = []) async throws -> BSONDocument {
        let result = try await Tool.run(recorded + arguments + target(database) + ["--format", "json"])
        try #require([0, 1].contains(result.exitCode), "\(result)")
        return try result.json()
    }

    private static func mode(_ check: BSONDocument) -> String? { check.value(at: "coverage", "mode")?.string }

    @Test("finds what a whole check finds, whatever was done since the last one", arguments: [1, 2, 3] as [UInt64])
    func changes(seed: UInt64) async throws {
        try await withDatabase(on: .replicaSet) { database in
            var application = RandomApplication(seed: seed)
            try await application.begin(database)
            try await #expect(Self.mode(Self.check(database)) == "full")
            for round in 1...12 {
                try await application.act(12, database)
                let check = try await Self.check(database)
                #expect(Self.mode(check) == "incremental", "\(check)")
                let record = try await Self.newest(database)
                #expect(record["mode"] == "incremental")
                let (found, whole) = (Self.findings(record), try await Self.whole(database))
                #expect(Self.differences(found, whole) == [], "round \(round), after \(application.last)")
            }
        }
    }

    @Test("comes to know everything in a round of slices where changes leave no trace")
    func slices() async throws {
        try await withDatabase { database in
            var application = RandomApplication(seed: 4)
            try await application.begin(database)
            try await #expect(Self.mode(Self.check(database)) == "full")
            for round in 1...4 {
                try await application.act(30, database)
                // The first check may be in the middle of a round: what it has looked at by then may have changed.
                for _ in 1...8 {
                    let check = try await Self.check(database, ["--slice", "1/4"])
                    #expect(Self.mode(check) == "incremental", "\(check)")
                    #expect(check.value(at: "coverage", "by") == "index" && check.value(at: "coverage", "slice") != nil)
                }
                let found = Self.findings(try await Self.newest(database))
                let whole = try await Self.whole(database)
                #expect(Self.differences(found, whole) == [], "round \(round), after \(application.last)")
            }
        }
    }

    /// A database with two sessions and a message in each, and a first record of it.
    private static func begin(_ database: TestDatabase, _ arguments: [String] = []) async throws {
        try await database.load("users", [Sample.user()])
        let counts: BSONDocument = ["message_count": 1, "last_message_at": .date(Sample.moment)]
        try await database.load(
            "chat_sessions", [Sample.session(counts), Sample.session(counts, id: Sample.other)])
        try await database.load(
            "messages", [Sample.message(), Sample.message(["session_id": .objectID(Sample.other)])])
        try await database.run(["create": "artifacts"])
        try await database.run([
            "createIndexes": "messages",
            "indexes": [["key": ["session_id": 1, "deleted": 1, "created_at": 1], "name": "counting"]],
        ])
        let first = try await check(database, arguments)
        #expect(mode(first) == "full" && reason(first).contains("no check is recorded yet"), "\(first)")
    }

    private static func reason(_ check: BSONDocument) -> String { check.value(at: "coverage", "reason")?.string ?? "" }

    @Test("looks at everything where it can't tell what has changed, and says why")
    func fallbacks() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await Self.begin(database)
            try await #expect(Self.mode(Self.check(database)) == "incremental")
            let less = try await Self.check(database, ["--only", "id,ref"])
            #expect(Self.mode(less) == "incremental", "\(less)")
            // Without `_id`s, what follows from them is a finding of its own.
            let other = try await Self.check(database, ["--only", "ref"])
            #expect(Self.reason(other).contains("no recorded check has looked for all of this"), "\(other)")
            // The last one has looked at references alone; the one before it at everything.
            try await #expect(Self.mode(Self.check(database)) == "incremental")

            try await database.run(["drop": "artifacts"])
            try await database.run(["create": "artifacts"])
            let dropped = try await Self.check(database)
            #expect(Self.reason(dropped).contains("the collection artifacts isn't the one"), "\(dropped)")

            let newest = ["number": try await Self.newest(database)["number"] ?? .null] as BSONDocument
            try await database.update("chat_admin.checks", newest, ["$set": ["toolVersion": "0.1"]])
            let old = try await Self.check(database)
            #expect(Self.reason(old).contains("was recorded by version 0.1 of this tool"), "\(old)")

            // A place that the server hasn't come to, and one of a kind that isn't known.
            let places = [("826FFFFFFF00000001", "hasn't come to"), ("81", "in a way that is known")]
            for (beginning, words) in places {
                let record = try await Self.newest(database)
                let token = try #require(record.value(at: "basis", "token", "_data")?.string)
                try await database.update(
                    "chat_admin.checks", ["number": record["number"] ?? .null],
                    [
                        "$set": [
                            "basis.token._data": .string(beginning + token.dropFirst(beginning.utf8.count))
                        ]
                    ])
                let lost = try await Self.check(database)
                #expect(Self.mode(lost) == "full" && Self.reason(lost).contains(words), "\(Self.reason(lost))")
                try await #expect(Self.mode(Self.check(database)) == "incremental")
            }
            // "Resume of change stream was not possible": an oplog of the smallest size takes an hour of writing to go on.
            for command in ["aggregate", "getMore"] {
                let lost = FailCommand(command, on: "\(database.name).$cmd.aggregate").failing(code: 286)
                let check = try await database.withFailPoint(lost, mode: .times(1)) { _ in
                    try await Self.check(database)
                }
                #expect(Self.reason(check).contains("no longer knows all changes"), "\(command): \(Self.reason(check))")
            }
            let tooLong = try await Self.newest(database)
            try await database.update(
                "chat_admin.checks", ["number": tooLong["number"] ?? .null],
                [
                    "$push": [
                        "findings": [
                            "code": "field.type", "collection": "messages", "field": "deleted", "severity": "error",
                            "count": 20_000, "since": .date(0),
                        ]
                    ]
                ])
            let many = try await Self.check(database)
            #expect(Self.reason(many).contains("couldn't tell the documents apart"), "\(many)")
        }
    }

    /// Lets an hour pass since the last recorded check, where what was made before it would be looked at again.
    private static func letTimePass(_ kind: TestServer.Kind, _ database: TestDatabase) async throws {
        guard kind == .standalone else { return }
        let newest = ["number": try await newest(database)["number"] ?? .null] as BSONDocument
        let later = Int64(Date().timeIntervalSince1970 * 1000) + 3_600_000
        try await database.update("chat_admin.checks", newest, ["$set": ["basis.begun": .date(later)]])
    }

    @Test(
        "keeps what is known, says what it is, and forgets it once it is right",
        arguments: [TestServer.Kind.standalone, .replicaSet])
    func known(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.begin(database)
            // What is made now tells by its `_id` that it is new.
            let (bad, text) = (
                ObjectID(timestamp: UInt32(Date().timeIntervalSince1970)), BSONValue.string(Sample.session.hex)
            )
            var message = Sample.message(["session_id": text, "deleted": true])
            message["_id"] = .objectID(bad)
            try await database.load("messages", [message])
            let arguments = ["--slice", "0", "--only", "id,ref,field,count,last"]
            let first = try await Self.check(database, arguments)
            #expect(Self.mode(first) == "incremental" && first["clean"] == false, "\(first)")
            #expect(first.value(at: "coverage", "changed", "messages")?.integer == 1)
            try await Self.letTimePass(kind, database)
            let second = try await Self.check(database, arguments)
            let finding = try #require(second["findings"]?.array?.values.first?.document)
            #expect(finding["code"] == "ref.string" && finding["carried"]?.integer == 1, "\(second)")
            #expect(finding["known"]?.integer == 1 && finding["new"]?.integer == 0 && second["clean"] == false)
            #expect(finding["samples"]?.array?.values.isEmpty == true)
            try await Self.letTimePass(kind, database)
            let shown = try await Tool.run(Self.recorded + arguments + target(database))
            #expect(shown.exitCode == 1)
            #expect(shown.output.contains("unchanged, and not looked at again"), "\(shown)")
            #expect(shown.output.contains("Changed since check 3 ("), "\(shown)")

            try await database.update(
                "messages", ["_id": .objectID(bad)], ["$set": ["session_id": .objectID(Sample.session)]])
            // Where no stream tells, it is found in its part of the whole.
            let right = try await Self.check(database, ["--slice", "1/1", "--only", "id,ref,field,count,last"])
            #expect(right["clean"] == true, "\(right)")
            #expect(right.counts(of: "resolved", "count") == ["ref.string": ["messages": 1]], "\(right)")
        }
    }

    @Test("counts whole where messages were deleted for good, and finds whose account is gone")
    func deleted() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await Self.begin(database)
            try await database.run([
                "delete": "messages", "deletes": [["q": ["session_id": .objectID(Sample.other)], "limit": 1]],
            ])
            let counted = try await Self.check(database)
            #expect(counted.counts(of: "findings", "count")["count.wrong"] == ["chat_sessions": 1], "\(counted)")
            try await database.run(["delete": "users", "deletes": [["q": [:], "limit": 1]]])
            let orphans = try await Self.check(database)
            #expect(
                orphans.counts(of: "findings", "count")["ref.orphan"] == ["chat_sessions": 2, "messages": 1],
                "\(orphans)")
            try await database.load("users", [Sample.user()])
            let back = try await Self.check(database)
            #expect(back.counts(of: "findings", "count")["ref.orphan"] == nil, "\(back)")
        }
    }

    @Test("sees a collection that takes another's name, and a transaction that is larger than one reply")
    func large() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await Self.begin(database)
            let bad = (0..<1_500).map { number -> BSONDocument in
                [
                    "_id": .objectID(ObjectID.smallest(at: UInt32(10_000 + number))), "deleted": true,
                    "session_id": .objectID(ObjectID.smallest(at: 9_999)), "user_id": .objectID(Sample.user),
                ]
            }
            try await database.withClient { client in
                try await client.withTransaction { session in
                    _ = try await client.bulkWrite(
                        database.namespace("messages"), bad.map { .insert($0) }, session: session)
                }
            }
            let whole = try await Self.check(database)
            #expect(Self.mode(whole) == "incremental", "\(Self.reason(whole))")
            #expect(whole.counts(of: "findings", "count")["ref.dangling"] == ["messages": 1_500])
            try await database.load("restored", [["_id": .objectID(.max), "session_id": "", "user_id": .null]])
            try await database.withClient { client in
                _ = try await client.run(
                    [
                        "renameCollection": .string("\(database.name).restored"),
                        "to": .string("\(database.name).artifacts"), "dropTarget": true,
                    ], on: "admin")
            }
            let renamed = try await Self.check(database)
            #expect(renamed.counts(of: "findings", "count")["ref.empty"] == ["artifacts": 1], "\(renamed)")
        }
    }

    @Test("goes on from a record in a file")
    func reader() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await Self.begin(database)
            try await withFolder { folder in
                let arguments = ["check", "--incremental", "--record-file", folder + "/records", "--settle", "0"]
                for mode in ["full", "incremental", "incremental"] {
                    let result = try await Tool.run(arguments + target(database) + ["--format", "json"])
                    let check = try result.json()
                    #expect(Self.mode(check) == mode, "\(result)")
                }
                let history = try await json(
                    ["check", "history", "--record-file", folder + "/records"], on: database, expecting: 0)
                let modes = (history["checks"]?.array?.values ?? []).compactMap { $0.document?["mode"]?.string }
                #expect(modes == ["incremental", "incremental", "full"])
                // Another database's records tell nothing of this one.
                try await withDatabase { other in
                    try await other.load("users", [Sample.user()])
                    let refused = try await Tool.run(arguments + target(other))
                    #expect(refused.exitCode == 78 && refused.errors.contains(database.name), "\(refused)")
                }
            }
        }
    }

    @Test(
        "takes a share of the whole, and nothing else",
        arguments: ["1", "2/1", "0/4", "1/0", "a", "1/2/3", "-1/4", "1/10001"])
    func share(text: String) async throws {
        let result = try await Tool.run(["check", "--incremental", "--slice=\(text)", "--uri", "mongodb://127.0.0.1:1"])
        #expect(result.exitCode == 64 && result.errors.contains("--slice"), "\(result)")
        let alone = try await Tool.run(["check", "--slice", "1/4", "--uri", "mongodb://127.0.0.1:1"])
        #expect(alone.exitCode == 64 && alone.errors.contains("--slice is a part of --incremental"), "\(alone)")
    }
}
