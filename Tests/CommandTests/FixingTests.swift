import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// docs/fixing-the-application.md is held against an application's own models: `scripts/application_writes.py`.
@Suite("The fixes of the application")
struct FixingTests {
    /// A row of the page's table.
    private struct Row: Equatable {
        let creates: String
        let guarded: String
        let sidebar: String
        let findings: String
    }

    private static let variants = ["bug", "exclude-alias", "exclude-name", "none", "right"]

    @Test("are told as they are, the wrong ones and the right one")
    func table() async throws {
        let page = try String(contentsOfFile: ProjectFiles.path("docs/fixing-the-application.md"), encoding: .utf8)
        let rows = page.split(separator: "\n").filter { $0.hasPrefix("| ") }.dropFirst().map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        try #require(rows.count == Self.variants.count)
        for (variant, cells) in zip(Self.variants, rows) {
            let told = Row(creates: cells[1], guarded: cells[2], sidebar: cells[3], findings: cells[4])
            try await #expect(Self.play(variant) == told, "\(variant)")
        }
    }

    private static func play(_ variant: String) async throws -> Row {
        let (open, findings) = try await withDatabase { database in
            try await insertUser(database)
            let seen = try await writes(variant, database)
            let check = try await Tool.run(["check", "--format", "json"] + target(database)).json()
            let codes = (check["findings"]?.array?.values ?? []).compactMap { $0.document?["code"]?.string }.filter {
                !["guard.missing", "index.missing"].contains($0)
            }
            // In the order of the result, each once.
            return (seen, codes.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } })
        }
        let guarded = try await withDatabase { database in
            try await insertUser(database)
            _ = try await json(["migrate", "up", "--to", "1", "--yes"], on: database, expecting: 0)
            return try await writes(variant, database)
        }
        // What is seen is what counts, guard or not.
        #expect(open["sidebar"] == guarded["sidebar"], "\(variant)")
        #expect(open["messages"] == open["sidebar"], "\(variant)")
        return Row(
            creates: words(open["creates"]), guarded: words(guarded["creates"]), sidebar: words(open["sidebar"]),
            findings: findings.isEmpty ? "nothing" : findings.joined(separator: ", "))
    }

    private static func insertUser(_ database: TestDatabase) async throws {
        let id = try #require(ObjectID(hex: "656000000000000000000001"))
        try await database.load("users", [Sample.user(id: id)])
    }

    /// What a variant of the application answers and sees.
    private static func writes(_ variant: String, _ database: TestDatabase) async throws -> BSONDocument {
        let answer = try await OtherProgram.run(
            OtherProgram.python(),
            [
                ProjectFiles.path("scripts/application_writes.py"), variant, "--uri", database.uri, "--database",
                database.name,
            ])
        return try ExtendedJSON.document(answer.output)
    }

    private static func words(_ value: BSONValue?) -> String {
        (value?.array?.values ?? [value ?? .null]).map { "\($0.integer ?? -1)" }.joined(separator: ", ")
    }
}
