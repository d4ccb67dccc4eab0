import BSON
import Foundation
import TestSupport
import Testing

@Suite("The history of a document")
struct HistoryTests {
    @Test("is told by its new _id and by its old one, of each document that had that", arguments: ["", "null"])
    func moved(old: String) async throws {
        try await withDatabase { database in
            let value = old == "null" ? "null" : "\"\""
            func arrive(_ title: String, _ day: Int) async throws -> String {
                try await database.insertJSON(
                    "chat_sessions",
                    #"""
                    {"_id": \#(value), "user_id": {"$oid": "6909dd28187c07e4d5636e9b"}, "title": "\#(title)",
                    "created_at": {"$date": "2026-11-0\#(day)T12:00:00Z"}}
                    """#)
                _ = try await json(["repair", "ids", "--yes"], on: database, expecting: 0)
                let found = try await database.all("chat_sessions").first { $0["title"] == .string(title) }
                return try #require(found?["_id"]?.objectID).hex
            }
            let first = try await arrive("first", 1)
            let second = try await arrive("second", 2)
            #expect(first != second)
            let both = try await Self.events(["chat_sessions", old], database)
            #expect(both.map { $0["what"] } == ["moved", "moved"])
            for (id, title) in [(first, "first"), (second, "second")] {
                let events = try await Self.events(["chat_sessions", id], database)
                #expect(events.count == 1)
                #expect(events.first?.value(at: "before", "title")?.string == title)
                #expect(events.first?["after"]?.document?["_id"]?.objectID?.hex == id)
                #expect(events.first?["code"]?.string == (old == "null" ? "id.null" : "id.empty"))
            }
        }
    }

    @Test("holds every change in order, with step, and what was undone")
    func whole() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let up = try await json(["migrate", "up", "--yes", "--offline"], on: database, expecting: 1)
            let run = try #require(up["run"]?.string)
            let undo = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            let events = try await Self.events(["chat_sessions", ""], database)
            #expect(events.map { $0["what"]?.string } == ["moved", "changed", "changed", "moved"])
            #expect(events.prefix(2).map { $0["step"]?.integer } == [2, 3])
            #expect(events.prefix(2).allSatisfy { $0["undoneBy"] == undo["run"] && $0["run"] == up["run"] })
            #expect(events.suffix(2).allSatisfy { $0["run"] == undo["run"] })
            let text = try await Tool.run(["history", "chat_sessions", ""] + target(database))
            #expect(text.output.contains(#"_id: "" -> "#) && text.output.contains("(migrate up, step 2)"), "\(text)")
        }
    }

    @Test("never shows a password hash on a terminal, and has it in JSON")
    func secret() async throws {
        try await withDatabase { database in
            _ = try await json(["seed", "--yes"], on: database, expecting: 0)
            try await database.update("users", ["username": "alice"], ["$set": ["hashed_password": "lost"]])
            _ = try await json(["seed", "--yes", "--reset-passwords"], on: database, expecting: 0)
            let alice = try #require(try await database.all("users").first { $0["username"] == "alice" })
            let id = try #require(alice["_id"]?.objectID).hex
            let text = try await Tool.run(["history", "users", id] + target(database))
            #expect(text.output.contains("inserted") && text.output.contains("changed"), "\(text)")
            #expect(!text.output.contains("$2b$") && !text.output.contains("lost"), "\(text)")
            let events = try await Self.events(["users", id], database)
            #expect(events.last?.value(at: "before", "hashed_password") == "lost")
        }
    }

    @Test("of an unknown document says so, and of an unknown collection which there are")
    func unknown() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let none = try await Tool.run(["history", "messages", "5"] + target(database))
            #expect(none.exitCode == 0 && none.output.contains("knows nothing of it"), "\(none)")
            let misspelt = try await Tool.run(["history", "message", "5"] + target(database))
            #expect(misspelt.exitCode == 64 && misspelt.errors.contains("Did you mean `messages`?"), "\(misspelt)")
            let broken = try await Tool.run(["history", "messages", "{\"a\""] + target(database))
            #expect(broken.exitCode == 64, "\(broken)")
        }
    }

    private static func events(_ arguments: [String], _ database: TestDatabase) async throws -> [BSONDocument] {
        let result = try await json(["history"] + arguments, on: database, expecting: 0)
        return result["events"]?.array?.values.compactMap(\.document) ?? []
    }
}
