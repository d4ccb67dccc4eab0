import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// The directory of steps that `docs/migrations.md` is about does what is said there.
@Suite("The example of steps in files")
struct ShopExampleTests {
    private static func load(_ database: TestDatabase) async throws {
        let path = try ProjectFiles.path("Examples/shop-data/customers.jsonl")
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        try await database.load("customers", try lines.map { try ExtendedJSON.document(String($0)) })
    }

    @Test("is planned, applied and reverted as the page says", arguments: TestServer.Kind.allCases)
    func wholeWay(kind: TestServer.Kind) async throws {
        let steps = ["--steps", try ProjectFiles.path("Examples/shop")]
        try await withDatabase(on: kind) { database in
            try await Self.load(database)
            let start = try await database.all("customers")
            let plan = try await json(["migrate", "plan"] + steps, on: database, expecting: 2)
            let operations = (plan["steps"]?.array?.values ?? []).compactMap { step in
                step.document?["operations"]?.array?.values.first?.document
            }
            #expect(operations.map { $0["matched"]?.integer } == [1, 2, 108, 120])
            #expect(operations.map { $0["risk"] } == ["safe", "careful", "careful", "dangerous"])

            let up = ["migrate", "up", "--yes"] + steps
            _ = try await json(up, on: database, expecting: 4)
            let applied = try await json(up + ["--allow-dangerous"], on: database, expecting: 0)
            #expect(try await database.count("customers", ["full_name": "Ben Berg", "newsletter": false]) > 0)

            let run = try #require(applied["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 1)
            #expect(try await database.all("customers") == start)
            _ = try await json(["migrate", "down", "--yes"] + steps, on: database, expecting: 0)

            _ = try await json(up + ["--allow-dangerous"], on: database, expecting: 0)
            _ = try await json(["migrate", "down", "--to", "0", "--yes"] + steps, on: database, expecting: 0)
            // The way back puts the names at the end.
            let names = { (customers: [BSONDocument]) in customers.map { [$0["first"], $0["last"], $0["email"]] } }
            #expect(names(try await database.all("customers")) == names(start))
            let users = try await database.run(["usersInfo": 1])
            #expect(users["users"]?.array?.isEmpty == true)
        }
    }

    @Test("stands on the page as it is in the directory")
    func page() throws {
        let page = try String(contentsOfFile: try ProjectFiles.path("docs/migrations.md"), encoding: .utf8)
        let folder = try ProjectFiles.path("Examples/shop")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(names.count == 8)
        for name in names {
            let file = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
            let block = file.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n")
            #expect(page.contains(block), "\(name)")
        }
    }
}
