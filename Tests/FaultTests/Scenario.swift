import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// A writing command, what comes before it, and how to tell that it has done its work.
struct Scenario: Sendable, CustomTestStringConvertible {
    let name: String
    /// What is run before the command, on the loaded incident.
    let before: [[String]]
    /// The command that is disturbed, and run again.
    let command: [String]
    /// What is run afterwards to reach the whole truth.
    let after: [[String]]
    let goal: Goal
    /// What it sends that changes something, beyond what others send.
    var writes: FailCommand { goal == .stepsApplied ? KillMatrixTests.stepWrites : KillMatrixTests.writes }

    enum Goal: Sendable {
        /// The incident is repaired.
        case repaired
        /// Everything is as it was at the very start.
        case restored
        /// Alice and testuser are there, once each.
        case seeded
        /// What is seeded has the bytes that it has in an empty database.
        case seededAlike
        /// The steps of `Steps` are applied, each once.
        case stepsApplied
    }

    var testDescription: String { name }

    static let all = [
        Scenario(name: "migrate up", before: [], command: up, after: [], goal: .repaired),
        Scenario(
            name: "migrate down", before: [up], command: ["migrate", "down", "--to", "0", "--yes"], after: [],
            goal: .restored),
        Scenario(
            name: "repair ids", before: [], command: ["repair", "ids", "--yes"], after: [references, counts],
            goal: .repaired),
        Scenario(
            name: "repair references", before: [["repair", "ids", "--yes"]], command: references, after: [counts],
            goal: .repaired),
        Scenario(
            name: "repair counts", before: [["repair", "ids", "--yes"], references], command: counts, after: [],
            goal: .repaired),
        Scenario(
            name: "live repair counts", before: [["repair", "ids", "--yes"], references],
            command: ["repair", "counts", "--settle", "0.2", "--yes"], after: [], goal: .repaired),
        Scenario(name: "seed", before: [], command: ["seed", "--allow-here", "--yes"], after: [], goal: .seeded),
        Scenario(name: "seed --demo", before: [], command: demo, after: [], goal: .seededAlike),
        Scenario(
            name: "seed --from", before: [], command: ["seed", "--from", "TEAM", "--allow-here", "--yes"] + moment,
            after: [], goal: .seededAlike),
        Scenario(
            name: "seed --reset", before: [demo, ["seed", "--update", "--allow-here", "--yes"]],
            command: demo + ["--reset"], after: [], goal: .seededAlike),
        Scenario(
            name: "runs undo", before: [["repair", "all", "--offline", "--yes"]],
            command: ["runs", "undo", "RUN", "--yes"],
            after: [], goal: .restored),
        Scenario(
            name: "migrate up steps", before: [],
            command: ["migrate", "up", "--steps", "STEPS", "--yes", "--allow-dangerous"], after: [],
            goal: .stepsApplied),
    ]

    /// A repair that stays; it works on several connections, so that no two of its runs write in the same order. The incident
    /// lacks the index by which it could count.
    static let watching = Scenario(
        name: "repair --watch", before: [],
        command: ["repair", "--watch", "--yes", "--settle", "0.1", "--cycle", "1s", "--max-time", "6"], after: [counts],
        goal: .repaired)

    private static let moment = ["--now", "2026-11-20T10:30:00Z"]
    private static let demo =
        ["seed", "--demo", "users=3,sessions=5,messages=60", "--allow-here", "--yes"] + moment
    private static let up = ["migrate", "up", "--offline", "--yes"]
    private static let references = ["repair", "references", "--yes"]
    private static let counts = ["repair", "counts", "--offline", "--yes"]
}

/// One database in which a scenario is played.
struct Stage {
    let scenario: Scenario
    let database: TestDatabase
    let start: [String: [BSONDocument]]
    let command: [String]

    /// Loads the incident and does what comes before.
    init(_ scenario: Scenario, _ database: TestDatabase) async throws {
        self.scenario = scenario
        self.database = database
        try await database.loadIncident()
        start = try await Self.application(database)
        for command in scenario.before { try await Self.run(command, database) }
        if scenario.command.contains("RUN") {
            let run = try await Self.runs(database).first ?? ""
            command = scenario.command.map { $0 == "RUN" ? run : $0 }
        } else {
            let steps = try ProjectFiles.path("Tests/FaultTests/Steps")
            let team = try ProjectFiles.path("Tests/FaultTests/Seeds/team.yaml")
            command = scenario.command.map { $0 == "STEPS" ? steps : $0 == "TEAM" ? team : $0 }
        }
    }

    /// The arguments of the disturbed command.
    var arguments: [String] { command + Self.target(database) }

    /// Runs the command again, undisturbed, and looks whether the goal is reached; then reverts everything and looks
    /// whether the start is.
    ///
    /// - Returns: What is wrong, in words.
    func finish() async throws -> [String] {
        try await Self.expireLease(database)
        try await Self.run(command, database)
        for command in scenario.after { try await Self.run(command, database) }
        var problems = try await goalProblems()
        if try await database.count("chat_admin.journal", ["open": true]) > 0 {
            problems.append("open journal entries")
        }
        if scenario.goal != .restored {
            let left = try await takeBack()
            let problem = try await startProblems()
            problems += problem.isEmpty ? [] : problem + left
        }
        return problems
    }

    /// What differs from the start, collection by collection.
    private func startProblems() async throws -> [String] {
        let found = try await Self.application(database)
        return found.keys.sorted().flatMap { name -> [String] in
            let (now, before) = (found[name] ?? [], start[name] ?? [])
            guard now != before else { return [] }
            let (missing, more) = (before.filter { !now.contains($0) }, now.filter { !before.contains($0) })
            return ["\(name) isn't as at the start; missing: \(missing.prefix(3)); instead: \(more.prefix(3))"]
        }
    }

    private func goalProblems() async throws -> [String] {
        switch scenario.goal {
        case .repaired: return try await IncidentTruth.fixture.verify(database)
        case .restored: return try await startProblems()
        case .stepsApplied: return try await StepsTruth(start: start).problems(database)
        case .seededAlike: return try await seedProblems()
        case .seeded:
            let names = try await database.find("users", ["username": ["$in": ["alice", "testuser"]]])
                .compactMap { $0["username"]?.string }.sorted()
            return names == ["alice", "testuser"] ? [] : ["seeded users: \(names)"]
        }
    }

    /// Whether what is there is what was there at the start, and what the command makes of an empty database.
    private func seedProblems() async throws -> [String] {
        let expected = try await database.server.withDatabase { reference in
            try await Self.run(command, reference)
            return try await Self.application(reference)
        }
        let found = try await Self.application(database)
        return TestDatabase.chatCollections.filter { name in
            let wanted = (start[name] ?? []) + (expected[name] ?? [])
            return Set(found[name] ?? []) != Set(wanted) || found[name]?.count != wanted.count
        }.map { "\($0) differ from what is seeded into an empty database" }
    }

    /// Reverts what an undo has left half reverted, as the program advises.
    func finishReverting() async throws {
        try await Self.expireLease(database)
        for row in try await database.find("chat_admin.migrations", ["state": "reverting"]) {
            let end = ["--to", "\((row["version"]?.integer ?? 1) - 1)", "--yes"]
            let steps = scenario.goal == .stepsApplied ? Array(command.suffix(from: 2).prefix(2)) : []
            try await Self.run(["migrate", "down"] + end + steps, database)
        }
    }

    /// Stands for the time that passes until a killed run's lease expires by itself.
    static func expireLease(_ database: TestDatabase) async throws {
        try await database.run([
            "update": "chat_admin.lease", "updates": [["q": [:], "u": ["$set": ["expiresAt": .date(0)]]]],
        ])
    }

    /// - Returns: What the undo of each run has said.
    private func takeBack() async throws -> [String] {
        if scenario.name == "migrate up" {
            try await Self.run(["migrate", "down", "--to", "0", "--yes"], database)
        } else if scenario.goal == .stepsApplied {
            try await Self.run(["migrate", "down", "--to", "0", "--yes"] + command.suffix(from: 2).prefix(2), database)
        } else {
            var said: [String] = []
            for run in try await Self.runs(database) {
                said.append(try await Self.run(["runs", "undo", run, "--yes"], database).output)
            }
            return said
        }
        return []
    }

    /// The runs that changed something and can be reverted, newest first.
    static func runs(_ database: TestDatabase) async throws -> [String] {
        try await database.find("chat_admin.runs", ["undoes": ["$exists": false]])
            .sorted { ($0["startedAt"]?.date ?? 0) > ($1["startedAt"]?.date ?? 0) }
            .compactMap { $0["_id"]?.objectID?.hex }
    }

    static func application(_ database: TestDatabase) async throws -> [String: [BSONDocument]] {
        var documents: [String: [BSONDocument]] = [:]
        for name in TestDatabase.chatCollections { documents[name] = try await database.all(name) }
        return documents
    }

    @discardableResult
    private static func run(_ command: [String], _ database: TestDatabase) async throws -> ToolResult {
        let result = try await Tool.run(command + target(database))
        try #require(result.exitCode == 0 || result.exitCode == 1, "\(command)\n\(result)")
        return result
    }

    private static func target(_ database: TestDatabase) -> [String] {
        ["--uri", database.uri, "--database", database.name]
    }
}
