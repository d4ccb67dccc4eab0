import BSON
import TestSupport
import Testing

/// What a plan says of a directory is what applying it would meet.
@Suite("The plan of steps in files")
struct StepPlanTests {
    private func plan(
        _ files: [String: String], _ database: TestDatabase
    ) async throws -> [BSONDocument] {
        try await StepFolder.with(files) { folder in
            let plan = try await json(["migrate", "plan"] + folder.arguments, on: database, expecting: 2)
            return (plan["steps"]?.array?.values ?? []).compactMap(\.document)
        }
    }

    private func texts(_ step: BSONDocument, _ list: String) -> String { "\(step[list] ?? .null)" }

    @Test(
        "names the step whose filter the server refuses, and shows the others",
        arguments: [#"{"$text": {"$search": "x"}}"#, #"{"where": {"$near": [1, 2]}}"#, #"{"n": {"$bogus": 1}}"#])
    func refusedFilter(filter: String) async throws {
        try await withDatabase { database in
            try await database.load("c", [["_id": 1, "n": 1]])
            let update = #"[{"update": "c", "updates": [{"q": \#(filter), "u": {"$set": {"m": 1}}, "multi": true}]}]"#
            let files = [
                "001_bad.up.json": update, "002_good.up.json": #"[{"insert": "d", "documents": [{"_id": 1}]}]"#,
            ]
            let steps = try await plan(files, database)
            #expect(steps.count == 2)
            #expect(texts(steps[0], "blockers").contains("can't look for"), "\(steps[0])")
            try await StepFolder.with(files) { folder in
                _ = try await json(["migrate", "up", "--yes"] + folder.arguments, on: database, expecting: 4)
                #expect(try await database.count("d") == 0)
            }
        }
    }

    @Test("doesn't hold against a step what the one before it makes possible")
    func textIndex() async throws {
        try await withDatabase { database in
            try await database.load("c", [["_id": 1, "n": "word"]])
            let files = [
                "001_index.up.json": #"[{"createIndexes": "c", "indexes": [{"key": {"n": "text"}, "name": "t"}]}]"#,
                "002_set.up.json": """
                [{"update": "c", "updates": [{"q": {"$text": {"$search": "word"}}, "u": {"$set": {"m": 1}}, "multi": true}]}]
                """,
            ]
            let steps = try await plan(files, database)
            #expect(steps[1]["blockers"]?.array?.isEmpty == true, "\(steps[1])")
            try await StepFolder.with(files) { folder in
                _ = try await json(["migrate", "up", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.count("c", ["m": 1]) == 1)
            }
        }
    }

    @Test("of a step that failed counts what is still to be done, and the step can be reverted")
    func halfDone() async throws {
        try await withDatabase { database in
            let step = """
                [{"create": "c"}, {"insert": "c", "documents": [{"_id": 1}, {"_id": 2}]},
                 {"collMod": "c", "validationLevel": "nothing"}, {"insert": "c", "documents": [{"_id": 3}]}]
                """
            try await StepFolder.with(["001_c.up.json": step]) { folder in
                _ = try await json(["migrate", "up", "--yes"] + folder.arguments, on: database, expecting: 3)
                let dry = try await json(["migrate", "up", "--dry-run"] + folder.arguments, on: database, expecting: 0)
                let changes = (dry["changes"]?.array?.values ?? []).compactMap { $0.document?["changed"]?.integer }
                #expect(changes.reduce(0, +) == 2, "\(dry)")
                // What the journal doesn't hold was refused, so it did nothing.
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(try await database.names().contains("c") == false)
            }
        }
    }

    @Test("says what stands in the way of a step that is half reverted")
    func halfTakenBack() async throws {
        try await withDatabase { database in
            try await database.load("c", (0..<3).map { ["_id": .int32($0), "n": 0] })
            let step = #"[{"update": "c", "updates": [{"q": {"n": 0}, "u": {"$set": {"n": 1}}, "multi": true}]}]"#
            try await StepFolder.with(["001_set.up.json": step]) { folder in
                _ = try await json(["migrate", "up", "--yes"] + folder.arguments, on: database, expecting: 0)
                try await database.update("c", ["_id": 1], ["$set": ["n": 5]])
                _ = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 1)
                let plan = try await json(["migrate", "plan"] + folder.arguments, on: database, expecting: 2)
                let first = try #require(plan["steps"]?.array?.values.first?.document)
                #expect(texts(first, "blockers").contains("half reverted"), "\(first)")
                let problems = try await json(["migrate", "validate"] + folder.arguments, on: database, expecting: 1)
                #expect(texts(problems, "problems").contains("it left 1 in c"), "\(problems)")
            }
        }
    }
}
