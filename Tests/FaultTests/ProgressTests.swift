import BSON
import MongoDriver
import TestSupport
import Testing

/// Whatever stands where a move's documents should, a run comes to its end: by a bounded number of commands for each entry
/// of the journal, and without losing a document.
@Suite("A run always comes to its end", .serialized)
struct ProgressTests {
    private static let user = BSONValue.objectID(ObjectID(timestamp: 1_700_000_000))
    private static let stranger = BSONValue.objectID(ObjectID(timestamp: 1_700_000_001))

    /// What the application has done to a document that was on its way.
    private enum Situation: CaseIterable {
        case copyStands, copyTouched, bothStand, bothStandCopyTouched, originalChanged, bothChanged
        case originalReplaced, copyDeleted, bothDeleted, replacedAndCopyDeleted, replacedAndCopyTouched

        /// Whether a document stands nowhere, so that an entry which is being reverted speaks of one that was deleted.
        var isDeleted: Bool { self == .bothDeleted || self == .replacedAndCopyDeleted }
    }

    private static let states = ["planned", "deleting", "deletingFirst", "references", "withdrawing"]
    /// A look, an insert, a delete, a few changes of state, references, and what a whole run costs on top of it.
    private static let mostCommandsPerEntry = 25
    private static let mostCommands = 400

    private static func session(_ index: Int) -> BSONDocument {
        [
            "_id": .string(ObjectID(timestamp: UInt32(1_600_000_000 + index)).hex), "user_id": user,
            "title": .string("s\(index)"), "message_count": 1,
            "created_at": .date(1_650_000_000_000 + Int64(index) * 1000),
        ]
    }

    private static func load(_ database: TestDatabase, _ count: Int) async throws {
        try await database.load("users", [["_id": user, "username": "u"]])
        let sessions = (0..<count).map(session)
        try await database.load("chat_sessions", sessions)
        try await database.load(
            "messages",
            sessions.enumerated().map { index, session in
                [
                    "_id": .objectID(ObjectID(timestamp: UInt32(1_610_000_000 + index))),
                    "session_id": session["_id"] ?? .null, "user_id": user, "deleted": false,
                    "created_at": .date(1_650_000_000_500),
                ]
            })
    }

    /// Brings about a situation of an entry that is done.
    private static func bringAbout(_ situation: Situation, _ entry: BSONDocument, _ database: TestDatabase) async throws
    {
        guard let image = entry["before"]?.document, let newID = entry["newId"] else { return }
        let touch: BSONDocument = ["$set": ["touched": true]]
        var changed = image
        changed["message_count"] = 99
        let other: BSONDocument = [
            "_id": entry["oldId"] ?? .null, "user_id": stranger,
            "title": .string("other \(image["title"]?.string ?? "")"),
            "created_at": .date(1_660_000_000_000),
        ]
        let (original, isTouched, isGone): (BSONDocument?, Bool, Bool) =
            switch situation {
            case .copyStands: (nil, false, false)
            case .copyTouched: (nil, true, false)
            case .bothStand: (image, false, false)
            case .bothStandCopyTouched: (image, true, false)
            case .originalChanged: (changed, false, false)
            case .bothChanged: (changed, true, false)
            case .originalReplaced: (other, false, false)
            case .copyDeleted: (image, false, true)
            case .bothDeleted: (nil, false, true)
            case .replacedAndCopyDeleted: (other, false, true)
            case .replacedAndCopyTouched: (other, true, false)
            }
        if isTouched { try await database.update("chat_sessions", ["_id": newID], touch) }
        if isGone {
            try await database.run(["delete": "chat_sessions", "deletes": [["q": ["_id": newID], "limit": 1]]])
        }
        if let original { try await database.load("chat_sessions", [original]) }
    }

    /// Runs the tool, and counts what it asks of the server about this database.
    private static func run(_ command: [String], _ database: TestDatabase) async throws -> (ToolResult, commands: Int) {
        try await database.run(["profile": 0])
        _ = try? await database.run(["drop": "system.profile"])
        try await database.run(["create": "system.profile", "capped": true, "size": .int64(32 << 20)])
        try await database.run(["profile": 2])
        let result = try await Tool.run(
            command + ["--uri", database.uri, "--database", database.name], timeLimit: .seconds(100))
        try await database.run(["profile": 0])
        return (result, try await database.count("system.profile"))
    }

    private static func entries(_ database: TestDatabase, of run: String) async throws -> [BSONDocument] {
        let id = try #require(ObjectID(hex: run))
        return try await database.find("chat_admin.journal", ["_id.r": .objectID(id), "kind": "rekey"])
    }

    private static func repair(_ database: TestDatabase) async throws -> String {
        let result = try await Tool.run(
            ["repair", "ids", "--yes", "--format", "json", "--uri", database.uri, "--database", database.name])
        try #require(result.exitCode == 0, "\(result)")
        return try #require(try result.json()["run"]?.string)
    }

    /// Gives entries that are done every state in every situation, as a killed run or a restored dump may leave them.
    ///
    /// - Returns: The titles that have to stand when they are finished.
    private static func reopen(_ entries: [BSONDocument], _ database: TestDatabase) async throws -> Set<String> {
        var titles: Set<String> = []
        let cases = states.flatMap { state in Situation.allCases.map { (state, $0) } }
        for (entry, (state, situation)) in zip(entries, cases) {
            try await bringAbout(situation, entry, database)
            try await database.update(
                "chat_admin.journal", ["_id": entry["_id"] ?? .null],
                ["$set": ["state": .string(state), "open": true, "holds": true], "$unset": ["undone": ""]])
            let title = entry.value(at: "before", "title")?.string ?? ""
            if state != "withdrawing" || !situation.isDeleted { titles.insert(title) }
            if [.originalReplaced, .replacedAndCopyDeleted, .replacedAndCopyTouched].contains(situation) {
                titles.insert("other \(title)")
            }
        }
        return titles
    }

    private static func titles(_ database: TestDatabase) async throws -> Set<String> {
        Set(try await database.all("chat_sessions").compactMap { $0["title"]?.string })
    }

    @Test("when it finishes what the journal calls open", arguments: KillMatrixTests.topologies, [false, true])
    func resumed(kind: TestServer.Kind, isUndo: Bool) async throws {
        try await withDatabase(on: kind) { database in
            let count = Self.states.count * Situation.allCases.count
            try await Self.load(database, count)
            var run = try await Self.repair(database)
            if isUndo {
                let undo = try await Tool.run([
                    "runs", "undo", run, "--yes", "--format", "json", "--uri", database.uri, "--database",
                    database.name,
                ])
                try #require(undo.exitCode == 0, "\(undo)")
                run = try #require(try undo.json()["run"]?.string)
            }
            let entries = try await Self.entries(database, of: run)
            #expect(entries.count == count)
            let expected = try await Self.reopen(entries, database)
            let (result, commands) = try await Self.run(["repair", "counts", "--offline", "--yes"], database)
            #expect(result.exitCode == 0 || result.exitCode == 1, "\(result)")
            let standing = try await Self.titles(database)
            #expect(expected.subtracting(standing) == [], "\(result)")
            #expect(commands < Self.mostCommands + count * Self.mostCommandsPerEntry)
            #expect(try await database.count("chat_admin.journal", ["open": true]) == 0, "\(result)")
        }
    }

    @Test("when it undoes moves", arguments: KillMatrixTests.topologies)
    func undone(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.load(database, Situation.allCases.count)
            let run = try await Self.repair(database)
            let entries = try await Self.entries(database, of: run)
            var expected: Set<String> = []
            for (entry, situation) in zip(entries, Situation.allCases) {
                try await Self.bringAbout(situation, entry, database)
                if !situation.isDeleted { expected.insert(entry.value(at: "before", "title")?.string ?? "") }
            }
            let (result, commands) = try await Self.run(["runs", "undo", run, "--yes"], database)
            #expect(result.exitCode == 1, "\(result)")
            #expect(expected.subtracting(try await Self.titles(database)) == [], "\(result)")
            #expect(commands < Self.mostCommands + entries.count * Self.mostCommandsPerEntry)
        }
    }

    @Test("when the application is at the same document meanwhile", arguments: ["insert", "delete"])
    func meanwhile(command: String) async throws {
        let situations: [Situation] = [.copyTouched, .bothDeleted, .bothChanged, .replacedAndCopyTouched, .copyDeleted]
        try await ServerFleet.shared.withServer(.standalone) { server in
            for situation in situations {
                try await server.withDatabase { database in
                    try await Self.load(database, 1)
                    let fault = FailCommand(command, on: "\(database.name).chat_sessions").blocking(milliseconds: 800)
                    let (result, commands) = try await database.withFailPoint(fault, mode: .times(1)) { failPoint in
                        async let ended = Self.run(["repair", "ids", "--yes"], database)
                        try await failPoint.waitUntilEntered()
                        try await Self.interfere(situation, database)
                        return try await ended
                    }
                    let place = "\(situation) at \(command)"
                    #expect(result.exitCode == 0 || result.exitCode == 1, "\(place): \(result)")
                    #expect(commands < Self.mostCommands, "\(place): \(result)")
                    // What the application has deleted, under whatever _id, is gone.
                    if situation == .bothChanged || situation == .replacedAndCopyTouched {
                        #expect(try await Self.titles(database).contains { $0.hasSuffix("s0") }, "\(place): \(result)")
                    }
                    #expect(try await database.count("chat_admin.journal", ["open": true]) == 0, "\(place): \(result)")
                }
            }
        }
    }

    /// What the application does while the original still stands; the copy may not be there yet.
    private static func interfere(_ situation: Situation, _ database: TestDatabase) async throws {
        let entry = try await database.one("chat_admin.journal", ["kind": "rekey"])
        let original: BSONDocument = ["_id": entry["oldId"] ?? .null]
        func delete(_ filter: BSONDocument) async throws {
            try await database.run(["delete": "chat_sessions", "deletes": [["q": .document(filter), "limit": 1]]])
        }
        let copy: BSONDocument = ["_id": entry["newId"] ?? .null]
        let touch: BSONDocument = ["$set": ["touched": true]]
        switch situation {
        case .copyTouched:
            try await delete(original)
            try await database.update("chat_sessions", copy, touch)
        case .bothDeleted:
            try await delete(original)
            try await delete(copy)
        case .bothChanged:
            try await database.update("chat_sessions", original, ["$set": ["message_count": 99]])
            try await database.update("chat_sessions", copy, touch)
        case .replacedAndCopyTouched:
            try await delete(original)
            try await bringAbout(situation, entry, database)
        default: try await delete(copy)
        }
    }
}
