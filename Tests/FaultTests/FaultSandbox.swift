import BSON
import Foundation
import Logging
import MongoDriver
import TestSupport
import Testing

/// A sandbox of one test, called `a`.
struct FaultSandbox: Sendable {
    let folder: String
    let environment: [String: String]

    func expect(_ code: Int32, _ arguments: String...) async throws {
        let result = try await Tool.run(["sandbox"] + arguments, environment: environment)
        #expect(result.exitCode == code, "\(result)")
    }

    /// The servers that run on data in the folder, whoever knows of them.
    var servers: [Int32] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { Int32($0) }.filter { pid in
            guard ProcessState.isRunning(pid) else { return false }
            let arguments = (try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8)) ?? ""
            return arguments.contains("--dbpath\u{0}\(folder)")
        }
    }

    /// Those who seed one of the servers on a port of this machine.
    static func seeders(_ port: Int) -> [Int32] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { Int32($0) }.filter { pid in
            guard ProcessState.isRunning(pid) else { return false }
            let arguments = (try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8)) ?? ""
            return arguments.contains("\u{0}seed\u{0}") && arguments.contains("127.0.0.1:\(port)/")
        }
    }

    func count(_ collection: String) async throws -> Int64 {
        try await withClient { client in
            try await client.run(["count": .string(collection)], on: "chat")["n"]?.integer ?? -1
        }
    }

    func withClient<R: Sendable>(_ body: (MongoClient) async throws -> R) async throws -> R {
        let listed = try await Tool.run(["sandbox", "list", "--format", "json"], environment: environment)
        let uri = try #require(try listed.json()["sandboxes"]?.array?.values.first?.document?["uri"]?.string)
        let pool = try MongoPool(
            ConnectionString(uri), logger: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() })
        KeptPools.keep(pool)
        return try await pool.withClient(body)
    }
}

func withSandboxFolder(_ body: (FaultSandbox) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/chat-admin-sandbox-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let environment = ["CHAT_ADMIN_SANDBOXES": folder, "CHAT_ADMIN_MONGOD": try MongodProgram.path()]
    let sandbox = FaultSandbox(folder: folder, environment: environment)
    let result: Result<Void, any Error>
    do {
        result = .success(try await body(sandbox))
    } catch {
        result = .failure(error)
    }
    _ = try await Tool.run(["sandbox", "stop", "--all", "--purge"], environment: environment)
    for pid in sandbox.servers { kill(pid, SIGKILL) }
    try result.get()
}

func withSandbox(_ body: (FaultSandbox) async throws -> Void) async throws {
    try await withSandboxFolder { sandbox in
        try await sandbox.expect(0, "start", "a")
        try await body(sandbox)
    }
}
