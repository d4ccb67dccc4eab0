import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// What a step that failed, or was reverted in part, had done, is neither done again nor passed over.
@Suite("A step that is resumed")
struct StepResumeTests {
    private func up(_ folder: StepFolder, _ more: [String] = []) -> [String] {
        ["migrate", "up", "--yes", "--allow-dangerous"] + folder.arguments + more
    }

    private func numbers(_ database: TestDatabase, _ collection: String = "c") async throws -> [Int64] {
        try await database.all(collection).map { $0["n"]?.integer ?? -1 }
    }

    private func load(_ database: TestDatabase, _ count: Int32, _ n: Int32 = 0) async throws {
        try await database.load("c", (0..<count).map { ["_id": .int32($0), "n": .int32(n)] })
    }

    private static let increment = """
        [{"update": "c", "updates": [{"q": {"_id": {"$gte": 0}}, "u": {"$inc": {"n": 1}}, "multi": true}]}]
        """

    @Test("changes each document once, whichever of them the server refused before")
    func refusedDocuments() async throws {
        try await withDatabase { database in
            try await load(database, 30)
            for id in [3, 20] { try await database.update("c", ["_id": .int32(Int32(id))], ["$set": ["n": 100]]) }
            try await database.run(["collMod": "c", "validator": ["n": ["$lt": 50]]])
            try await StepFolder.with(["001_inc.up.json": Self.increment]) { folder in
                _ = try await json(up(folder), on: database, expecting: 3)
                try await database.update("c", ["_id": 3], ["$set": ["n": 0]])
                _ = try await json(up(folder), on: database, expecting: 3)
                try await database.update("c", ["_id": 20], ["$set": ["n": 0]])
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await numbers(database) == Array(repeating: 1, count: 30))
            }
        }
    }

    @Test("doesn't take a collection for its own that it was refused to make")
    func refusedCollection() async throws {
        try await withDatabase { database in
            try await load(database, 1)
            let step = #"[{"insert": "notes", "documents": [{"_id": 1}]}, {"create": "notes"}]"#
            try await StepFolder.with(["001_notes.up.json": step]) { folder in
                _ = try await json(up(folder), on: database, expecting: 3)
                _ = try await json(up(folder), on: database, expecting: 3)
                #expect(try await database.count("chat_admin.migrations", ["state": "applied"]) == 0)
            }
        }
    }

    @Test("that was killed goes on with a document that the server refuses, and doesn't call it unknown")
    func refusedAfterKill() async throws {
        try await withDatabase { database in
            try await load(database, 4)
            try await database.update("c", ["_id": 2], ["$set": ["n": 100]])
            try await database.run(["collMod": "c", "validator": ["n": ["$lt": 50]]])
            try await StepFolder.with(["001_inc.up.json": Self.increment]) { folder in
                let block = FailCommand("update", on: "\(database.name).c").blocking(milliseconds: 1000)
                try await kill(up(folder), on: database, holdingBack: block, mode: .times(1))
                _ = try await json(up(folder) + ["--wait", "60"], on: database, expecting: 3)
                try await database.update("c", ["_id": 2], ["$set": ["n": 0]])
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await numbers(database) == Array(repeating: 1, count: 4))
            }
        }
    }

    @Test("that was killed deletes what was to be deleted, though somebody has touched it since")
    func deletionAfterKill() async throws {
        try await withDatabase { database in
            try await load(database, 8)
            let step = #"[{"delete": "c", "deletes": [{"q": {"n": 0}, "limit": 0}]}]"#
            try await StepFolder.with(["001_delete.up.json": step]) { folder in
                let block = FailCommand("delete", on: "\(database.name).c").blocking(milliseconds: 1000)
                try await kill(up(folder), on: database, holdingBack: block, mode: .alwaysOn)
                try await database.update("c", ["_id": 6], ["$set": ["seen": true]])
                try await database.update("c", ["_id": 7], ["$set": ["n": 9]])
                _ = try await json(up(folder) + ["--wait", "60"], on: database, expecting: 0)
                #expect(try await database.all("c").map { $0["_id"] } == [7])
            }
        }
    }

    @Test("inserts each document once, under the _id that it got at first")
    func refusedInserts() async throws {
        try await withDatabase { database in
            try await database.run([
                "createIndexes": "c", "indexes": [["key": ["u": 1], "name": "u", "unique": true, "sparse": true]],
            ])
            try await database.insertJSON("c", #"{"_id": "taken", "u": 1}"#)
            let documents = (0..<2500).map { $0 == 1500 ? #"{"n": 1500, "u": 1}"# : #"{"n": \#($0)}"# }
            let step = #"[{"insert": "c", "documents": [\#(documents.joined(separator: ","))]}]"#
            try await StepFolder.with(["001_insert.up.json": step]) { folder in
                // Looked at when the step begins, the index would be in the way: it comes with the data.
                _ = try await json(up(folder), on: database, expecting: 3)
                try await database.run(["delete": "c", "deletes": [["q": ["_id": "taken"], "limit": 1]]])
                let result = try await json(up(folder), on: database, expecting: 0)
                #expect(try await numbers(database).sorted() == Array(0..<2500))
                let run = try #require(result["run"]?.string)
                #expect(try await database.find("chat_admin.runs", [:]).count == 2)
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.count("c") == 0, "\(run)")
            }
        }
    }

    @Test("inserts what a failed upsert couldn't")
    func refusedUpsert() async throws {
        try await withDatabase { database in
            try await database.run([
                "createIndexes": "c", "indexes": [["key": ["e": 1], "name": "e", "unique": true]],
            ])
            try await database.insertJSON("c", #"{"_id": 1, "e": "x"}"#)
            let step = #"[{"update": "c", "updates": [{"q": {"_id": 5}, "u": {"$set": {"e": "x"}}, "upsert": true}]}]"#
            try await StepFolder.with(["001_upsert.up.json": step]) { folder in
                _ = try await json(up(folder), on: database, expecting: 3)
                try await database.update("c", ["_id": 1], ["$set": ["e": "y"]])
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await database.one("c", ["_id": 5])["e"]?.string == "x")
            }
        }
    }

    @Test("is refused when a command that is half done was edited, and free to be edited when nothing was done")
    func edited() async throws {
        try await withDatabase { database in
            try await load(database, 10)
            try await database.update("c", ["_id": 5], ["$set": ["n": 100]])
            try await database.run(["collMod": "c", "validator": ["n": ["$lt": 50]]])
            try await StepFolder.with(["001_inc.up.json": Self.increment]) { folder in
                _ = try await json(up(folder), on: database, expecting: 3)
                try folder.write(
                    "001_inc.up.json", Self.increment.replacingOccurrences(of: #""n": 1"#, with: #""n": 2"#))
                let refused = try await json(up(folder), on: database, expecting: 3)
                #expect(refused["error"]?.string?.contains("it is half done, and has been edited since") == true)

                try folder.write(
                    "002_insert.up.json", #"[{"create": "d"}, {"insert": "d", "documents": [{"_id": 1}, {"_id": 1}]}]"#)
                try folder.write("001_inc.up.json", Self.increment)
                try await database.update("c", ["_id": 5], ["$set": ["n": 0]])
                _ = try await json(up(folder), on: database, expecting: 3)
                #expect(try await numbers(database) == Array(repeating: 1, count: 10))
            }
        }
    }

    @Test("isn't applied again while it is half reverted", arguments: TestServer.Kind.allCases)
    func afterPartialDown(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await load(database, 1200)
            try await StepFolder.with(["001_inc.up.json": Self.increment]) { folder in
                _ = try await json(up(folder), on: database, expecting: 0)
                try await database.update("c", ["_id": 700], ["$set": ["seen": true]])
                let down = ["migrate", "down", "--yes"] + folder.arguments
                let partial = try await json(down, on: database, expecting: 1)
                #expect(partial.counts(of: "left", "count") == ["update": ["c": 1]])
                #expect(try await numbers(database).reduce(0, +) == 1)
                let refused = try await json(up(folder), on: database, expecting: 3)
                #expect(refused["error"]?.string?.contains("it is half reverted") == true)
                // Once the application's change is gone, the rest goes back too, and all of it can be done again.
                try await database.update("c", ["_id": 700], ["$unset": ["seen": ""]])
                _ = try await json(down, on: database, expecting: 0)
                #expect(try await numbers(database).reduce(0, +) == 0)
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await numbers(database) == Array(repeating: 1, count: 1200))
            }
        }
    }

    @Test("is half reverted when one of its runs is undone, and goes back whole", arguments: [true, false])
    func afterUndoOfOneRun(isUnjournalled: Bool) async throws {
        try await withDatabase { database in
            let middle =
                isUnjournalled
                ? #"{"collMod": "nowhere", "validator": {}}"#
                : #"{"createIndexes": "c", "indexes": [{"key": {"u": 1}, "name": "u", "unique": true}]}"#
            let step = """
                [{"insert": "c", "documents": [{"n": 0, "u": 1}, {"n": 0, "u": 1}]}, \(middle),
                 {"update": "c", "updates": [{"q": {}, "u": {"$inc": {"n": 1}}, "multi": true}]}]
                """
            try await StepFolder.with(["001_three.up.json": step]) { folder in
                _ = try await json(up(folder), on: database, expecting: 3)
                try await database.run(["create": "nowhere"])
                let one = try #require(try await database.all("c").first?["_id"])
                try await database.update("c", ["_id": one], ["$set": ["u": 2]])
                let second = try #require(try await json(up(folder), on: database, expecting: 0)["run"]?.string)
                _ = try await json(["runs", "undo", second, "--yes"], on: database, expecting: isUnjournalled ? 1 : 0)
                let status = try await json(["migrate", "status"] + folder.arguments, on: database, expecting: 0)
                #expect(status["steps"]?.array?.values.first?.document?["state"]?.string == "reverting")
                #expect(try await numbers(database) == [0, 0])
                _ = try await json(up(folder), on: database, expecting: 3)
                try await database.update("c", ["_id": one], ["$set": ["u": 1]])
                let down = ["migrate", "down", "--yes"] + folder.arguments
                let result = try await json(down, on: database, expecting: isUnjournalled ? 1 : 0)
                #expect(
                    result.counts(of: "left", "count")
                        == (isUnjournalled ? ["step 1": ["chat_admin.migrations": 1]] : [:]))
                #expect(try await database.count("c") == 0)
            }
        }
    }

    @Test("goes on in the same statement, and doesn't touch what the next one has made")
    func statements() async throws {
        try await withDatabase { database in
            try await database.load(
                "c", [["_id": 0, "v": 1], ["_id": 1, "v": 2], ["_id": 2, "v": 2], ["_id": 3, "v": 2]])
            try await database.update("c", ["_id": 2], ["$set": ["bad": true]])
            try await database.run([
                "collMod": "c", "validator": ["$or": [["bad": ["$exists": false]], ["v": ["$ne": 1]]]],
            ])
            let step = """
                [{"update": "c", "updates": [
                    {"q": {"v": 1}, "u": {"$set": {"v": 0}}, "multi": true},
                    {"q": {"v": 2}, "u": {"$set": {"v": 1}}, "multi": true}]}]
                """
            try await StepFolder.with(["001_shift.up.json": step]) { folder in
                _ = try await json(up(folder), on: database, expecting: 3)
                try await database.update("c", ["_id": 2], ["$unset": ["bad": ""]])
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await database.all("c").map { $0["v"]?.integer } == [0, 1, 1, 1])
            }
        }
    }

    @Test("makes of a collection what its pipeline made, though the server refused some of it at first")
    func refusedOut() async throws {
        try await withDatabase { database in
            try await database.load("source", (0..<6).map { ["_id": .int32($0), "u": .int32($0 % 5)] })
            try await database.load("c", [["_id": 0, "u": 9]])
            try await database.run([
                "createIndexes": "c", "indexes": [["key": ["u": 1], "name": "u", "unique": true]],
            ])
            let step = #"[{"aggregate": "source", "pipeline": [{"$out": "c"}], "cursor": {}}]"#
            try await StepFolder.with(["001_out.up.json": step]) { folder in
                _ = try await json(up(folder), on: database, expecting: 3)
                _ = try await json(up(folder), on: database, expecting: 3)
                try await database.run(["dropIndexes": "c", "index": "u"])
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await database.all("c") == (try await database.all("source")))
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.all("c") == [["_id": 0, "u": 9]])
            }
        }
    }

    @Test("doesn't take somebody else's for its own: a user, or a document, that was there before")
    func othersThings() async throws {
        try await withDatabase { database in
            let user = "other-of-\(database.name)"
            try await database.run(["createUser": .string(user), "pwd": "x", "roles": []])
            try await database.insertJSON("c", #"{"_id": "admin", "n": 1}"#)
            let steps = [
                "001_user.up.json": #"[{"createUser": "\#(user)", "pwd": "y", "roles": []}]"#,
                "002_document.up.json": """
                [{"createIndexes": "c", "indexes": [{"key": {"n": 1}, "name": "n"}]},
                 {"insert": "c", "documents": [{"_id": "admin", "n": 1}]}]
                """,
            ]
            try await StepFolder.with(steps) { folder in
                for _ in 0..<2 { _ = try await json(up(folder), on: database, expecting: 3) }
                try await database.run(["dropUser": .string(user)])
                for _ in 0..<2 { _ = try await json(up(folder), on: database, expecting: 3) }
                for run in try await database.all("chat_admin.runs").compactMap({ $0["_id"]?.objectID?.hex }) {
                    _ = try await Tool.run(["runs", "undo", run, "--yes"] + target(database))
                }
                #expect(try await database.all("c").count == 1)
                try await database.run(["dropUser": .string(user)])
            }
        }
    }

    @Test(
        "whose answer was lost isn't taken for done because of what was there before",
        arguments: [
            (#"{"createUser": "USER", "pwd": "y", "roles": []}"#, FailCommand("createUser").closingConnection(), 3),
            (#"{"dropIndexes": "c", "index": ["n_1", "typo_1"]}"#, FailCommand("dropIndexes").closingConnection(), 3),
            (#"{"dropUser": "NOBODY"}"#, FailCommand("dropUser").closingConnection(), 3),
            (#"{"dropUser": "USER"}"#, FailCommand("dropUser").failingWriteConcern(), 0),
            (#"{"createUser": "NOBODY", "pwd": "y", "roles": []}"#, FailCommand("createUser").failingWriteConcern(), 0),
            (#"{"dropIndexes": "c", "index": ["n_1"]}"#, FailCommand("dropIndexes").failingWriteConcern(), 0),
            (#"{"dropIndexes": "c", "index": {"n": 1}}"#, FailCommand("dropIndexes").failingWriteConcern(), 0),
        ])
    func lostAnswer(command: String, fault: FailCommand, code: Int32) async throws {
        try await withDatabase { database in
            let user = "user-of-\(database.name)"
            let nobody = "nobody-of-\(database.name)"
            try await load(database, 1)
            try await database.run(["createUser": .string(user), "pwd": "x", "roles": []])
            try await database.run(["createIndexes": "c", "indexes": [["key": ["n": 1], "name": "n_1"]]])
            let step = command.replacing("USER", with: user).replacing("NOBODY", with: nobody)
            try await StepFolder.with(["001_step.up.json": "[\(step)]"]) { folder in
                _ = try await database.withFailPoint(fault, mode: .times(1)) { _ in
                    try await json(up(folder), on: database, expecting: code)
                }
                if code == 3 { _ = try await json(up(folder), on: database, expecting: 3) }
                let indexes = try await database.withClient { try await $0.listIndexes(database.namespace("c")) }
                #expect(indexes.count == (code == 0 && command.contains("dropIndexes") ? 1 : 2))
            }
            try await database.run(["dropAllUsersFromDatabase": 1])
        }
    }

    @Test("isn't guessed about: a pipeline that merges into its own input and got no answer")
    func unknownOutcome() async throws {
        try await withDatabase { database in
            try await load(database, 10)
            let step = """
                [{"aggregate": "c", "pipeline": [{"$set": {"n": {"$add": ["$n", 1]}}}, {"$merge": {"into": "c"}}], "cursor": {}}]
                """
            try await StepFolder.with(["001_merge.up.json": step]) { folder in
                let cut = FailCommand("aggregate", on: "\(database.name).c").closingConnection()
                let failed = try await database.withFailPoint(cut, mode: .times(1)) { _ in
                    try await json(up(folder), on: database, expecting: 3)
                }
                #expect(failed["error"]?.string?.contains("may have been done") == true)
                #expect(failed["error"]?.string?.contains("migrate mark 1 applied --steps") == true)
                _ = try await json(up(folder), on: database, expecting: 3)
                #expect(try await numbers(database) == Array(repeating: 0, count: 10))
            }
        }
    }
}

@Suite("What a step changes")
struct StepExactnessTests {
    private func up(_ folder: StepFolder) -> [String] {
        ["migrate", "up", "--yes", "--allow-dangerous"] + folder.arguments
    }

    @Test("is found as the collection's collation, or the statement's, says", arguments: TestServer.Kind.allCases)
    func collations(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.run(["create": "c", "collation": ["locale": "en", "strength": 2]])
            try await database.insertJSON("c", #"{"_id": 1, "n": "alice"}"#, #"{"_id": 2, "n": "ALICE"}"#)
            try await database.insertJSON("d", #"{"_id": "a", "n": 1}"#, #"{"_id": "A", "n": 2}"#)
            let step = """
                [{"update": "c", "updates": [{"q": {"n": "Alice"}, "u": {"$set": {"hit": 1}}, "multi": true}]},
                 {"findAndModify": "d", "query": {}, "sort": {"n": -1}, "update": {"$set": {"hit": 1}},
                  "collation": {"locale": "en", "strength": 2}}]
                """
            let before = try await database.all("d")
            try await StepFolder.with(["001_hit.up.json": step]) { folder in
                let result = try await json(up(folder), on: database, expecting: 0)
                #expect(result.counts(of: "changes", "changed") == ["update": ["c": 2, "d": 1]])
                #expect(try await database.count("c", ["hit": 1]) == 2)
                #expect(try await database.one("d", ["hit": 1])["_id"]?.string == "A")
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.all("d") == before)
                #expect(try await database.count("c", ["hit": 1]) == 0)
            }
        }
    }

    @Test("is reverted exactly: sparse and partial indexes, a view, a collection with a collation and other indexes")
    func catalogue() async throws {
        try await withDatabase { database in
            try await database.run(["create": "c", "collation": ["locale": "en", "strength": 2]])
            try await database.run([
                "createIndexes": "c",
                "indexes": [
                    ["key": ["n": 1], "name": "simple", "unique": true, "collation": ["locale": "simple"]],
                    ["key": ["t": "text"], "name": "text", "collation": ["locale": "simple"]],
                ],
            ])
            try await database.insertJSON("c", #"{"_id": 1, "n": "x"}"#, #"{"_id": 2, "n": "X"}"#)
            try await database.insertJSON("d", #"{"_id": 1}"#)
            let (catalogue, documents) = (try await Catalogue(database), try await database.all("c"))
            let steps = [
                "001_drop.up.json": #"[{"drop": "c"}]"#,
                "002_make.up.json": """
                [{"createIndexes": "d", "indexes": [
                    {"key": {"a": 1}, "name": "a", "sparse": true},
                    {"key": {"b": 1}, "name": "b", "partialFilterExpression": {"b": {"$gt": 1}}},
                    {"key": {"t": "text"}, "name": "t"}]},
                 {"create": "v", "viewOn": "d", "pipeline": []}]
                """,
            ]
            try await StepFolder.with(steps) { folder in
                let run = try #require(try await json(up(folder), on: database, expecting: 0)["run"]?.string)
                _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
                #expect(try await Catalogue(database) == catalogue)
                #expect(try await database.all("c") == documents)
            }
        }
    }

    @Test("isn't changed where the server would put the time into an empty timestamp")
    func emptyTimestamp() async throws {
        try await withDatabase { database in
            try await database.insertJSON("c", #"{"_id": 1, "n": 1}"#)
            try await database.run([
                "update": "c",
                "updates": [
                    [
                        "q": ["_id": 1],
                        "u": [["$set": ["t": ["$literal": .timestamp(BSONTimestamp(seconds: 0, increment: 0))]]]],
                    ]
                ],
            ])
            try #require(
                try await database.one("c", ["_id": 1])["t"] == .timestamp(BSONTimestamp(seconds: 0, increment: 0)))
            let step = #"[{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"n": 2}}}]}]"#
            try await StepFolder.with(["001_set.up.json": step]) { folder in
                let error = try await json(up(folder), on: database, expecting: 3)["error"]?.string
                #expect(error?.contains("empty timestamp") == true)
                #expect(try await database.one("c", ["_id": 1])["n"]?.integer == 1)
            }
        }
    }

    @Test("can't be said to be reverted where nothing was, or nothing can be")
    func falseDown() async throws {
        try await withDatabase { database in
            try await FileStepTests.loadUsers(database, count: 10)
            let steps = ["001_drop.up.json": #"[{"drop": "users"}]"#, "002_two.up.json": #"[{"ping": 1}]"#]
            try await StepFolder.with(steps) { folder in
                let small = ["--to", "1", "--journal-limit", "10"]
                _ = try await json(up(folder) + small, on: database, expecting: 0)
                let down = ["migrate", "down", "--yes", "--allow-dangerous"] + folder.arguments
                let refused = try await json(down, on: database, expecting: 4)
                #expect(refused["error"]?.string?.contains("the journal doesn't hold all that it did") == true)
                try folder.remove("001_drop.up.json")
                _ = try await json(down, on: database, expecting: 4)
                try folder.write("001_drop.up.json", #"[{"drop": "users"}]"#)
                _ = try await json(
                    ["migrate", "mark", "2", "applied", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(
                    try await json(down, on: database, expecting: 4)["error"]?.string?.contains("never run") == true)
            }
        }
    }

    @Test("is graded by what it matches, too: a deletion of everything needs its flag, however it says so")
    func deletionOfAll() async throws {
        try await withDatabase { database in
            try await FileStepTests.loadUsers(database, count: 10)
            let step = #"[{"delete": "users", "deletes": [{"q": {"born": {"$gte": 0}}, "limit": 0}]}]"#
            try await StepFolder.with(["001_delete.up.json": step]) { folder in
                let error = try await json(
                    ["migrate", "up", "--yes"] + folder.arguments, on: database, expecting: 4)["error"]?.string
                #expect(error?.contains("its filter matches them all") == true)
                #expect(try await database.count("users") == 10)
                _ = try await json(up(folder) + ["--max-changes", "100%"], on: database, expecting: 0)
            }
        }
    }

    @Test("never shows a password, in whatever order its command stands")
    func secrets() async throws {
        try await withDatabase { database in
            let step = #"[{"pwd": "s3cr3t", "createUser": "bob", "roles": []}]"#
            try await StepFolder.with(["001_user.up.json": step]) { folder in
                for command in [["migrate", "plan"], ["migrate", "up", "--yes"], ["migrate", "status"]] {
                    let result = try await Tool.run(command + folder.arguments + target(database) + ["-vv"])
                    #expect(!(result.output + result.errors).contains("s3cr3t"))
                }
                for name in try await database.names() {
                    for document in try await database.all(name) {
                        #expect(!(try ExtendedJSON.canonical(document)).contains("s3cr3t"), "\(name)")
                    }
                }
            }
        }
    }

    @Test("is reverted from the journal where the down file was forgotten")
    func emptyDown() async throws {
        try await withDatabase { database in
            let steps = [
                "001_one.up.json": #"[{"insert": "c", "documents": [{"n": 1}]}]"#, "001_one.down.json": "[\n]\n",
            ]
            try await StepFolder.with(steps) { folder in
                _ = try await json(up(folder), on: database, expecting: 0)
                let down = try await Tool.run(["migrate", "down", "--yes"] + folder.arguments + target(database))
                #expect(down.errors.contains("001_one.down.json has no commands"))
                #expect(try await database.count("c") == 0)
            }
        }
    }
}
