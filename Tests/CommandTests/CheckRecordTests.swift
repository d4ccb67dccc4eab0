import BSON
import Consistency
import Foundation
import TestSupport
import Testing

@Suite("Recorded checks")
struct CheckRecordTests {
    /// What a check says of one finding, such as `["new": 1, "known": 2]`.
    private static func standing(_ check: BSONDocument, _ code: String, _ collection: String) -> [String: Int] {
        let found = (check["findings"]?.array?.values ?? []).compactMap(\.document).first {
            $0["code"]?.string == code && $0["collection"]?.string == collection
        }
        return ["new", "known", "accepted"].reduce(into: [:]) { result, key in
            if let count = found?[key]?.integer, count > 0 { result[key] = Int(count) }
        }
    }

    private static func insert(_ id: String, _ database: TestDatabase) async throws {
        try await database.insertJSON(
            "messages",
            #"{"_id": {"$oid": "\#(id)"}, "session_id": {"$oid": "6909dcb0d6aa2fce9e926431"}, "user_id": null, "deleted": false}"#
        )
    }

    private static let only = ["check", "--only", "ref.dangling", "--record"]

    @Test("begin with a baseline, and then tell new from known, and what is right again, by the documents")
    func compared() async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await Self.insert("6909f8dc21be47afd1d83101", database)
            try await Self.insert("6909f8dc21be47afd1d83102", database)
            let first = try await json(Self.only, on: database, expecting: 1)
            #expect(first.value(at: "recorded", "baseline") == true && first.value(at: "recorded", "number") == 1)
            #expect(Self.standing(first, "ref.dangling", "messages") == ["known": 2], "\(first)")

            // One is mended, another is new: as many as before.
            try await database.run(["delete": "messages", "deletes": [["q": [:], "limit": 1]]])
            try await Self.insert("6909f8dc21be47afd1d83103", database)
            let second = try await json(Self.only + ["--fail-on", "new"], on: database, expecting: 1)
            #expect(Self.standing(second, "ref.dangling", "messages") == ["new": 1, "known": 1], "\(second)")
            let samples = (second["findings"]?.array?.values.first?.document)?["newSamples"]
            #expect("\(samples ?? .null)" == #"[{"$oid": "6909f8dc21be47afd1d83103"}]"#)
            #expect(second.counts(of: "resolved", "count") == ["ref.dangling": ["messages": 1]])
            let third = try await json(Self.only + ["--fail-on", "new"], on: database, expecting: 0)
            #expect(Self.standing(third, "ref.dangling", "messages") == ["known": 2], "\(third)")
            let since = (third["findings"]?.array?.values.first?.document)?["since"]
            #expect(since == first.value(at: "recorded", "at"), "\(third)")

            try await database.run(["delete": "messages", "deletes": [["q": [:], "limit": 0]]])
            let clean = try await json(Self.only, on: database, expecting: 0)
            #expect(clean.counts(of: "resolved", "count") == ["ref.dangling": ["messages": 2]])
            let history = try await json(["check", "history"], on: database, expecting: 0)
            let checks = history["checks"]?.array?.values.compactMap(\.document) ?? []
            #expect(checks.map { $0["number"]?.integer } == [4, 3, 2, 1])
            #expect(checks.map { $0["new"]?.integer } == [0, 0, 1, 0])
            #expect(checks.map { $0["resolved"]?.integer } == [2, 0, 1, 0])
        }
    }

    @Test("aren't compared with one that looked for something else, or that didn't come to its end")
    func coverage() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            _ = try await json(["check", "--record", "--only", "guard"], on: database, expecting: 0)
            let first = try await json(["check", "--record"], on: database, expecting: 1)
            #expect(Self.standing(first, "id.empty", "messages") == ["known": 1], "\(first)")
            let cut = try await Tool.run(
                ["check", "--record", "--settle", "60", "--max-time", "1", "--format", "json"] + target(database))
            #expect(cut.exitCode == 5, "\(cut)")
            let last = try await json(["check", "--record", "--fail-on", "new"], on: database, expecting: 0)
            #expect(last["resolved"]?.array?.isEmpty == true, "\(last)")
        }
    }

    @Test("are listed with what they looked for, where that wasn't everything, or what had changed alone")
    func listed() async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            let more = FindingCode.allCases.map(\.rawValue).filter { $0 != "count.wrong" }.joined(separator: ",")
            for arguments in [[], ["--only", "ref,id.empty"], ["--only", more], ["--incremental"]] {
                _ = try await json(["check", "--record"] + arguments, on: database, expecting: 0)
            }
            let text = try await Tool.run(["check", "history"] + target(database))
            let ends = text.output.split(separator: "\n").map { $0.split(separator: "  ").last.map(String.init) ?? "" }
            #expect(ends == ["incremental", "all but count.wrong", "only id.empty, ref", "baseline"], "\(text)")
            let result = try await Tool.run(["check", "history", "--format", "json"] + target(database))
            #expect(try await SchemaTests.objections(to: result.output, "check-history") == "")
            let checks = try result.json()["checks"]?.array?.values.compactMap(\.document) ?? []
            #expect(checks.map { $0["mode"]?.string } == ["incremental", "full", "full", "full"])
            #expect(checks.map { $0["only"] == nil } == [true, false, false, true])
            #expect(checks[2]["only"]?.array?.values.count == 7, "\(checks[2])")
        }
    }

    @Test("aren't needed to look, but to tell what is new: without any that fails, and isn't silent")
    func nothingToCompare() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let none = try await Tool.run(["check", "--fail-on", "new"] + target(database))
            #expect(none.exitCode == 64 && none.errors.contains("no recorded check has looked for this"), "\(none)")
            _ = try await json(["check", "--record", "--only", "guard"], on: database, expecting: 0)
            let other = try await Tool.run(["check", "--fail-on", "new"] + target(database))
            #expect(other.exitCode == 64 && other.errors.contains("looked for id.empty, id.null"), "\(other)")
        }
    }

    @Test("have a number each, also where several are recorded at once", arguments: [false, true])
    func atOnce(isFile: Bool) async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            let path = FileManager.default.temporaryDirectory.path + "/checks-\(UUID().uuidString).json"
            defer { try? FileManager.default.removeItem(atPath: path) }
            let place = isFile ? ["--record-file", path] : []
            let record = ["check", "--only", "guard"] + (isFile ? place : ["--record"]) + target(database)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        let result = try await Tool.run(record)
                        #expect(result.exitCode == 0, "\(result)")
                    }
                }
                try await group.waitForAll()
            }
            let history = try await json(["check", "history"] + place, on: database, expecting: 0)
            let numbers = (history["checks"]?.array?.values ?? []).compactMap { $0.document?["number"]?.integer }
            #expect(numbers == [8, 7, 6, 5, 4, 3, 2, 1])
        }
    }

    @Test("don't call what follows from something new only because that isn't looked for")
    func consequences() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            _ = try await json(["check", "--record"], on: database, expecting: 1)
            // Of 35 references to nothing 34 follow from id.string.
            let alone = ["check", "--only", "id.empty,ref.dangling"]
            let first = try await json(alone, on: database, expecting: 1)
            #expect(Self.standing(first, "ref.dangling", "messages") == ["known": 35], "\(first)")
            #expect(Self.standing(first, "id.empty", "messages") == ["known": 1], "\(first)")
            _ = try await json(alone + ["--record"], on: database, expecting: 1)
            let second = try await json(alone, on: database, expecting: 1)
            #expect(Self.standing(second, "ref.dangling", "messages") == ["known": 35], "\(second)")
            let whole = try await json(["check", "--fail-on", "new"], on: database, expecting: 0)
            #expect(Self.standing(whole, "ref.dangling", "messages") == ["known": 1], "\(whole)")
        }
    }

    @Test("don't fail for what is accepted, by document or as a whole, until its date")
    func accepted() async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await Self.insert("6909f8dc21be47afd1d83101", database)
            try await Self.insert("6909f8dc21be47afd1d83102", database)
            let why = ["--reason", "known", "--until", "2099-12-31"]
            _ = try await json(
                ["check", "accept", "ref.dangling:messages.session_id", "--id", "6909f8dc21be47afd1d83101"] + why,
                on: database, expecting: 0)
            let one = try await json(["check", "--only", "ref.dangling"], on: database, expecting: 1)
            #expect(Self.standing(one, "ref.dangling", "messages") == ["accepted": 1], "\(one)")
            _ = try await json(["check", "accept", "ref.dangling"] + why, on: database, expecting: 0)
            let all = try await Tool.run(["check", "--only", "ref.dangling"] + target(database))
            #expect(all.exitCode == 0 && all.output.contains("2 accepted"), "\(all)")
            try await database.update(
                "chat_admin.checks", ["kind": "acceptance", "number": 2], ["$set": ["until": .date(1)]])
            _ = try await json(["check", "--only", "ref.dangling"], on: database, expecting: 1)
            let listed = try await Tool.run(["check", "accepted"] + target(database))
            #expect(listed.output.contains("was accepted until") && listed.output.contains("known"), "\(listed)")
            #expect(listed.output.contains("1 document ") && listed.output.contains("until 2099-12-31 "), "\(listed)")
            _ = try await json(["check", "unaccept", "1"], on: database, expecting: 0)
            let again = try await Tool.run(["check", "unaccept", "1"] + target(database))
            #expect(again.exitCode == 64 && again.errors.contains("by the number 1"), "\(again)")
        }
    }

    @Test("warn of what is accepted and wasn't found: an _id may be misspelt", arguments: [false, true])
    func notFound(isFile: Bool) async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await Self.insert("6909f8dc21be47afd1d83101", database)
            let path = FileManager.default.temporaryDirectory.path + "/accepted-\(UUID().uuidString).json"
            defer { try? FileManager.default.removeItem(atPath: path) }
            let place = isFile ? ["--record-file", path] : []
            func warnings(_ finding: String, _ ids: String...) async throws -> [String] {
                let arguments =
                    ["check", "accept", finding, "--reason", "x", "--until", "forever", "--format", "json"] + place
                    + ids.flatMap { ["--id", $0] }
                let result = try await Tool.run(arguments + target(database))
                #expect(result.exitCode == 0, "\(result)")
                #expect(try await SchemaTests.objections(to: result.output, "check-accepted") == "")
                let warnings = try result.json()["warnings"]?.array?.values.compactMap(\.string) ?? []
                for warning in warnings { #expect(result.errors.contains("chat-admin: \(warning)\n"), "\(result)") }
                return warnings
            }
            let (right, wrong) = ("6909f8dc21be47afd1d83101", "6909f8dc21be47afd1d83109")
            let unknown = try await warnings("ref.dangling", right)
            #expect(unknown.first?.contains("No recorded check has looked for ref.dangling:") == true, "\(unknown)")

            // What is accepted is recorded, too.
            _ = try await json(
                ["check", "--only", "ref.dangling"] + (isFile ? place : ["--record"]), on: database, expecting: 0)
            for finding in ["ref.dangling", "ref.dangling:messages", "ref.dangling:messages.session_id"] {
                try await #expect(warnings(finding, right) == [])
                try await #expect(warnings(finding) == [])
            }
            let one = try await warnings("ref.dangling:messages.session_id", right, wrong)
            let words = try #require(one.first)
            #expect(one.count == 1 && words.contains("The last recorded check (1, 2"), "\(one)")
            #expect(words.contains("found no ref.dangling of messages.session_id with the _id \(wrong): "), "\(one)")
            let other = try await warnings("ref.dangling:messages.sesion_id")
            #expect(other.first?.contains("found no ref.dangling of messages.sesion_id; ") == true, "\(other)")
            let elsewhere = try await warnings("ref.dangling:chat_sessions", right)
            #expect(elsewhere.first?.contains("of chat_sessions with the _id \(right)") == true, "\(elsewhere)")
        }
    }

    @Test(
        "refuse what can't be accepted",
        arguments: [
            (["ref", "--reason", "x", "--until", "forever"], "Accept one"),
            (["ref.dangle", "--reason", "x", "--until", "forever"], "Did you mean `ref.dangling`?"),
            (["ref.dangling:message", "--reason", "x", "--until", "forever"], "There is no collection `message`"),
            (["ref.dangling", "--reason", " ", "--until", "forever"], "must say why"),
            (["ref.dangling", "--reason", "x", "--until", "2020-01-01"], "is over"),
            (["ref.dangling", "--reason", "x", "--until", "tomorrow"], "must be a date"),
            (["ref.dangling", "--reason", "x", "--until", "2099-11-27trash"], "must be a date"),
            (["ref.dangling", "--reason", "x", "--until", "2099-02-30"], "must be a date"),
            (["ref.dangling", "--reason", "x", "--until", "2099-11-27T10:00:00Z"], "must be a date"),
        ])
    func refused(arguments: [String], words: String) async throws {
        let result = try await Tool.run(["check", "accept"] + arguments + ["--uri", "mongodb://127.0.0.1:1"])
        #expect(result.exitCode == 64 && result.errors.contains(words), "\(result)")
    }

    @Test(
        "that aren't as the tool writes them are named with field and remedy, and none is replaced or removed",
        arguments: [
            (
                #"{"_id": {"$oid": "6909f8dc21be47afd1d83101"}, "kind": "check", "who": "me"}"#,
                "`number` of the document 6909f8dc21be47afd1d83101 isn't a whole number"
            ),
            (#"{"_id": "a", "kind": "check", "number": 1, "at": 5}"#, "`at` of the document \"a\" isn't a date"),
            (
                #"{"_id": "a", "kind": "check", "number": "1", "at": {"$date": "2020-01-01T00:00:00Z"}}"#,
                "`number` of the document \"a\" isn't"
            ),
            (#"{"_id": "a", "kind": "check", "number": 1000000000001}"#, "`number` of the document \"a\" isn't"),
        ])
    func bad(document: String, words: String) async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await database.insertJSON("chat_admin.checks", document)
            let before = try await database.all("chat_admin.checks")
            // The report goes back as far as it is told.
            let report = ["report", "-", "--since", "400d", "--now", "2020-06-01"]
            for arguments in [["check", "--record"], ["check"], ["check", "history"], report] {
                let result = try await Tool.run(arguments + target(database))
                #expect(result.exitCode == 65 && result.errors.contains(words), "\(result)")
                #expect(result.errors.contains("Put it right by hand, or remove that document"), "\(result)")
                try await #expect(database.all("chat_admin.checks") == before, "\(arguments)")
            }
        }
    }

    @Test("that are accepted, or in a finding of a record, are named in the same way")
    func badWithin() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            _ = try await json(["check", "--record"], on: database, expecting: 1)
            let record: BSONDocument = ["_id": "check/1"]
            try await database.update("chat_admin.checks", record, ["$set": ["findings.2.count": "many"]])
            let finding = try await Tool.run(["check"] + target(database))
            #expect(finding.exitCode == 65, "\(finding)")
            #expect(finding.errors.contains("`findings.2.count` of the document \"check/1\" isn't"), "\(finding)")
            try await database.run(["delete": "chat_admin.checks", "deletes": [["q": .document(record), "limit": 1]]])
            try await database.insertJSON("chat_admin.checks", #"{"_id": "x", "kind": "acceptance", "number": 1}"#)
            let accepted = try await Tool.run(["check", "accepted"] + target(database))
            #expect(accepted.exitCode == 65, "\(accepted)")
            #expect(accepted.errors.contains("`code` of the document \"x\" isn't a text"), "\(accepted)")
        }
    }

    @Test(
        "never take the place of what stands under their _id",
        arguments: [
            (#"{"_id": "check/1", "mine": 1}"#, "`kind` of the document \"check/1\" isn't a text"),
            (#"{"_id": "check/1", "kind": "mine"}"#, "`kind` of the document \"check/1\" isn't `check`"),
        ])
    func taken(document: String, words: String) async throws {
        try await withDatabase { database in
            try await database.run(["create": "users"])
            try await database.insertJSON("chat_admin.checks", document)
            let before = try await database.all("chat_admin.checks")
            let result = try await Tool.run(["check", "--record"] + target(database), timeLimit: .seconds(30))
            #expect(result.exitCode == 65 && result.errors.contains(words), "\(result)")
            #expect(result.output.contains("is clean"), "\(result)")
            try await #expect(database.all("chat_admin.checks") == before)
        }
    }

    @Test(
        "are refused before the check begins, and nothing is written, where one couldn't be written at its end",
        arguments: [
            (["find"], false), (["find", "insert", "update"], false), (["find", "remove"], false),
            (["find", "insert", "remove"], false), (["find", "update", "remove"], false),
            (["find", "insert", "update", "remove"], true),
        ] as [(actions: [String], isEnough: Bool)])
    func notAllowed(actions: [String], isEnough: Bool) async throws {
        let server = try await TestServer.shared(.authenticated)
        try await server.withDatabase { database in
            try await database.run(["create": "users"])
            let resource: BSONDocument = ["db": .string(database.name), "collection": "chat_admin.checks"]
            let privilege: BSONDocument = [
                "resource": .document(resource), "actions": .array(BSONArray(actions.map { .string($0) })),
            ]
            try await database.run([
                "createRole": "recorder", "privileges": .array([.document(privilege)]), "roles": ["read"],
            ])
            let uri = try await server.createUser(
                "recorder-of-\(database.name)", password: "x",
                roles: [["role": "recorder", "db": .string(database.name)]])
            let check = ["check", "--record", "--only", "guard", "--uri", uri, "--database", database.name]
            for number in 1...2 {
                let result = try await Tool.run(check)
                guard !isEnough else {
                    #expect(result.exitCode == 0 && result.output.contains("Recorded as check \(number)"), "\(result)")
                    continue
                }
                #expect(result.exitCode == 77 && result.errors.contains("may not record a check"), "\(result)")
                #expect(result.output.isEmpty, "\(result)")
                try await #expect(database.count("chat_admin.checks") == 0)
            }
            try await database.run(["dropAllRolesFromDatabase": 1])
        }
    }

    @Test("can be kept in a file by a user who may only read, who is told so without one")
    func file() async throws {
        let server = try await TestServer.shared(.authenticated)
        try await server.withDatabase { database in
            try await database.loadIncident()
            let uri = try await server.createUser(
                "checker", password: "x", roles: [["role": "read", "db": .string(database.name)]])
            let reader = ["--uri", uri, "--database", database.name]
            let denied = try await Tool.run(["check", "--record"] + reader)
            #expect(denied.exitCode == 77 && denied.errors.contains("--record-file"), "\(denied)")
            #expect(denied.output.isEmpty, "\(denied)")
            let folder = FileManager.default.temporaryDirectory.path + "/records-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let file = ["--record-file", folder + "/checks.jsonl"]
            for (number, code) in [(1, Int32(1)), (2, 0)] {
                let check = try await Tool.run(
                    ["check", "--fail-on", number == 1 ? "any" : "new", "--format", "json"] + file + reader)
                #expect(check.exitCode == code, "\(check)")
                #expect(try check.json().value(at: "recorded", "number")?.integer == Int64(number))
            }
            let history = try await Tool.run(["check", "history"] + file + reader)
            #expect(history.exitCode == 0 && history.output.contains("baseline"), "\(history)")
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names == ["checks.jsonl"])

            let text = try String(contentsOfFile: file[1], encoding: .utf8)
            try String(text.dropLast(40)).write(toFile: file[1], atomically: false, encoding: .utf8)
            let half = try await Tool.run(["check"] + file + reader)
            #expect(half.exitCode == 65 && half.errors.contains("line 2"), "\(half)")
            let nowhere = try await Tool.run(["check", "--record-file", folder + "/none/checks.jsonl"] + reader)
            #expect(nowhere.exitCode == 74 && nowhere.errors.contains("couldn't be written"), "\(nowhere)")
        }
    }
}
