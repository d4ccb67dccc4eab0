import BSON
import TestSupport
import Testing

@Suite("The commands that are sent")
struct CommandCountTests {
    /// How many commands a call of the program sends to its database. What it asks the server as a whole (`hello`, how far a
    /// command has come that takes its time) isn't among them.
    private func count(_ arguments: [String], _ database: TestDatabase) async throws -> (count: Int, log: String) {
        let result = try await Tool.run(arguments + ["-v", "-v"] + target(database))
        #expect(result.exitCode == 0, "\(result)")
        let lines = result.errors.split(separator: "\n").filter {
            $0.hasSuffix("command started") && $0.contains("command=\(database.name).")
        }
        return (lines.count, lines.joined(separator: "\n"))
    }

    @Test(
        "are few where migrate up begins with nothing, and very few where nothing is pending",
        arguments: TestServer.Kind.allCases)
    func migrateUp(kind: TestServer.Kind) async throws {
        // A run confirms its lease each fifth of a second: on a slow machine more often than the work needs.
        var first: [(count: Int, log: String)] = []
        var second: [(count: Int, log: String)] = []
        while first.count < 4, first.allSatisfy({ $0.count > 60 }) || second.allSatisfy({ $0.count > 12 }) {
            try await withDatabase(on: kind) { database in
                _ = try await database.run(["create": "users"])
                first.append(try await count(["migrate", "up", "--yes"], database))
                second.append(try await count(["migrate", "up", "--yes"], database))
            }
        }
        let fewest = [first, second].map { $0.min { $0.count < $1.count } }
        #expect(fewest[0]?.count ?? 0 <= 60, "\(fewest)")
        #expect(fewest[1]?.count ?? 0 <= 12, "\(fewest)")
    }

    @Test("don't grow with the documents that get their ids back, whatever referred to them before")
    func undo() async throws {
        var counts: [Int] = []
        for sessions in [5, 40] {
            try await withDatabase { database in
                try await database.load("users", [Sample.user()])
                for number in 0..<sessions {
                    let id = ObjectID(timestamp: UInt32(1000 + number))
                    try await database.load("chat_sessions", [Sample.session(["_id": .string(id.hex)])])
                    try await database.load("messages", [Sample.message(["session_id": .objectID(id)])])
                }
                let before = try await application(database)
                _ = try await json(["repair", "ids", "--yes"], on: database, expecting: 0)
                counts.append(try await count(["runs", "undo", "latest", "--yes"], database).count)
                #expect(try await application(database) == before)
            }
        }
        #expect(counts[1] <= counts[0] + 5, "\(counts)")
    }
}
