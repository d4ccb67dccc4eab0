import BSON
import Foundation
import TestSupport
import Testing

/// What a step has changed and left is told when it ends, and afterwards, however many runs it took.
@Suite("What a step has changed and left")
struct StepAccountTests {
    private func up(_ folder: StepFolder) -> [String] {
        ["migrate", "up", "--yes", "--allow-dangerous"] + folder.arguments
    }

    private func status(_ folder: StepFolder, _ database: TestDatabase) async throws -> BSONDocument {
        let status = try await json(["migrate", "status"] + folder.arguments, on: database, expecting: 0)
        return try #require(status["steps"]?.array?.values.first?.document)
    }

    private static func sum(_ list: BSONValue?, _ number: String) -> Int64 {
        (list?.array?.values ?? []).compactMap { $0.document?[number]?.integer }.reduce(0, +)
    }

    private static let out = """
        {"aggregate": "c", "cursor": {}, "pipeline": [{"$set": {"n": {"$add": ["$n", 1]}}}, {"$out": "c"}]}
        """

    /// Runs the tool, and changes a document after the pipeline's images are in the journal, and before it is changed.
    private func runWhileChanging(
        _ arguments: [String], _ database: TestDatabase, expecting code: Int32
    ) async throws -> BSONDocument {
        let block = FailCommand("update", on: "\(database.name).chat_admin.journal").blocking(milliseconds: 3000)
        return try await database.withFailPoint(block, mode: .times(1)) { failPoint in
            async let result = json(arguments, on: database, expecting: code)
            try await failPoint.waitUntilEntered()
            try await database.update("c", ["_id": 1], ["$set": ["n": 100]])
            return try await result
        }
    }

    @Test("is in the ledger though the run that left it failed at a later command")
    func leftBeforeFailure() async throws {
        try await withDatabase { database in
            try await database.load("c", (0..<4).map { ["_id": .int32($0), "n": 0] })
            let refused = #"{"createIndexes": "c", "indexes": [{"key": {"n": "nothing"}, "name": "n"}]}"#
            try await StepFolder.with(["001_out.up.json": "[\(Self.out), \(refused)]"]) { folder in
                let failed = try await runWhileChanging(up(folder), database, expecting: 3)
                #expect(Self.sum(failed["left"], "count") == 1, "\(failed)")
                #expect(try await database.all("c").map { $0["n"]?.integer } == [1, 100, 1, 1])
                let half = try await status(folder, database)
                #expect(Self.sum(half["left"], "count") == 1, "\(half)")

                try folder.write("001_out.up.json", "[\(Self.out)]")
                let done = try await json(up(folder), on: database, expecting: 1)
                #expect(Self.sum(done["left"], "count") == 1, "\(done)")
                #expect(try await database.all("c").map { $0["n"]?.integer } == [1, 100, 1, 1])
                let after = try await status(folder, database)
                #expect(Self.sum(after["left"], "count") == 1, "\(after)")
                let samples = after["left"]?.array?.values.first?.document?["samples"]
                #expect(samples == [["_id": 1]] as BSONValue, "\(after)")
                #expect(Self.sum(after["changes"], "changed") == 3, "\(after)")

                let validate = ["migrate", "validate"] + folder.arguments
                let problems = try await json(validate, on: database, expecting: 1)
                #expect(problems["problems"]?.array?.values.first?.document?["problem"] == "left", "\(problems)")
                let mark = ["migrate", "mark", "1", "applied", "--yes"] + folder.arguments
                _ = try await json(mark, on: database, expecting: 0)
                _ = try await json(validate, on: database, expecting: 0)
            }
        }
    }

    @Test("is in the ledger though the run that left it was killed before the end of the step")
    func leftBeforeKill() async throws {
        try await withDatabase { database in
            try await database.load("c", (0..<4).map { ["_id": .int32($0), "n": 0] })
            // Slow, so that there is time to change a document meanwhile.
            let out = Self.out.replacing(
                #"{"$add": ["$n", 1]}"#,
                with: """
                    {"$function": {"lang": "js", "args": ["$n"], "body": "function(n) { sleep(1000); return NumberInt(n + 1) }"}}
                    """)
            try await StepFolder.with(["001_out.up.json": "[\(out)]"]) { folder in
                // What the pipeline made is dropped when all of it is done.
                let drop = FailCommand("drop").blocking(milliseconds: 1000)
                let wasKilled = try await database.withFailPoint(drop, mode: .times(1)) { failPoint in
                    let ended = try await Tool.run(up(folder) + target(database), sending: SIGKILL) { _ in
                        try await waitUntil("the images are in the journal") {
                            try await database.count("chat_admin.journal", ["kind": "documents"]) > 0
                        }
                        try await database.update("c", ["_id": 1], ["$set": ["n": 100]])
                        try await failPoint.waitUntilEntered()
                    }
                    return ended.wasSent
                }
                #expect(wasKilled)
                try await database.update("chat_admin.lease", ["_id": "lease"], ["$set": ["expiresAt": .date(0)]])
                let done = try await json(up(folder) + ["--wait", "60"], on: database, expecting: 1)
                #expect(Self.sum(done["left"], "count") == 1, "\(done)")
                let after = try await status(folder, database)
                #expect(Self.sum(after["left"], "count") == 1, "\(after)")
                #expect(Self.sum(after["changes"], "changed") == 3, "\(after)")
                #expect(try await database.all("c").map { $0["n"]?.integer } == [1, 100, 1, 1])
                #expect(try await database.names().filter { $0.hasPrefix("chat_admin.output") } == [])
            }
        }
    }

    @Test("is in the run's record")
    func runRecord() async throws {
        try await withDatabase { database in
            try await database.load("c", (0..<4).map { ["_id": .int32($0), "n": 0] })
            try await StepFolder.with(["001_out.up.json": "[\(Self.out)]"]) { folder in
                let result = try await runWhileChanging(up(folder), database, expecting: 1)
                let run = try #require(result["run"]?.string)
                let shown = try await json(["runs", "show", run], on: database, expecting: 0)
                #expect(Self.sum(shown["left"], "count") == 1, "\(shown)")
            }
        }
    }

    @Test(
        "counts what was done before the connection broke once",
        arguments: [
            (#"{"collMod": "c", "validator": {"n": {"$lt": 50}}}"#, "update", "chat_admin.migrations", 3, 1),
            (#"{"drop": "c"}"#, "update", "chat_admin.migrations", 2, 1),
            (
                #"{"createIndexes": "c", "indexes": [{"key": {"n": 1}, "name": "n"}, {"key": {"m": 1}, "name": "m"}]}"#,
                "createIndexes", "c", 0, 2
            ),
        ])
    func countedOnce(command: String, broken: String, collection: String, skip: Int32, changes: Int64) async throws {
        try await withDatabase { database in
            try await database.load("c", [["_id": 1, "n": 1]])
            try await StepFolder.with(["001_step.up.json": #"[\#(command), {"ping": 1}]"#]) { folder in
                let cut = FailCommand(broken, on: "\(database.name).\(collection)").closingConnection()
                let applied = try await database.withFailPoint(cut, mode: .skip(skip)) { failPoint in
                    let applied = Task { try await json(up(folder), on: database, expecting: 0) }
                    try await failPoint.waitUntilEntered()
                    return applied
                }
                let result = try await applied.value
                #expect(Self.sum(result["changes"], "changed") == changes, "\(result)")
                let after = try await status(folder, database)
                #expect(Self.sum(after["changes"], "changed") == changes, "\(after)")
            }
        }
    }

    @Test("is added up over the runs that it took, one of them killed")
    func addedUp() async throws {
        try await withDatabase { database in
            try await database.load("c", (0..<3000).map { ["_id": .int32($0), "n": 0] })
            try await database.update("c", ["_id": 2500], ["$set": ["n": 100]])
            try await database.run(["collMod": "c", "validator": ["n": ["$lt": 50]]])
            let step = """
                [{"insert": "d", "documents": [{"_id": 1}]},
                 {"update": "c", "updates": [{"q": {"_id": {"$gte": 0}}, "u": {"$inc": {"n": 1}}, "multi": true}]}]
                """
            try await StepFolder.with(["001_inc.up.json": step]) { folder in
                let block = FailCommand("update", on: "\(database.name).c").blocking(milliseconds: 3000)
                try await kill(up(folder), on: database, holdingBack: block, mode: .skip(1500))
                _ = try await json(up(folder) + ["--wait", "60"], on: database, expecting: 3)
                let failed = try await status(folder, database)
                try await database.update("c", ["_id": 2500], ["$set": ["n": 0]])
                _ = try await json(up(folder), on: database, expecting: 0)
                let after = try await status(folder, database)
                #expect(Self.sum(after["changes"], "changed") == 3001, "\(after)")
                #expect((after["durationMS"]?.integer ?? 0) >= (failed["durationMS"]?.integer ?? .max), "\(after)")
                #expect(try await database.count("c", ["n": 1]) == 3000)
            }
        }
    }
}
