import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// The arguments that point the tool at a test's database.
func target(_ database: TestDatabase) -> [String] { ["--uri", database.uri, "--database", database.name] }

/// A folder of a test's own.
func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/chat-admin-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
}

/// Runs a command on a database and decodes the one JSON document it prints.
func json(
    _ arguments: [String], on database: TestDatabase, expecting code: Int32, within limit: Duration = Tool.timeLimit
) async throws -> BSONDocument {
    let result = try await Tool.run(arguments + target(database) + ["--format", "json"], timeLimit: limit)
    try #require(result.exitCode == code, "\(result)")
    return try result.json()
}

extension BSONDocument {
    /// The counts of a result's list (`findings`, `changes`, `left`), as `counts["id.empty"]["messages"]`.
    func counts(of list: String, _ number: String) -> [String: [String: Int]] {
        (self[list]?.array?.values ?? []).compactMap(\.document).reduce(into: [:]) { result, item in
            let code = item["code"]?.string ?? ""
            let collection = item["collection"]?.string ?? ""
            result[code, default: [:]][collection, default: 0] += Int(item[number]?.integer ?? 0)
        }
    }
}

/// Runs a change, and says which run it was.
func runID(_ arguments: [String], on database: TestDatabase) async throws -> String {
    let result = try await Tool.run(arguments + ["--yes", "--format", "json"] + target(database))
    try #require([0, 1].contains(result.exitCode), "\(result)")
    return try #require(try result.json()["run"]?.string)
}

/// Looks what an undo would do, does it, and compares.
func undoAsPromised(
    _ arguments: [String], on database: TestDatabase, expecting code: Int32
) async throws -> BSONDocument {
    let image = try await application(database)
    let dry = try await json(["runs", "undo"] + arguments + ["--dry-run"], on: database, expecting: 0)
    try await #expect(application(database) == image)
    let undone = try await json(["runs", "undo"] + arguments + ["--yes"], on: database, expecting: code)
    #expect(dry["changes"] == undone["changes"])
    #expect(dry["left"] == undone["left"])
    return undone
}

/// What a database holds besides the tool's own state.
func application(_ database: TestDatabase) async throws -> [String: [BSONDocument]] {
    var documents: [String: [BSONDocument]] = [:]
    for name in TestDatabase.chatCollections { documents[name] = try await database.all(name) }
    return documents
}

/// The options and indexes of the application's collections, with the server's defaults written out: an option that was
/// ever set can only be set back to its default, not removed.
struct Catalogue: Equatable {
    var options: [String: BSONDocument] = [:]
    var indexes: [String: [BSONDocument]] = [:]

    init(_ database: TestDatabase) async throws {
        let found = try await database.withClient { try await $0.listCollections(database.name) }
        for name in found.keys where !name.hasPrefix("chat_admin.") {
            var normal = found[name]?.options ?? [:]
            for (key, value) in [("validationLevel", "strict"), ("validationAction", "error")]
            where normal[key] == .string(value) {
                normal[key] = nil
            }
            options[name] = normal
            indexes[name] = try await database.withClient { try await $0.listIndexes(database.namespace(name)) }
        }
    }
}

/// Kills the tool while the server holds a command of it back, and stands for the time until its lease is over.
func kill(
    _ arguments: [String], on database: TestDatabase, holdingBack fault: FailCommand, mode: FailPoint.Mode
) async throws {
    try await database.withFailPoint(fault, mode: mode) { failPoint in
        let ended = try await Tool.run(arguments + target(database), sending: SIGKILL) { _ in
            try await failPoint.waitUntilEntered()
        }
        #expect(ended.wasSent)
    }
    try await database.update("chat_admin.lease", ["_id": "lease"], ["$set": ["expiresAt": .date(0)]])
}
