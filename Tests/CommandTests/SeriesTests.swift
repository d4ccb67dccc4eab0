import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

@Suite("A series of steps and its ledger")
struct SeriesTests {
    private static func insert(_ number: Int) -> String { #"[{"insert": "things", "documents": [{"n": \#(number)}]}]"# }

    private static let three = [
        "001_one.up.json": insert(1), "002_two.up.json": insert(2), "003_three.up.json": insert(3),
    ]

    private func up(_ folder: StepFolder, _ more: [String] = []) -> [String] {
        ["migrate", "up", "--yes"] + folder.arguments + more
    }

    private func status(_ folder: StepFolder, _ database: TestDatabase) async throws -> [Int64: BSONDocument] {
        let status = try await json(["migrate", "status"] + folder.arguments, on: database, expecting: 0)
        return (status["steps"]?.array?.values ?? []).compactMap(\.document).reduce(into: [:]) {
            $0[$1["version"]?.integer ?? 0] = $1
        }
    }

    @Test("knows the built-in steps by the checksums that earlier versions applied them with, and no others")
    func formerChecksums() async throws {
        try await withDatabase { database in
            try await database.load("users", [["_id": .objectID(ObjectID(timestamp: 9))]])
            _ = try await json(["migrate", "up", "--yes"], on: database, expecting: 0)
            let plan = ["migrate", "plan"] + target(database)
            for (version, checksum) in Self.earlierChecksums {
                try await database.update(
                    "chat_admin.migrations", ["_id": .string("chat/\(version)")],
                    ["$set": ["checksum": .string(checksum)]])
                let known = try await Tool.run(plan)
                #expect(known.exitCode == 0, "\(known)")
            }
            try await database.update(
                "chat_admin.migrations", ["_id": "chat/3"],
                ["$set": ["checksum": .string(String(Self.earlierChecksums[0].checksum))]])
            let edited = try await Tool.run(["migrate", "up", "--yes"] + target(database))
            #expect(edited.exitCode == 4 && edited.errors.contains("repair-references"), "\(edited)")
        }
    }

    /// Of the steps' sources without comments and spaces, as they were computed once.
    private static let earlierChecksums: [(version: Int, checksum: String)] = [
        (1, "9e15aafe39666be4ef68f9f7202026a5f3f6313fb443a72b5ff304556a78068f"),
        (2, "5040d7a89347eea3eaed3dfff205a7863967e7de737d6ec6828e16126b28aa99"),
        (3, "7e640706f783d9239af9c805f08870f40c865b81c4f065784ce5c226c3c6ba8b"),
        (4, "bd558889ff006301cc7d3ae2854acc3927a24dc987d45453b5a1e4af9e31a3ef"),
        (5, "e10d52fa9032b629aca017865fa26e3c6e5962e370c45767f4ba317f38d9240a"),
        (6, "f77f309f8a635955a4b74d5433ce1e2278c7d773c2cd1aa493a0891b4f375bac"),
    ]

    @Test("is apart from other series, and remembers who applied what, when, and how long it took")
    func ledger() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.three) { folder in
                let result = try await json(up(folder), on: database, expecting: 0)
                #expect(result.counts(of: "changes", "changed") == ["insert": ["things": 3]])
                let steps = try await status(folder, database)
                let first = try #require(steps[1])
                #expect(first["state"]?.string == "applied" && first["name"]?.string == "one")
                for key in ["startedAt", "finishedAt", "user", "host", "toolVersion"] {
                    #expect(first[key]?.string?.isEmpty == false, "\(key)")
                }
                #expect(first["durationMS"]?.integer != nil)
                #expect(
                    try await database.one("chat_admin.migrations", ["_id": "shop/1"])["checksum"]?.string?.count == 64)

                let other = ["migrate", "status", "--exit-code", "--series", "other"] + folder.arguments
                #expect(try await json(other, on: database, expecting: 2)["pending"]?.integer == 3)
                let run = try #require(result["run"]?.string)
                let shown = try await json(["runs", "show", run], on: database, expecting: 0)
                let operations = (shown["operations"]?.array?.values ?? []).compactMap(\.document)
                #expect(operations.map { $0["step"]?.integer } == [1, 2, 3])
                #expect(operations.allSatisfy { $0["changed"]?.integer == 1 && $0["durationMS"] != nil })
            }
        }
    }

    @Test(
        "is named by an undo that leaves something of its steps, so that what is advised isn't about the built-in ones")
    func undoAdvice() async throws {
        let files = [
            "001_a.up.json":
                #"[{"insert": "f", "documents": [{"_id": 1}]}, {"createIndexes": "f", "indexes": [{"key": {"a": 1}, "name": "a"}]}]"#,
            "001_a.down.json":
                #"[{"delete": "f", "deletes": [{"q": {"_id": 1}, "limit": 1}]}, {"dropIndexes": "f", "index": "a"}]"#,
        ]
        try await withDatabase { database in
            try await StepFolder.with(files) { folder in
                _ = try await json(up(folder), on: database, expecting: 0)
                let down = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                let run = try #require(down["run"]?.string)
                let undo = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 1)
                let left = (undo["left"]?.array?.values ?? []).compactMap { $0.document?["reason"]?.string }
                #expect(left.contains { $0.contains("`migrate mark 1 applied --steps DIR --series shop`") }, "\(undo)")
            }
        }
    }

    @Test("is named in advice as a shell takes it")
    func quoted() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.three) { folder in
                let arguments = ["migrate", "up", "--to", "9", "--series", "it's new"] + folder.arguments
                let refused = try await json(arguments, on: database, expecting: 64)
                let error = refused["error"]?.string ?? ""
                #expect(
                    error.contains("`migrate status --steps \(folder.path) --series 'it'\\''s new'` lists"), "\(error)")
            }
        }
    }

    @Test("stops at an applied step that was edited: shown, refused, and accepted when it is marked")
    func edited() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.three) { folder in
                _ = try await json(up(folder, ["--to", "2"]), on: database, expecting: 0)
                try folder.write("001_one.up.json", Self.insert(7))
                #expect(try await status(folder, database)[1]?["problems"]?.array?.values == ["edited"])
                let refused = try await json(up(folder), on: database, expecting: 4)
                #expect(
                    refused["error"]?.string?.contains("Step 1 (one) has been edited since it was applied.") == true)
                let validate = ["migrate", "validate"] + folder.arguments
                let invalid = try await json(validate, on: database, expecting: 1)
                let problem = invalid["problems"]?.array?.values.first?.document
                #expect(problem?["problem"]?.string == "edited" && problem?["version"]?.integer == 1)

                let mark = ["migrate", "mark", "1", "applied", "--yes"] + folder.arguments
                _ = try await json(mark, on: database, expecting: 0)
                _ = try await json(validate, on: database, expecting: 0)
                _ = try await json(up(folder), on: database, expecting: 0)
                // Not by their _ids: two processes made those, perhaps within one second.
                #expect(try await database.all("things").compactMap { $0["n"]?.integer }.sorted() == [1, 2, 3])
            }
        }
    }

    @Test("stops at an applied step that is missing, until it is given up")
    func missing() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.three) { folder in
                _ = try await json(up(folder), on: database, expecting: 0)
                try folder.remove("002_two.up.json")
                try folder.write("004_four.up.json", Self.insert(4))
                #expect(try await status(folder, database)[2]?["problems"]?.array?.values == ["missing"])
                let refused = try await json(up(folder), on: database, expecting: 4)
                #expect(refused["error"]?.string?.contains("has step 2 applied, which is missing here") == true)
                _ = try await json(["migrate", "validate"] + folder.arguments, on: database, expecting: 1)
                _ = try await json(
                    ["migrate", "mark", "2", "reverted", "--yes"] + folder.arguments, on: database, expecting: 0)
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await database.count("things") == 4)
            }
        }
    }

    @Test("refuses two files of one version before it speaks to the server")
    func duplicated() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.three) { folder in
                try folder.write("1_again.up.json", "[]")
                for command in ["plan", "status", "validate", "up"] {
                    let result = try await json(["migrate", command] + folder.arguments, on: database, expecting: 65)
                    #expect(
                        result["error"]?.string?.contains("001_one.up.json and 1_again.up.json both have the version 1")
                            == true)
                }
            }
        }
    }

    @Test("shows the hole that a merge left, and fills it only when that is allowed")
    func outOfOrder() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.three) { folder in
                try folder.remove("002_two.up.json")
                _ = try await json(up(folder), on: database, expecting: 0)
                try folder.write("002_two.up.json", Self.insert(2))
                #expect(try await status(folder, database)[2]?["problems"]?.array?.values == ["out-of-order"])
                let plan = try await Tool.run(["migrate", "plan"] + folder.arguments + target(database))
                #expect(plan.exitCode == 2)
                #expect(plan.output.contains("out of order: older than step 3, which is applied"))
                let refused = try await json(up(folder), on: database, expecting: 4)
                #expect(refused["error"]?.string?.hasPrefix("Step 2 is older than the newest applied step.") == true)
                _ = try await json(["migrate", "validate"] + folder.arguments, on: database, expecting: 1)
                _ = try await json(up(folder, ["--allow-out-of-order"]), on: database, expecting: 0)
                #expect(try await database.count("things") == 3)
            }
        }
    }

    @Test("says which command of a step failed, and goes on there when the file is mended")
    func failedCommand() async throws {
        try await withDatabase { database in
            let broken = """
                [{"insert": "things", "documents": [{"n": 1}]}, {"createIndexes": "things", "indexes": [
                {"key": {"n": "nonsense"}, "name": "n"}]}, {"insert": "things", "documents": [{"n": 2}]}]
                """
            try await StepFolder.with(["001_one.up.json": broken]) { folder in
                let failed = try await json(up(folder), on: database, expecting: 3)
                let error = failed["error"]?.string ?? ""
                #expect(error.hasPrefix("Step 1 (one) failed: command 2 of 3 (createIndexes things): "), "\(error)")
                let step = try #require(try await status(folder, database)[1])
                #expect(step["state"]?.string == "failed")
                #expect(step["error"]?.string?.contains("command 2 of 3") == true)
                _ = try await json(["migrate", "validate"] + folder.arguments, on: database, expecting: 1)

                // What is done may not be edited any more.
                let mended = broken.replacingOccurrences(of: #""nonsense""#, with: "1")
                try folder.write("001_one.up.json", mended.replacingOccurrences(of: #""n": 1}]}"#, with: #""n": 5}]}"#))
                let refused = try await json(up(folder), on: database, expecting: 3)
                #expect(
                    refused["error"]?.string?.contains("its first 1 commands are done, and have been edited") == true)

                try folder.write("001_one.up.json", mended)
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await database.all("things").compactMap { $0["n"]?.integer }.sorted() == [1, 2])
                #expect(try await FileStepTests.indexNames("things", database) == ["_id_", "n"])
            }
        }
    }

    @Test("is changed all at once, or not at all, where the server has transactions")
    func transaction() async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.insertJSON("things", #"{"_id": 1, "n": 1}"#)
            let step = """
                [{"update": "things", "updates": [{"q": {"n": 1}, "u": {"$set": {"seen": true}}, "multi": true}]},
                 {"insert": "things", "documents": [{"_id": 2}]}, {"insert": "things", "documents": [{"_id": 1}]}]
                """
            try await StepFolder.with(["001_one.up.json": step]) { folder in
                let before = try await database.all("things")
                let error = try await json(up(folder), on: database, expecting: 3)["error"]?.string ?? ""
                #expect(error.contains("command 3 of 3 (insert things)"), "\(error)")
                #expect(try await database.all("things") == before)
            }
        }
    }

    @Test("adopts a database that golang-migrate has migrated, unless that left it dirty")
    func golangMigrate() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.three) { folder in
                let baseline = ["migrate", "baseline", "--from", "golang-migrate", "--yes"] + folder.arguments
                _ = try await json(baseline, on: database, expecting: 4)
                try await database.insertJSON(
                    "schema_migrations", #"{"_id": 1, "version": {"$numberLong": "2"}, "dirty": true}"#)
                let dirty = try await json(baseline, on: database, expecting: 4)
                #expect(dirty["error"]?.string?.contains("dirty") == true)
                try await database.update("schema_migrations", [:], ["$set": ["dirty": false]])
                let dry = try await json(baseline.filter { $0 != "--yes" } + ["--dry-run"], on: database, expecting: 0)
                #expect(dry["steps"]?.array?.count == 2)
                #expect(try await database.names() == ["schema_migrations"])

                _ = try await json(baseline, on: database, expecting: 0)
                let steps = try await status(folder, database)
                #expect(steps.mapValues { $0["state"]?.string } == [1: "applied", 2: "applied", 3: "pending"])
                #expect(steps[1]?["marked"]?.bool == true)
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await database.all("things").compactMap { $0["n"]?.integer } == [3])
                _ = try await json(
                    ["migrate", "baseline", "9", "--yes"] + folder.arguments, on: database, expecting: 64)
                _ = try await json(
                    ["migrate", "baseline", "2", "--yes"] + folder.arguments, on: database, expecting: 4)
            }
        }
    }

    @Test("is planned without a trace")
    func dryRun() async throws {
        try await withDatabase { database in
            try await FileStepTests.loadUsers(database, count: 10)
            try await StepFolder.with(FileStepTests.shop(database)) { folder in
                let dry = folder.arguments + ["--allow-dangerous", "--dry-run"]
                let result = try await json(["migrate", "up"] + dry, on: database, expecting: 0)
                #expect(result["dryRun"]?.bool == true && result["run"]?.isNull == true)
                _ = try await json(["migrate", "down"] + dry, on: database, expecting: 0)
                _ = try await json(["migrate", "plan"] + folder.arguments, on: database, expecting: 2)
                #expect(try await database.names() == ["users"])
            }
        }
    }

    @Test("predicts what a step would fail on, and refuses it before anything is touched")
    func predictions() async throws {
        try await withDatabase { database in
            try await database.insertJSON(
                "users", #"{"_id": 1, "name": "a"}"#, #"{"_id": 2, "name": "a"}"#, #"{"_id": 3, "name": "b"}"#)
            try await database.run([
                "create": "strict", "validator": ["n": ["$type": "int"]],
            ])
            let steps = [
                "001_first.up.json": Self.insert(1),
                "002_unique.up.json":
                    #"[{"createIndexes": "users", "indexes": [{"key": {"name": 1}, "name": "n", "unique": true}]}]"#,
            ]
            try await StepFolder.with(steps) { folder in
                let plan = try await Tool.run(["migrate", "plan"] + folder.arguments + target(database))
                #expect(plan.output.contains(#"2 documents share name "a""#))
                let refused = try await json(up(folder), on: database, expecting: 4)
                #expect(refused["error"]?.string?.contains(#"2 documents share name "a""#) == true)
                #expect(try await database.count("things") == 0)

                // A step before it that changes the collection may take the duplicates away.
                try folder.write(
                    "001_first.up.json",
                    #"[{"delete": "users", "deletes": [{"q": {"name": "a"}, "limit": 1}]}]"#)
                _ = try await json(up(folder), on: database, expecting: 0)

                try folder.write("003_insert.up.json", #"[{"insert": "strict", "documents": [{"n": "text"}]}]"#)
                let invalid = try await json(up(folder), on: database, expecting: 4)
                #expect(invalid["error"]?.string?.contains("1 of its documents don't satisfy the validator") == true)
            }
        }
    }

    @Test("is reverted from the journal where there is no down file, unless the journal doesn't hold it")
    func downWithoutFile() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.three) { folder in
                _ = try await json(up(folder), on: database, expecting: 0)
                let down = ["migrate", "down", "--yes", "--to", "1"] + folder.arguments
                _ = try await json(down, on: database, expecting: 0)
                #expect(try await database.all("things").compactMap { $0["n"]?.integer } == [1])
                try folder.write("002_two.up.json", #"[{"collMod": "things", "validator": {"n": 1}}]"#)
                _ = try await json(up(folder, ["--to", "2"]), on: database, expecting: 0)
                let refused = try await json(down, on: database, expecting: 4)
                #expect(
                    refused["error"]?.string?.contains("the journal doesn't hold what collMod things changed") == true)
            }
        }
    }

    @Test("passes over what isn't a step, with a warning that names it")
    func warnings() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.three) { folder in
                try folder.write("README.md", "x")
                try folder.write("004_lonely.down.json", "[]")
                let result = try await Tool.run(["migrate", "status"] + folder.arguments + target(database))
                #expect(result.errors.contains("README.md isn't a step and is passed over"))
                #expect(result.errors.contains("version 4 has no .up.json"))
            }
        }
    }

    @Test(
        "refuses a file that isn't an array of commands, with a sentence",
        arguments: ["", "{}", "[1]", "[{}]", "[", #"[{"ping": 1}"#, "nonsense", #"[{"n": 99999999999999999999}]"#])
    func badFile(text: String) async throws {
        try await withDatabase { database in
            try await StepFolder.with(["001_bad.up.json": text]) { folder in
                let result = try await json(["migrate", "up", "--yes"] + folder.arguments, on: database, expecting: 65)
                #expect(result["error"]?.string?.contains("001_bad.up.json: ") == true)
            }
        }
    }
}

@Suite("migrate create")
struct MigrateCreateTests {
    @Test("makes the next pair of files, which can be applied as they are")
    func files() async throws {
        try await withDatabase { database in
            try await StepFolder.with(["0009_nine.up.json": "[]"]) { folder in
                let create = ["migrate", "create", "add-status", "--steps", folder.path]
                let made = try await Tool.run(create)
                #expect(made.exitCode == 0)
                #expect(
                    try folder.names == [
                        "0009_nine.up.json", "0010_add_status.down.json", "0010_add_status.up.json",
                    ])
                _ = try await json(["migrate", "up", "--yes"] + folder.arguments, on: database, expecting: 0)
                let again = try await Tool.run(create)
                #expect(again.exitCode == 65)
                let other = ["migrate", "create", "other", "--steps", folder.path]
                let stamped = try await Tool.run(other + ["--timestamp", "--format", "json"])
                #expect((try stamped.json()["version"]?.integer ?? 0) > 20_260_000_000_000)
            }
        }
    }

    @Test("refuses a name that can't be a file's")
    func badName() async throws {
        #expect(try await Tool.run(["migrate", "create", "../evil"]).exitCode == 64)
        #expect(try await Tool.run(["migrate", "create", "123"]).exitCode == 64)
    }

    @Test("--swift writes a source file, registers it, and writes a test")
    func swift() async throws {
        try await StepFolder.with([:]) { folder in
            let sources = "\(folder.path)/Sources/Migrations"
            try FileManager.default.createDirectory(atPath: sources, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: try ProjectFiles.path("Sources/Migrations/ChatMigrations.swift"),
                toPath: "\(sources)/ChatMigrations.swift")
            let made = try await Tool.run(["migrate", "create", "add-status", "--swift", "--package", folder.path])
            #expect(made.exitCode == 0, "\(made)")
            let registry = try String(contentsOfFile: "\(sources)/ChatMigrations.swift", encoding: .utf8)
            #expect(registry.contains("        Step006UniqueUsers(),\n        Step007AddStatus(),\n    ]"))
            let source = try String(contentsOfFile: "\(sources)/Step007AddStatus.swift", encoding: .utf8)
            #expect(source.contains("let version: Int64 = 7"))
            let outside = try await Tool.run(["migrate", "create", "x", "--swift", "--package", "/nowhere"])
            #expect(outside.exitCode == 64)
        }
    }
}
