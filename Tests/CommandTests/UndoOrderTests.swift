import BSON
import TestSupport
import Testing

/// Undoing a run that newer ones built on, and what a dry run promises.
@Suite("Undo without surprises")
struct UndoOrderTests {
    @Test(
        "refuses a run that a newer one built on, names it, and undoes both newest first with --through",
        arguments: TestServer.Kind.allCases)
    func through(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            let before = try await application(database)
            let ids = try await runID(["repair", "ids"], on: database)
            let references = try await runID(["repair", "references"], on: database)
            let seed = try #require(
                try await json(["seed", "--yes", "--allow-here"], on: database, expecting: 0)["run"]?.string)
            let after = try await application(database)

            for arguments in [["--dry-run"], ["--yes"]] {
                let refused = try await Tool.run(["runs", "undo", ids] + arguments + target(database))
                #expect(refused.exitCode == 4, "\(refused)")
                #expect(refused.errors.contains("`runs undo \(references)` (repair references)"), "\(refused)")
                #expect(refused.errors.contains("`runs undo --through \(ids)`"), "\(refused)")
                #expect(!refused.errors.contains(seed), "\(refused)")
            }
            try await #expect(application(database) == after)

            let undone = try await undoAsPromised(["--through", ids], on: database, expecting: 0)
            let runs = undone["undone"]?.array?.values.compactMap { $0.document?["run"]?.string }
            #expect(runs == [references, ids])
            var users = before
            users["users"] = try await database.all("users")
            try await #expect(application(database) == users)
            #expect(users["users"]?.count == 14)
        }
    }

    @Test("knows a run that made something refer to a moved document for one that built on it")
    func referring() async throws {
        try await withDatabase { database in
            let user = #"{"$oid": "6909dd28187c07e4d5636e9b"}"#
            try await database.insertJSON("users", #"{"_id": \#(user), "username": "ann", "email": "a@example.org"}"#)
            try await database.insertJSON("chat_sessions", #"{"_id": "", "user_id": \#(user), "title": "x"}"#)
            let ids = try await runID(["repair", "ids"], on: database)
            let session = try #require(try await database.all("chat_sessions").first?["_id"]?.objectID)
            try await database.insertJSON(
                "messages",
                #"""
                {"_id": {"$oid": "6909f8dc21be47afd1d831a9"}, "session_id": "\#(session.hex)", "user_id": \#(user),
                "deleted": false}
                """#)
            let references = try await runID(["repair", "references"], on: database)
            let refused = try await Tool.run(["runs", "undo", ids, "--yes"] + target(database))
            #expect(refused.exitCode == 4 && refused.errors.contains(references), "\(refused)")
            // The message that came since would refer to nothing.
            let left = try await undoAsPromised(["--through", ids], on: database, expecting: 0)
            #expect(
                left.counts(of: "changes", "changed") == [
                    "ref.string": ["messages": 1], "id.empty": ["chat_sessions": 1],
                ])
            #expect(try await database.all("chat_sessions").first?["_id"] == "")
        }
    }

    @Test("isn't refused for what an undo of the newer run had to leave")
    func left() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let ids = try await runID(["repair", "ids"], on: database)
            let references = try await runID(["repair", "references"], on: database)
            try await database.update("chat_sessions", ["title": "chat 2"], ["$set": ["user_id": "somebody"]])
            _ = try await undoAsPromised([references], on: database, expecting: 1)
            let undone = try await undoAsPromised([ids], on: database, expecting: 1)
            // The session has changed since the run that moved it; the others go back.
            #expect(undone.counts(of: "left", "count") == ["id.empty": ["chat_sessions": 1]])
            let left = undone["left"]?.array?.values.first?.document
            #expect(left?["field"] == "_id" && left?["samples"]?.array?.values.count == 1, "\(undone)")
        }
    }

    @Test(
        "promises in a dry run exactly what it then does, whatever has changed since",
        arguments: TestServer.Kind.allCases)
    func exact(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            try await database.run(["drop": "artifacts"])
            let run = try await runID(["migrate", "up", "--offline"], on: database)
            try await database.update("chat_sessions", ["title": "chat 2"], ["$set": ["title": "renamed"]])
            try await database.insertJSON("artifacts", #"{"_id": {"$oid": "6909f8dc21be47afd1d83100"}}"#)
            try await database.run(["collMod": "messages", "validationLevel": "strict"])
            try await database.run(["dropIndexes": "users", "index": "email_1"])
            try await database.run([
                "createIndexes": "users", "indexes": [["key": ["email": 1, "x": 1], "name": "email_1"]],
            ])
            // One of the moved sessions is referred to by more than followed it; of another a message has changed.
            let moved = try await database.all("chat_admin.journal").filter {
                $0["kind"] == "rekey" && $0["collection"] == "chat_sessions" && $0["oldId"] != ""
            }
            let ids = moved.compactMap { $0["newId"] }
            try #require(ids.count == 3)
            try await database.load(
                "messages",
                [["_id": .objectID(ObjectID(timestamp: 7)), "session_id": ids[0], "user_id": ids[0], "deleted": false]])
            try await database.update("messages", ["session_id": ids[1]], ["$set": ["session_id": ids[2]]])
            try await database.update("chat_sessions", ["message_count": 4], ["$set": ["message_count": 5]])
            let undone = try await undoAsPromised([run], on: database, expecting: 1)
            let left = undone.counts(of: "left", "count")
            #expect(left["id.empty"]?["chat_sessions"] == 1 && left["id.string"]?["chat_sessions"] ?? 0 >= 2, "\(left)")
            #expect(left["validator"] == ["messages": 1] && left["create index"] == ["users": 1], "\(left)")
            // A second one finds the rest as it was left.
            _ = try await undoAsPromised([run], on: database, expecting: 1)
        }
    }

    @Test("promises exactly that for steps in files too: updates, deletes, a collection dropped, one made")
    func files() async throws {
        let steps = [
            "001_update.up.json": """
            [{"update": "c", "updates": [{"q": {"_id": {"$gte": 0}}, "u": {"$set": {"n": 1}}, "multi": true}]},
             {"update": "c", "updates": [{"q": {"_id": {"$gte": 2}}, "u": [{"$set": {"m": {"$add": ["$n", 1]}}}], "multi": true}]}]
            """,
            "002_delete.up.json": #"[{"delete": "c", "deletes": [{"q": {"_id": 3}, "limit": 1}]}]"#,
            "003_drop.up.json": #"[{"drop": "d"}, {"insert": "e", "documents": [{"_id": 1}, {"_id": 2}]}]"#,
        ]
        try await withDatabase { database in
            for index in 1...5 { try await database.insertJSON("c", #"{"_id": \#(index), "n": 0}"#) }
            try await database.insertJSON("d", #"{"_id": 1}"#, #"{"_id": 2}"#)
            try await StepFolder.with(steps) { folder in
                let up = try await json(
                    ["migrate", "up", "--yes", "--allow-dangerous"] + folder.arguments, on: database, expecting: 0)
                try await database.update("c", ["_id": 4], ["$set": ["m": 9]])
                try await database.insertJSON("c", #"{"_id": 3, "mine": true}"#)
                try await database.update("e", ["_id": 2], ["$set": ["mine": true]])
                let undone = try await undoAsPromised([try #require(up["run"]?.string)], on: database, expecting: 1)
                let left = undone.counts(of: "left", "count")
                #expect(left["delete"] == ["c": 1] && left["insert"] == ["e": 1], "\(left)")
            }
        }
    }

    @Test("of `migrate down` promises exactly what it then does, too")
    func down() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            _ = try await runID(["migrate", "up", "--offline"], on: database)
            try await database.update("chat_sessions", ["title": "chat 2"], ["$set": ["title": "renamed"]])
            let dry = try await json(["migrate", "down", "--to", "0", "--dry-run"], on: database, expecting: 0)
            let down = try await json(["migrate", "down", "--to", "0", "--yes"], on: database, expecting: 1)
            #expect(dry["changes"] == down["changes"])
            #expect(dry["left"] == down["left"])
        }
    }
}
