import BSON
import TestSupport
import Testing

@Suite("A run's name")
struct RunNameTests {
    private func shown(_ name: String, _ database: TestDatabase) async throws -> String? {
        try await json(["runs", "show", name], on: database, expecting: 0).value(at: "run", "run")?.string
    }

    @Test("may be the beginning of its id, or `latest`")
    func shortened() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            _ = try await json(["runs", "show", "latest"], on: database, expecting: 64)
            var runs: [String] = []
            for repair in ["ids", "references", "counts"] {
                let arguments = ["repair", repair, "--offline", "--yes", "--format", "json"] + target(database)
                runs.append(try #require(try await Tool.run(arguments).json()["run"]?.string))
            }
            #expect(try await shown("latest", database) == runs[2])
            for run in runs {
                // As many digits as tell it from the others.
                let length = try #require(
                    (1...24).first { count in runs.filter { $0.hasPrefix(run.prefix(count)) }.count == 1 })
                #expect(try await shown(String(run.prefix(length)), database) == run)
                #expect(try await shown(String(run.prefix(length)).uppercased(), database) == run)
            }
            let common = zip(runs[0], runs[2]).prefix { $0 == $1 }.map { String($0.0) }.joined()
            let ambiguous = try await Tool.run(["runs", "undo", common, "--yes"] + target(database))
            #expect(ambiguous.exitCode == 64, "\(ambiguous)")
            // Runs of the same second have ids in any order.
            let first = try #require(runs.filter { $0.hasPrefix(common) }.min())
            #expect(ambiguous.errors.contains("Several runs begin with `\(common)`: \(first)"), "\(ambiguous)")
            for name in ["", "latest ", "g", runs[0] + "0", "ffffffff"] {
                let refused = try await Tool.run(["runs", "show", name] + target(database))
                #expect(refused.exitCode == 64, "\(refused)")
            }
            _ = try await json(["runs", "undo", "latest", "--yes"], on: database, expecting: 0)
            #expect(try await database.count("chat_admin.runs") == 4)
        }
    }
}
