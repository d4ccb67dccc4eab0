import BSON
import Foundation
import TestSupport
import Testing

/// What a step must not do, whatever its file says and whatever comes between.
@Suite("A step in a file")
struct StepSafetyTests {
    private func up(_ folder: StepFolder, _ more: [String] = ["--allow-dangerous"]) -> [String] {
        ["migrate", "up", "--yes"] + folder.arguments + more
    }

    private func load(_ database: TestDatabase, _ count: Int32) async throws {
        try await database.load("c", (0..<count).map { ["_id": .int32($0), "n": .int32($0)] })
    }

    @Test("doesn't merge twice into what a $merge that failed half-way has made, and reverts that exactly")
    func halfMerged() async throws {
        try await withDatabase { database in
            try await load(database, 11)
            let before = try await database.all("c")
            try await database.run(["collMod": "c", "validator": ["n": ["$lt": 20]]])
            let merge = """
                [{"aggregate": "c", "cursor": {}, "pipeline": [{"$set": {"n": {"$add": ["$n", 10]}}},
                  {"$merge": {"into": "c", "whenMatched": "replace"}}]}]
                """
            try await StepFolder.with(["001_merge.up.json": merge]) { folder in
                let failed = try await json(up(folder), on: database, expecting: 3)
                #expect(try await database.all("c") != before, "the test wants a $merge that comes part of the way")
                try await database.run(["collMod": "c", "validator": ["n": ["$lt": 100]]])
                _ = try await json(up(folder), on: database, expecting: 3)
                let run = try #require(failed["run"]?.string)
                _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
                #expect(try await database.all("c") == before)
            }
        }
    }

    @Test("that explains a pipeline leaves alone what the pipeline would replace")
    func explained() async throws {
        try await withDatabase { database in
            try await load(database, 5)
            let step = #"[{"aggregate": "c", "pipeline": [{"$set": {"w": 1}}, {"$out": "c"}], "explain": true}]"#
            try await StepFolder.with(["001_explain.up.json": step]) { folder in
                _ = try await Tool.run(up(folder) + target(database))
                #expect(try await database.count("c", ["w": ["$exists": false]]) == 5)
            }
        }
    }

    @Test("is resumed as it was begun, though another --journal-limit is given")
    func otherLimit() async throws {
        try await withDatabase { database in
            try await load(database, 30)
            try await database.run(["collMod": "c", "validator": ["n": ["$ne": 4]]])
            let step = """
                [{"update": "c", "updates": [{"q": {}, "u": {"$inc": {"n": 1000}, "$set": {"s": 1}}, "multi": true}]}]
                """
            try await StepFolder.with(["001_inc.up.json": step]) { folder in
                try await database.run(["collMod": "c", "validator": ["n": ["$ne": 1004]]])
                _ = try await json(up(folder), on: database, expecting: 3)
                try await database.run(["collMod": "c", "validator": [:]])
                _ = try await json(up(folder) + ["--journal-limit", "1"], on: database, expecting: 0)
                let numbers = try await database.all("c").compactMap { $0["n"]?.integer }.sorted()
                #expect(numbers == Array(1000..<1030))
            }
        }
    }

    @Test("is graded by what the server would understand")
    func grading() async throws {
        let dangerous = [
            #"{"findAndModify": "c", "query": {"_id": 99}, "update": {"$set": {"n": 1}}, "upsert": 1}"#,
            #"{"aggregate": "d", "cursor": {}, "pipeline": [{"$unionWith": "c"}, {"$merge": {"into": "c"}}]}"#,
            """
            {"aggregate": "d", "cursor": {}, "pipeline": [{"$lookup": {"from": "c", "pipeline": [], "as": "x"}},
             {"$merge": {"into": "c"}}]}
            """,
        ]
        try await withDatabase { database in
            try await load(database, 3)
            for command in dangerous {
                try await StepFolder.with(["001_step.up.json": "[\(command)]"]) { folder in
                    let refused = try await json(up(folder, []), on: database, expecting: 4)
                    #expect(refused["error"]?.string?.contains("can lose data") == true, "\(refused)")
                }
            }
            try await StepFolder.with(["001_step.up.json": #"[{"drop": {"$symbol": "c"}}]"#]) { folder in
                let refused = try await json(up(folder), on: database, expecting: 4)
                #expect(refused["error"]?.string?.contains("names no collection") == true, "\(refused)")
            }
            #expect(try await database.count("c") == 3)
        }
    }

    @Test("reads from the primary what it changes, whatever the connection string prefers", arguments: [1, 1500])
    func readPreference(count: Int32) async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await load(database, count)
            let step = """
                [{"update": "c", "updates": [{"q": {"n": {"$gte": 0}}, "u": {"$set": {"m": 1}}, "multi": true}]}]
                """
            try await StepFolder.with(["001_set.up.json": step]) { folder in
                let server = try await TestServer.shared(.replicaSet)
                let uri = server.uri + (server.uri.contains("?") ? "&" : "/?") + "readPreference=secondaryPreferred"
                let result = try await Tool.run(up(folder) + ["--uri", uri, "--database", database.name])
                #expect(result.exitCode == 0, "\(result)")
                #expect(try await database.count("c", ["m": 1]) == Int(count))
            }
        }
    }

    @Test(
        "whose .down.json fails before it has changed anything stays applied",
        arguments: [
            #"[{"dropIndexes": "c", "index": "nothing_1"}]"#,
            #"[{"createIndexes": "c", "indexes": [{"key": {"same": 1}, "name": "same_1", "unique": true}]}]"#,
            #"[{"update": "c", "updates": [{"q": {"n": 2}, "u": {"$set": {"n": 99}}}]}]"#,
            #"[{"createUser": "u", "pwd": "p", "roles": ["nobody knows it"]}]"#,
        ])
    func downRefused(commands: String) async throws {
        try await withDatabase { database in
            try await load(database, 5)
            let step = #"[{"update": "c", "updates": [{"q": {"n": 1}, "u": {"$set": {"m": 1}}}]}]"#
            try await StepFolder.with(["001_set.up.json": step, "001_set.down.json": commands]) { folder in
                _ = try await json(up(folder), on: database, expecting: 0)
                try await database.run(["collMod": "c", "validator": ["n": ["$ne": 99]]])
                let before = try await database.all("c")
                let down = ["migrate", "down", "--yes", "--allow-dangerous"] + folder.arguments
                let failed = try await json(down, on: database, expecting: 3)
                #expect(failed["error"]?.string?.contains("applied as before") == true, "\(failed)")
                #expect(try await database.all("c") == before)
                let rows = try await database.all("chat_admin.migrations")
                #expect(rows.map { $0["state"] } == ["applied"])
                // Neither direction is barred: the step is as it was, and its file can be mended.
                _ = try await json(up(folder), on: database, expecting: 0)
                try folder.write(
                    "001_set.down.json",
                    #"[{"update": "c", "updates": [{"q": {"n": 1}, "u": {"$unset": {"m": ""}}}]}]"#)
                _ = try await json(down, on: database, expecting: 0)
                #expect(try await database.count("c", ["m": ["$exists": true]]) == 0)
            }
        }
    }

    @Test("whose .down.json was killed before it had an effect, and then fails, stays applied as it was")
    func downKilledThenRefused() async throws {
        try await withDatabase { database in
            let step = #"[{"insert": "c", "documents": [{"_id": 1}]}]"#
            let refused = #"[{"createUser": "u", "pwd": "p", "roles": ["nobody knows it"]}]"#
            try await StepFolder.with(["001_set.up.json": step, "001_set.down.json": refused]) { folder in
                _ = try await json(up(folder), on: database, expecting: 0)
                let before = try await database.all("chat_admin.migrations")
                let down = ["migrate", "down", "--yes"] + folder.arguments
                let block = FailCommand("createUser").blocking(milliseconds: 1000)
                try await kill(down, on: database, holdingBack: block, mode: .times(1))
                _ = try await json(down, on: database, expecting: 3)
                let after = try await database.all("chat_admin.migrations")
                for field in ["state", "startedAt", "finishedAt", "durationMS", "attempt", "changes", "left"] {
                    #expect(after[0][field] == before[0][field], "\(field)")
                }
                let text = try await Tool.run(["migrate", "status"] + folder.arguments + target(database))
                #expect(text.output.contains("last `migrate down` failed"), "\(text)")
            }
        }
    }

    @Test("changes the document that an application inserts while the step is about to insert it itself")
    func upsertRace() async throws {
        try await withDatabase { database in
            let step =
                #"[{"update": "c", "updates": [{"q": {"_id": "k"}, "u": {"$inc": {"n": 1}}, "upsert": true}]}]"#
            try await load(database, 1)
            try await StepFolder.with(["001_upsert.up.json": step]) { folder in
                let block = FailCommand("insert", on: "\(database.name).c").blocking(milliseconds: 2000)
                try await database.withFailPoint(block, mode: .times(1)) { failPoint in
                    async let applied = json(up(folder), on: database, expecting: 0)
                    try await failPoint.waitUntilEntered()
                    try await database.load("c", [["_id": "k", "n": 100]])
                    _ = try await applied
                }
                #expect(try await database.find("c", ["_id": "k"]) == [["_id": "k", "n": 101]])
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.find("c", ["_id": "k"]) == [["_id": "k", "n": 100]])
            }
        }
    }

    @Test("that failed before it changed anything can be reverted, by whatever means", arguments: [false, true])
    func upRefused(hasDown: Bool) async throws {
        try await withDatabase { database in
            var files = ["001_user.up.json": #"[{"createUser": "u", "pwd": "p", "roles": ["nobody knows it"]}]"#]
            if hasDown { files["001_user.down.json"] = #"[{"dropUser": "u"}]"# }
            try await StepFolder.with(files) { folder in
                _ = try await json(up(folder), on: database, expecting: 3)
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.all("chat_admin.migrations").map { $0["state"] } == ["reverted"])
            }
        }
    }

    @Test("of which one statement is done and the next refused is neither taken for untouched nor done again")
    func statementRefused() async throws {
        try await withDatabase { database in
            try await load(database, 5)
            // Sent as it is: the tool doesn't know what this field means.
            let step = """
                [{"update": "c", "bypassDocumentValidation": true, "updates": [
                  {"q": {"n": 1}, "u": {"$inc": {"m": 1}}, "multi": true}, {"q": {"n": 2}, "u": {"$nothing": {"m": 1}}}]}]
                """
            try await StepFolder.with(["001_half.up.json": step]) { folder in
                _ = try await json(up(folder), on: database, expecting: 3)
                _ = try await json(up(folder), on: database, expecting: 3)
                #expect(try await database.count("c", ["m": 1]) == 1)
                let down = try await Tool.run(["migrate", "down", "--yes"] + folder.arguments + target(database))
                #expect(down.exitCode == 4, "\(down)")
            }
        }
    }

    @Test(
        "whose pipeline the server refuses has changed nothing, up or down", arguments: [[], ["--journal-limit", "1"]])
    func pipelineRefused(limit: [String]) async throws {
        try await withDatabase { database in
            try await database.load("c", [["_id": 1, "n": "x"]])
            let out =
                #"[{"aggregate": "c", "pipeline": [{"$set": {"n": {"$toInt": "$n"}}}, {"$out": "c"}], "cursor": {}}]"#
            let fine = #"[{"insert": "d", "documents": [{"_id": 1}]}]"#
            try await StepFolder.with(["001_out.up.json": out, "001_out.down.json": fine]) { folder in
                _ = try await json(up(folder) + limit, on: database, expecting: 3)
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                try folder.write("001_out.up.json", fine)
                try folder.write("001_out.down.json", out)
                _ = try await json(up(folder), on: database, expecting: 0)
                let down = ["migrate", "down", "--yes", "--allow-dangerous"] + folder.arguments + limit
                _ = try await json(down, on: database, expecting: 3)
                #expect(try await database.all("chat_admin.migrations").map { $0["state"] } == ["applied"])
                try folder.write("001_out.down.json", #"[{"delete": "d", "deletes": [{"q": {"_id": 1}, "limit": 1}]}]"#)
                _ = try await json(down, on: database, expecting: 0)
                #expect(try await database.count("d") == 0)
            }
        }
    }

    @Test("that was marked is still known to its run where its .down.json fails")
    func markedThenDown() async throws {
        try await withDatabase { database in
            try await load(database, 2)
            let step = #"[{"update": "c", "updates": [{"q": {"n": 1}, "u": {"$set": {"m": 1}}}]}]"#
            let down = #"[{"dropIndexes": "c", "index": "nothing_1"}]"#
            try await StepFolder.with(["001_set.up.json": step, "001_set.down.json": down]) { folder in
                let applied = try await json(up(folder), on: database, expecting: 0)
                _ = try await json(
                    ["migrate", "mark", "1", "applied", "--yes"] + folder.arguments, on: database, expecting: 0)
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 3)
                let run = try #require(applied["run"]?.string)
                _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
                #expect(try await database.all("chat_admin.migrations").map { $0["state"] } == ["reverted"])
            }
        }
    }

    @Test("changes documents whose fields' names begin with a dollar, and reverts that", arguments: [true, false])
    func dollarFields(isMulti: Bool) async throws {
        try await withDatabase { database in
            try await database.load("c", (0..<3).map { ["_id": .int32($0), "n": 1, "$odd": ["$a": 1], "z": 2] })
            let before = try await database.all("c")
            let step =
                #"[{"update": "c", "updates": [{"q": {"n": 1}, "u": {"$set": {"m": 1}}, "multi": \#(isMulti)}]}]"#
            try await StepFolder.with(["001_set.up.json": step]) { folder in
                _ = try await json(up(folder), on: database, expecting: 0)
                let changed = try await database.find("c", ["m": 1])
                #expect(changed.count == (isMulti ? 3 : 1))
                #expect(changed.allSatisfy { $0["$odd"] == ["$a": 1] })
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.all("c") == before)
            }
        }
    }

    @Test("that does what no journal holds says so where it says how to revert it")
    func unjournalled() async throws {
        try await withDatabase { database in
            try await load(database, 1)
            let step = #"[{"collMod": "c", "validator": {"n": 0}}]"#
            try await StepFolder.with(["001_rule.up.json": step]) { folder in
                let done = try await Tool.run(up(folder) + target(database))
                #expect(done.exitCode == 0 && done.output.contains("not all"), "\(done)")
            }
        }
    }

    @Test("that fails says what was done before it, and where that is recorded")
    func trail() async throws {
        try await withDatabase { database in
            let steps = [
                "001_good.up.json": #"[{"insert": "c", "documents": [{"_id": 1}]}]"#,
                "002_bad.up.json": #"[{"insert": "c", "documents": [{"_id": 2}, {"_id": 2}]}]"#,
            ]
            try await StepFolder.with(steps) { folder in
                let failed = try await json(up(folder, []), on: database, expecting: 3)
                let run = try #require(failed["run"]?.string)
                let done = failed["steps"]?.array?.values.compactMap { $0.document?["version"]?.integer }
                #expect(done == [1])
                let again = try await Tool.run(up(folder, []) + target(database))
                #expect(again.exitCode == 3 && again.errors.contains("runs show "), "\(again)")
                _ = try await json(["runs", "show", run], on: database, expecting: 0)
            }
        }
    }
}
