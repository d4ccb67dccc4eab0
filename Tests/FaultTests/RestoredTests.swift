import BSON
import Foundation
import Synchronization
import TestSupport
import Testing

/// A dump that was taken during a run holds the journal of one moment and the documents of another.
@Suite("Restored from a dump that was taken during a run", .serialized)
struct RestoredTests {
    private static let user = BSONValue.objectID(ObjectID(timestamp: 1_700_000_000))

    private static func session(_ id: BSONValue, _ title: String) -> BSONDocument {
        [
            "_id": id, "user_id": user, "title": .string(title), "message_count": 2,
            "last_message_at": .date(1_700_000_100_000),
            "created_at": .date(1_700_000_000_000),
        ]
    }

    private static func messages(_ session: BSONValue, from first: UInt32) -> [BSONDocument] {
        (0..<2).map {
            [
                "_id": .objectID(ObjectID(timestamp: first + $0)), "session_id": session, "user_id": user,
                "created_at": .date(1_700_000_100_000), "deleted": false,
            ]
        }
    }

    private static let text = BSONValue.string(ObjectID(timestamp: 1_690_000_000).hex)

    private static func load(_ database: TestDatabase, isUnique: Bool) async throws {
        try await database.load("users", [["_id": user, "username": "u"]])
        try await database.load("chat_sessions", [session("", "first"), session(text, "second")])
        try await database.load("messages", messages("", from: 5) + messages(text, from: 50))
        if isUnique { try await makeUnique(database) }
    }

    private static func makeUnique(_ database: TestDatabase) async throws {
        try await database.run([
            "createIndexes": "chat_sessions", "indexes": [["key": ["title": 1], "name": "title_1", "unique": true]],
        ])
    }

    private typealias Picture = [String: [BSONDocument]]
    private static let state = ["chat_admin.journal", "chat_admin.runs"]
    private static let data = ["users", "chat_sessions", "messages"]

    /// Every state that a run goes through, as far as it differs from the one before.
    private static func pictures(kind: TestServer.Kind, isUnique: Bool) async throws -> [Picture] {
        try await ServerFleet.shared.withServer(kind) { server in
            try await server.withDatabase { database in
                try await load(database, isUnique: isUnique)
                let repair = ["repair", "ids", "--yes", "--uri", database.uri, "--database", database.name]
                return try await database.withFailPoint(KillMatrixTests.writes.blocking(milliseconds: 120)) { _ in
                    try await Tool.start(repair) { tool in
                        var pictures: [Picture] = []
                        var isRunning = true
                        while isRunning {
                            isRunning = tool.isRunning
                            var picture: Picture = [:]
                            for name in state + data { picture[name] = try await database.all(name) }
                            if picture != pictures.last { pictures.append(picture) }
                        }
                        return pictures
                    }.value
                }
            }
        }
    }

    @Test("nothing is lost or doubled by the next run", arguments: KillMatrixTests.topologies, [false, true])
    func restored(kind: TestServer.Kind, isUnique: Bool) async throws {
        let pictures = try await Self.pictures(kind: kind, isUnique: isUnique)
        #expect(pictures.count > 3)
        let pairs = pictures.indices.flatMap { journal in pictures.indices.map { (journal, $0) } }
        let tried = Atomic(0)
        _ = try await Matrix.forEachPoint(on: kind, from: isUnique ? 3 : 1, stride: 7) { database, point in
            guard pairs.indices.contains(point) else { return false }
            tried.add(1, ordering: .relaxed)
            let (journal, documents) = pairs[point]
            for name in Self.state { try await database.load(name, pictures[journal][name] ?? []) }
            for name in Self.data { try await database.load(name, pictures[documents][name] ?? []) }
            if isUnique { try await Self.makeUnique(database) }
            let place = "journal \(journal), documents \(documents) of \(pictures.count)"
            let target = ["--uri", database.uri, "--database", database.name]
            let titles = try await Self.titles(database)
            if titles != ["first", "second"] {
                let check = try await Tool.run(["check"] + target)
                #expect(check.exitCode == 1, "\(place): \(check)")
            }
            let repair = try await Tool.run(["repair", "ids", "--yes"] + target)
            #expect([0, 1].contains(repair.exitCode), "\(place): \(repair)")
            // A document that neither half of the dump holds can't come back.
            let moves = (pictures[journal]["chat_admin.journal"] ?? []).filter { $0["kind"] == "rekey" }
            var known = Set(titles)
            for move in moves {
                guard let title = move.value(at: "before", "title")?.string else { continue }
                if move["state"] != "done" {
                    known.insert(title)
                } else if !titles.contains(title) {
                    // A move that the journal calls done: the application may have deleted the document since, and
                    // doesn't get it back. What it was can be read.
                    let history = try await Tool.run(
                        ["history", "chat_sessions", move["newId"]?.objectID?.hex ?? "none", "--format", "json"]
                            + target)
                    #expect(history.output.contains(title), "\(place): \(history)")
                }
            }
            // Where the journal knows nothing at all, a copy can't be told from a twin: both stay, and are named.
            let isNamed = repair.exitCode == 1 && repair.output.contains("is equal but for its _id")
            let standing = try await Self.titles(database)
            #expect(isNamed ? Set(standing) == known : standing == known.sorted(), "\(place): \(repair)")
            return true
        }
        print(
            "faults: restored on \(kind)\(isUnique ? ", unique index" : ""): \(tried.load(ordering: .relaxed)) of \(pairs.count) pairs"
        )
    }

    private static func titles(_ database: TestDatabase) async throws -> [String] {
        try await database.all("chat_sessions").compactMap { $0["title"]?.string }.sorted()
    }
}
