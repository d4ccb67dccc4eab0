import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// golang-migrate's directories as they are, and what may not be in one.
@Suite("A directory of steps")
struct StepDirectoryTests {
    private func up(_ folder: StepFolder, _ more: [String] = []) -> [String] {
        ["migrate", "up", "--yes"] + more + folder.arguments
    }

    private static let two = [
        "001_one.up.json": #"[{"insert": "things", "documents": [{"_id": 1}]}]"#,
        "002_two.up.json": #"[{"insert": "things", "documents": [{"_id": 2}]}]"#,
        "003_three.up.json": #"[{"insert": "things", "documents": [{"_id": 3}]}]"#,
    ]

    @Test("that golang-migrate has applied is refused until that is said, also where its version is a double")
    func forgottenBaseline() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.two) { folder in
                try await database.insertJSON(
                    "schema_migrations", #"{"_id": 1, "version": {"$numberDouble": "2.0"}, "dirty": false}"#)
                for command in [up(folder), up(folder, ["--dry-run"])] {
                    let refused = try await Tool.run(command + target(database))
                    #expect(refused.exitCode == 4, "\(refused)")
                    #expect(refused.errors.contains("migrate baseline --from golang-migrate"), "\(refused)")
                }
                #expect(try await database.names() == ["schema_migrations"])
                let plan = try await Tool.run(["migrate", "plan"] + folder.arguments + target(database))
                #expect(plan.exitCode == 2 && plan.output.contains("migrate baseline --from golang-migrate"), "\(plan)")
                _ = try await json(
                    ["migrate", "baseline", "--from", "golang-migrate", "--yes"] + folder.arguments, on: database,
                    expecting: 0)
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await database.all("things") == [["_id": 3]])
            }
        }
    }

    @Test("is refused where it holds no step, and where golang-migrate's record can't be understood the way is said")
    func unusable() async throws {
        try await withDatabase { database in
            try await StepFolder.with([:]) { folder in
                for command in [up(folder), ["migrate", "plan"] + folder.arguments] {
                    let result = try await Tool.run(command + target(database))
                    #expect(result.exitCode == 65 && result.errors.contains("there is no step"), "\(result)")
                }
                try folder.write("001_x.up.sql", "")
                try folder.write("002_y.up.sql", "")
                let result = try await Tool.run(up(folder) + target(database))
                #expect(result.exitCode == 65 && !result.errors.contains("\\n"), "\(result)")
            }
            try await StepFolder.with(Self.two) { folder in
                try await database.insertJSON("schema_migrations", #"{"_id": 1, "version": 1, "dirty": false}"#)
                try await database.insertJSON("schema_migrations", #"{"_id": 2, "version": 3, "dirty": false}"#)
                let result = try await Tool.run(
                    ["migrate", "baseline", "--from", "golang-migrate", "--yes"] + folder.arguments + target(database))
                #expect(result.exitCode == 4 && result.errors.contains("more than one document"), "\(result)")
            }
        }
    }

    @Test("whose steps aren't golang-migrate's can be applied beside its record")
    func otherSeries() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.two) { folder in
                try await database.insertJSON("schema_migrations", #"{"_id": 1, "version": 2, "dirty": false}"#)
                _ = try await json(
                    ["migrate", "mark", "1", "reverted", "--yes"] + folder.arguments, on: database, expecting: 0)
                _ = try await json(up(folder), on: database, expecting: 0)
                #expect(try await database.count("things") == 3)
            }
        }
    }

    @Test("may begin with version 0, which is applied and reverted like any other")
    func zero() async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.two) { folder in
                try folder.write("000_zero.up.json", #"[{"insert": "things", "documents": [{"_id": 0}]}]"#)
                _ = try await json(up(folder, ["--to", "0"]), on: database, expecting: 0)
                #expect(try await database.count("things") == 1)
                _ = try await json(up(folder), on: database, expecting: 0)
                let down = ["migrate", "down", "--yes"] + folder.arguments
                _ = try await json(down + ["--to", "0"], on: database, expecting: 0)
                #expect(try await database.all("things") == [["_id": 0]])
                _ = try await json(down, on: database, expecting: 0)
                #expect(try await database.count("things") == 0)
            }
        }
    }

    @Test(
        "with a file that looks like a step and isn't run isn't applied, planned or called valid",
        arguments: ["004_x.up.js", "99999999999999999999_x.up.json", "004_x.down.json"])
    func unusable(name: String) async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.two) { folder in
                try folder.write(name, "[]")
                for command in ["up", "plan", "validate"] {
                    let result = try await Tool.run(["migrate", command] + folder.arguments + target(database))
                    #expect(result.exitCode == 65 && result.errors.contains(name), "\(result)")
                }
                #expect(try await Tool.run(["migrate", "status"] + folder.arguments + target(database)).exitCode == 0)
            }
        }
    }

    @Test(
        "is known again with other line ends, by the checksum of earlier versions too, and a changed value is an edit")
    func lineEnds() async throws {
        try await withDatabase { database in
            try await StepFolder.with([:]) { folder in
                let text = "[\n  {\"insert\": \"things\", \"documents\": [{\"_id\": 1}]}\n]\n"
                try folder.write("001_one.up.json", text)
                _ = try await json(up(folder), on: database, expecting: 0)
                let plan = ["migrate", "plan"] + folder.arguments
                for checksum in [nil, Self.bytesChecksum] {
                    if let checksum {
                        try await database.update(
                            "chat_admin.migrations", ["_id": "shop/1"], ["$set": ["checksum": .string(checksum)]])
                    }
                    for same in [text.replacing("\n", with: "\r\n"), "\u{FEFF}" + text, text] {
                        try folder.write("001_one.up.json", same)
                        let result = try await Tool.run(plan + target(database))
                        #expect(result.exitCode == 0, "\(result)")
                    }
                    try folder.write("001_one.up.json", text.replacing("1}", with: "2}"))
                    #expect(try await Tool.run(plan + target(database)).exitCode == 4)
                }
            }
        }
    }

    /// What earlier versions kept, and what sha256sum says: the checksum of the bytes.
    private static let bytesChecksum = "2ac8839f6c0a6db4eaceb42921dc381f04ed87a53c676ebc5bd1313d1307afc1"

    @Test(
        "sends nothing to another database or to the whole server, and touches nothing before it says so",
        arguments: [
            #"{"aggregate": "things", "pipeline": [{"$out": {"db": "other", "coll": "x"}}], "cursor": {}}"#,
            #"{"createIndexes": "things", "indexes": [{"key": {"a": 1}, "name": "a"}], "commitQuorum": "majority"}"#,
            #"{"createCollection": "things"}"#, #"{"shutdown": 1}"#, #"{"setParameter": 1, "logLevel": 1}"#,
            #"{"dropAllUsersFromDatabase": 1}"#,
        ])
    func forbidden(command: String) async throws {
        try await withDatabase { database in
            try await StepFolder.with(Self.two) { folder in
                try folder.write("004_bad.up.json", "[\(command)]")
                let result = try await Tool.run(up(folder, ["--allow-dangerous"]) + target(database))
                #expect(result.exitCode == 4, "\(result)")
                #expect(try await database.names() == [])
            }
        }
    }

    @Test("is read in bounded time and memory, whatever a file in it turns out to be", .timeLimit(.minutes(1)))
    func odd() async throws {
        try await withDatabase { database in
            for kind in ["pipe", "zero", "sparse", "folder"] {
                try await StepFolder.with([:]) { folder in
                    let path = "\(folder.path)/001_x.up.json"
                    switch kind {
                    case "pipe": #expect(mkfifo(path, 0o600) == 0)
                    case "zero": #expect(symlink("/dev/zero", path) == 0)
                    case "folder": #expect(mkdir(path, 0o700) == 0)
                    default:
                        try folder.write("001_x.up.json", "")
                        #expect(truncate(path, 8 << 30) == 0)
                    }
                    let result = try await Tool.run(up(folder) + target(database))
                    #expect(result.exitCode == (kind == "sparse" ? 65 : 74), "\(kind): \(result)")
                    #expect(result.errors.contains("001_x.up.json: it "), "\(kind): \(result)")
                }
            }
        }
    }

    @Test("is refused without printing what it holds")
    func secret() async throws {
        try await withDatabase { database in
            let files = ["001_x.up.json": #"[{"createUser": "u", "pwd": {"$oid": "hunter2"}, "roles": []}]"#]
            try await StepFolder.with(files) { folder in
                let result = try await Tool.run(up(folder) + target(database))
                #expect(result.exitCode == 65)
                #expect(result.errors.contains("001_x.up.json: line 1, column") && result.errors.contains("0.pwd"))
                #expect(!result.errors.contains("hunter2"))
            }
        }
    }
}

/// What a step inserts, and what stands in its way.
@Suite("Inserts of a step")
struct StepInsertTests {
    private static let twice = [
        "001_x.up.json": #"[{"insert": "things", "documents": [{"_id": 1}, {"_id": 1}, {"_id": 2}]}]"#
    ]

    @Test(
        "that name one _id twice, or share a unique key, are predicted", arguments: [ServerVersion.standard, .mongo44])
    func predicted(version: ServerVersion) async throws {
        guard version == .standard || ServerVersion.canRunOthers else { return }
        try await withDatabase(version: version) { database in
            try await StepFolder.with(Self.twice) { folder in
                let up = ["migrate", "up", "--yes"] + folder.arguments + target(database)
                let refused = try await Tool.run(up)
                #expect(refused.exitCode == 4 && refused.errors.contains("share their _id"), "\(refused)")
                #expect(try await database.names() == [])
                try folder.write(
                    "001_x.up.json",
                    #"[{"insert": "things", "documents": [{"_id": 1}, {"_id": {"$numberDouble": "1.0"}}]}]"#)
                #expect(try await Tool.run(up).exitCode == 4)
                try await database.run([
                    "createIndexes": "things", "indexes": [["key": ["a.b": 1], "name": "u", "unique": true]],
                ])
                try folder.write(
                    "001_x.up.json",
                    #"[{"insert": "things", "documents": [{"a": [{"b": 1}, {"b": 2}]}, {"a": {"b": 2}}]}]"#)
                let shared = try await Tool.run(up)
                #expect(shared.exitCode == 4 && shared.errors.contains("share their a.b"), "\(shared)")
            }
        }
    }

    @Test("are gone when a step that failed on the way is reverted")
    func reverted() async throws {
        try await withDatabase { database in
            // The command before it keeps the plan from looking.
            let text = try #require(Self.twice["001_x.up.json"]).replacing(
                "[{\"insert", with: "[{\"create\": \"things\"}, {\"insert")
            try await StepFolder.with(["001_x.up.json": text]) { folder in
                for _ in 0..<2 {
                    let up = try await Tool.run(["migrate", "up", "--yes"] + folder.arguments + target(database))
                    #expect(up.exitCode == 3, "\(up)")
                    #expect(try await database.count("things") == 2)
                }
                let down = try await json(["migrate", "down", "--yes"] + folder.arguments, on: database, expecting: 0)
                #expect(down.counts(of: "changes", "changed")["insert"]?["things"] == 2)
                #expect(!(try await database.names()).contains("things"))
            }
        }
    }

    @Test("into a capped collection that is full are dangerous, and say which documents go")
    func capped() async throws {
        try await withDatabase { database in
            try await database.run(["create": "log", "capped": true, "size": 100_000, "max": 3])
            try await database.load("log", (1...3).map { ["_id": .int32($0)] })
            let files = ["001_x.up.json": #"[{"insert": "log", "documents": [{"_id": 4}, {"_id": 5}]}]"#]
            try await StepFolder.with(files) { folder in
                let up = ["migrate", "up", "--yes"] + folder.arguments + target(database)
                let refused = try await Tool.run(up)
                #expect(refused.exitCode == 4, "\(refused)")
                #expect(refused.errors.contains("2 oldest documents out of log"), "\(refused)")
                #expect(refused.errors.contains(#"{ "_id" : { "$numberInt" : "1" } }"#), "\(refused)")
                let plan = try await Tool.run(["migrate", "plan"] + folder.arguments + target(database))
                #expect(plan.exitCode == 2 && plan.output.contains("dangerous"), "\(plan)")
                #expect(try await Tool.run(up + ["--allow-dangerous"]).exitCode == 0)
                #expect(try await database.count("log") == 3)
            }
        }
    }

    @Test("and indexes are judged by the server's own rules")
    func indexes() async throws {
        try await withDatabase { database in
            try await database.load(
                "things", [["_id": 1, "a": 1, "tags": ["x", "y"]], ["_id": 2, "a": 2, "tags": ["y"]]])
            try await database.run(["createIndexes": "things", "indexes": [["key": ["a": 1], "name": "plain"]]])
            let beside =
                #"[{"createIndexes": "things", "indexes": [{"key": {"a": 1}, "name": "own", "unique": true}]}]"#
            try await StepFolder.with(["001_x.up.json": beside]) { folder in
                let up = ["migrate", "up", "--yes"] + folder.arguments + target(database)
                #expect(try await Tool.run(up).exitCode == 0)
                try folder.write("002_y.up.json", beside.replacing("own", with: "again"))
                let second = try await Tool.run(up)
                #expect(
                    second.exitCode == 4 && second.errors.contains("has an index with the key of again: own"),
                    "\(second)")
                try folder.write(
                    "002_y.up.json",
                    #"[{"createIndexes": "things", "indexes": [{"key": {"tags": 1}, "name": "t", "unique": true}]}]"#)
                let array = try await Tool.run(up)
                #expect(array.exitCode == 4, "\(array)")
                #expect(array.errors.contains(#"2 documents share tags "y" (such as _id 1 and 2)"#), "\(array)")
            }
        }
    }
}
