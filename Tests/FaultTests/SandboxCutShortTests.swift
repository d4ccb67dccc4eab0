import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

/// What is begun with a sandbox, and doesn't come to its end.
@Suite("Of what is cut short a sandbox")
struct SandboxCutShortTests {
    @Test("that was to be restored goes on with the data that it had, where the copy is no good")
    func restoreFailed() async throws {
        try await withSandbox { sandbox in
            try await sandbox.expect(0, "exec", "a", "--seed", "--", "true")
            try await sandbox.expect(0, "snapshot", "a", "s")
            try "nonsense".write(
                toFile: sandbox.folder + "/a/snapshots/s/storage.bson", atomically: true, encoding: .utf8)
            let failed = try await Tool.run(["sandbox", "restore", "a", "s"], environment: sandbox.environment)
            #expect(failed.exitCode == 69, "\(failed)")
            #expect(failed.errors.contains("The sandbox goes on with the data that it had."), "\(failed)")
            // In mongod's words, and not as the line of its log.
            #expect(failed.errors.contains("Unable to read the storage engine metadata file: "), "\(failed)")
            #expect(!failed.errors.contains("\"ctx\""), "\(failed)")
            #expect(try await sandbox.count("users") == 2)
            try await sandbox.expect(0, "snapshot", "a", "t")
            try await sandbox.expect(0, "restore", "a", "t")
        }
    }

    /// When it is killed: what stands on the disk then.
    static let moments: [String] = ["a/data/0.new", "a/data/0.old"]

    @Test("that was being restored is stopped, with the data that it had, and can be restored", arguments: moments)
    func restoreKilled(moment: String) async throws {
        try await withSandbox { sandbox in
            try await sandbox.expect(0, "exec", "a", "--seed", "--", "true")
            try await sandbox.expect(0, "snapshot", "a", "s")
            let ended = try await Tool.run(
                ["sandbox", "restore", "a", "s"], environment: sandbox.environment, sending: SIGKILL
            ) { _ in
                try await waitUntil("it is in the middle", within: .seconds(60), every: .zero) {
                    FileManager.default.fileExists(atPath: "\(sandbox.folder)/\(moment)")
                }
            }
            #expect(ended.wasSent)
            let listed = try await Tool.run(["sandbox", "list"], environment: sandbox.environment)
            #expect(listed.exitCode == 0, "\(listed)")
            // Whatever it says runs, and nothing else.
            #expect(sandbox.servers.count == (listed.output.contains("a  running") ? 1 : 0), "\(listed)")
            if moment.hasSuffix(".old") {
                #expect(listed.errors.contains("Restoring the sandbox a was cut short"), "\(listed)")
                #expect(FileManager.default.fileExists(atPath: sandbox.folder + "/a/data/0/storage.bson"))
                #expect(!FileManager.default.fileExists(atPath: sandbox.folder + "/a/data/0.old"))
            }
            try await sandbox.expect(0, "restore", "a", "s")
            #expect(try await sandbox.count("users") == 2)
        }
    }

    @Test("that was being started, with its data elsewhere, leaves no server that nothing finds")
    func keptStartKilled() async throws {
        try await withSandboxFolder { sandbox in
            let data = sandbox.folder + "-kept"
            defer { try? FileManager.default.removeItem(atPath: data) }
            let start = ["sandbox", "start", "a", "--replica-set", "--members", "3", "--keep", data]
            let ended = try await Tool.run(start, environment: sandbox.environment, sending: SIGKILL) { _ in
                try await waitUntil("two servers run", within: .seconds(60), every: .zero) {
                    sandbox.servers.count > 1
                }
            }
            #expect(ended.wasSent && !sandbox.servers.isEmpty)
            try await sandbox.expect(0, "list")
            #expect(sandbox.servers.isEmpty)
            let again = try await Tool.run(start, environment: sandbox.environment)
            #expect(again.exitCode == 0, "\(again)")
        }
    }

    /// A command that seeds for long, the signal, and the exit code.
    static let interrupted: [(command: [String], signal: Int32, code: Int32)] = [
        (["start", "a"], SIGTERM, 143), (["start", "a"], SIGINT, 130), (["exec", "a"], SIGTERM, 143),
        (["exec", "a"], SIGKILL, -1),
    ]

    @Test("that is being filled leaves nothing when it is interrupted", arguments: interrupted)
    func fillingInterrupted(command: [String], signal: Int32, code: Int32) async throws {
        try await withSandboxFolder { sandbox in
            let port = try LoopbackPort.free()
            let program = command[0] == "exec" ? ["--", "echo", "ran"] : []
            let demo = ["--port", "\(port)", "--demo", "users=10,sessions=100000,messages=50000000"]
            let ended = try await Tool.run(
                ["sandbox"] + command + demo + program, environment: sandbox.environment, sending: signal
            ) { _ in
                try await waitUntil("it is being filled", within: .seconds(60)) {
                    !FaultSandbox.seeders(port).isEmpty
                }
            }
            #expect(ended.wasSent && ended.result.exitCode == (code < 0 ? nil : code), "\(ended.result)")
            #expect(!ended.result.output.contains("ran"))
            try await waitUntil("the seeding ends", within: .seconds(60)) { FaultSandbox.seeders(port).isEmpty }
            if signal == SIGKILL { try await sandbox.expect(0, "list") }
            #expect(sandbox.servers.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: sandbox.folder + "/a/data"))
            #expect(!FileManager.default.fileExists(atPath: sandbox.folder + "/a/sandbox.json"))
        }
    }
}
