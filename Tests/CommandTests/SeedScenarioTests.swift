import BSON
import TestSupport
import Testing

/// Situations to be seen: databases of demo chats, right or broken as they say.
@Suite("Situations")
struct SeedScenarioTests {
    /// A situation, the number that choices begin with, and sizes.
    static let databases: [(String, Int, String?)] = [
        ("usual", 1, "users=1,sessions=1,messages=0"), ("usual", 2, "users=2,sessions=1,messages=300"),
        ("usual", 3, "users=5,sessions=700,messages=900"), ("usual", 4, "users=60,sessions=60,messages=6000"),
        ("usual", 5, "users=3,sessions=1,messages=9000"), ("usual", 6, "users=7,sessions=40,messages=13"),
        ("empty", 7, nil),
        ("busy", 8, nil), ("deleted", 9, nil), ("long", 10, nil), ("unicode", 11, nil),
        ("unicode", 12, "users=9,sessions=200,messages=2000"), ("deleted", 13, "users=2,sessions=300,messages=3000"),
        ("broken", 14, nil), ("broken", 15, nil), ("broken", 16, "users=1,sessions=1,messages=1"),
        ("broken", 17, "users=2,sessions=30,messages=3000"), ("broken", 18, "users=40,sessions=500,messages=5000"),
        ("broken", 19, "users=5,sessions=9,messages=0"), ("broken", 20, "users=3,sessions=3,messages=6000"),
    ]

    @Test("are clean by `check`, or broken exactly as they say", arguments: databases)
    func truth(scenario: String, seed: Int, sizes: String?) async throws {
        try await withDatabase(on: seed % 2 == 0 ? .replicaSet : .standalone) { database in
            let arguments =
                ["seed", "--scenario", scenario, "--seed", "\(seed)"] + (sizes.map { ["--demo", $0] } ?? [])
            let seeded = try await json(arguments, on: database, expecting: 0)
            let truth = Self.counts(seeded.value(at: "seeded", "truth"))
            #expect(truth.isEmpty == (scenario != "broken"))
            let check = try await Tool.run(
                ["check", "--only", "id,ref,field,count,last,user", "--settle", "0", "--format", "json"]
                    + target(database))
            let found = try check.json().counts(of: "findings", "count")
            #expect(found == truth, "\(scenario) \(seed)")
            // Again: all of it is kept.
            let again = try await json(arguments, on: database, expecting: 0)
            #expect(again["changes"]?.array?.isEmpty == true, "\(again)")
            #expect(again.value(at: "seeded", "truth") == seeded.value(at: "seeded", "truth"))
        }
    }

    private static func counts(_ truth: BSONValue?) -> [String: [String: Int]] {
        (truth?.array?.values ?? []).compactMap(\.document).reduce(into: [:]) { result, item in
            result[item["code"]?.string ?? "", default: [:]][item["collection"]?.string ?? ""] =
                Int(item["count"]?.integer ?? 0)
        }
    }

    @Test("that are broken are made beside the guard, over and over", arguments: TestServer.Kind.allCases)
    func guarded(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            _ = try await json(["seed"], on: database, expecting: 0)
            _ = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 0)
            for _ in 1...2 {
                let seeded = try await json(
                    ["seed", "--reset", "--scenario", "broken", "--yes"], on: database, expecting: 0)
                let found = try await json(
                    ["check", "--settle", "0", "--only", "id,ref,field,count,last"], on: database, expecting: 1)
                #expect(Self.counts(seeded.value(at: "seeded", "truth")) == found.counts(of: "findings", "count"))
                _ = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            }
        }
    }

    @Test("that are broken can be repaired as the incident is, and every user of them logs in")
    func practice() async throws {
        try await withDatabase { database in
            let seeded = try await json(["seed", "--scenario", "broken", "--seed", "3"], on: database, expecting: 0)
            let before = try await application(database)
            let up = try await json(["migrate", "up", "--offline", "--yes"], on: database, expecting: 1)
            let left = up.counts(of: "left", "count")
            #expect(Set(left.keys) == ["ref.empty", "ref.dangling"], "\(left)")
            _ = try await json(["migrate", "down", "--to", "0", "--yes"], on: database, expecting: 0)
            #expect(try await application(database) == before)
            let password = "demopass123"
            let login = try #require(seeded.value(at: "seeded", "demo", "login")?.string)
            let users = try await database.all("users")
            let hashes = Set(
                users.filter { $0["username"]?.string?.hasPrefix("demo.") == true }.map { $0["hashed_password"] })
            #expect(hashes.count == 1, "one password, hashed once")
            let hash = try await database.one("users", ["username": .string(login)])["hashed_password"]?.string
            #expect(try await SeedTests.verifies(password, hash ?? ""))
        }
    }
}
