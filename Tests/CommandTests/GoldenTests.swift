import Foundation
import TestSupport
import Testing

/// What people read, pinned: a change of it shows in the diff of a golden file. `CHAT_ADMIN_GOLDEN=write` writes them.
@Suite("Text for people")
struct GoldenTests {
    @Test("of a check, a plan and a repair of the incident")
    func incident() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            try await Self.compare("check", ["check", "--only", "id,ref,guard,index"], database)
            try await Self.compare("plan", ["migrate", "plan"], database)
            try await Self.compare("up", ["migrate", "up", "--offline", "--yes"], database)
            try await Self.compare("check-after", ["check"], database)
            try await Self.compare("seed-dry-run", ["seed", "--dry-run"], database)
        }
    }

    private static func compare(_ name: String, _ command: [String], _ database: TestDatabase) async throws {
        let result = try await Tool.run(command + target(database), environment: ["COLUMNS": "80"])
        // Which documents stand for the many is up to the server, and how long it takes to the machine.
        let text = masked(result.output, database).replacing(/\ +(such as|takes about) .*\n(\ {8,}\S.*\n)*/, with: "")
        let file = try ProjectFiles.path("Tests/CommandTests/Golden") + "/\(name).txt"
        if ProcessInfo.processInfo.environment["CHAT_ADMIN_GOLDEN"] == "write" {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        }
        let golden = try String(contentsOf: URL(fileURLWithPath: file), encoding: .utf8)
        #expect(text == golden, "\(name)")
    }

    /// What differs from run to run.
    private static func masked(_ text: String, _ database: TestDatabase) -> String {
        text.replacingOccurrences(of: database.name, with: "chat")
            .replacing("127.0.0.1:\(database.server.port)", with: "HOST")
            .replacing(/\d+ ms|\d+\.\d s/, with: "N ms").replacing(/as of\s[-0-9T:]+Z/, with: "as of TIME").replacing(
                /is\s\d+ \w+ old/, with: "is N days old"
            ).replacing(
                /[Rr]un(s undo)? [0-9a-f]{24}/
            ) { match in
                match.output.0.dropLast(24) + "RUN"
            }
    }
}
