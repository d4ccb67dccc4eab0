import BSON
import Foundation
import Logging
import MongoDriver
import Synchronization
import TestSupport
import Testing

/// What goes wrong beside a sandbox, and at the worst moment.
@Suite("A sandbox")
struct SandboxFaultTests {
    @Test("copied while the server writes holds one moment, and nothing that was acknowledged before it is missing")
    func snapshotOfWrites() async throws {
        try await withSandbox { sandbox in
            let written = Numbers()
            let writer = Task {
                try await sandbox.withClient { client in
                    while !Task.isCancelled {
                        let number = written.next
                        try await client.bulkWrite(
                            Namespace("chat", "numbers"), [.insert(["_id": .int64(number)])])
                        written.done(number)
                    }
                }
            }
            try await waitUntil("something is written", within: .seconds(60)) { written.last > 100 }
            let before = written.last
            try await sandbox.expect(0, "snapshot", "a", "s")
            let after = written.last
            writer.cancel()
            _ = await writer.result
            try await sandbox.expect(0, "restore", "a", "s")
            let found = try await sandbox.withClient { client in
                try await client.all(
                    client.find(Namespace("chat", "numbers"), filter: [:], options: ["sort": ["_id": 1]]))
            }.compactMap { $0["_id"]?.integer }
            // All of them from the first to some moment of the copy.
            #expect(found == Array(1...Int64(found.count)))
            #expect(Int64(found.count) >= before && Int64(found.count) <= after + 1)
        }
    }

    @Test("lets writers go on again when a copy is killed while they wait")
    func snapshotKilled() async throws {
        try await withSandbox { sandbox in
            let mark = sandbox.folder + "/a/write-locked"
            let ended = try await Tool.run(
                ["sandbox", "snapshot", "a", "s"], environment: sandbox.environment, sending: SIGKILL
            ) { _ in
                try await waitUntil("the copy begins", within: .seconds(60), every: .zero) {
                    FileManager.default.fileExists(atPath: mark)
                }
            }
            // It may have been fast: then nothing is to be undone.
            _ = ended
            try await sandbox.expect(0, "list")
            #expect(!FileManager.default.fileExists(atPath: mark))
            _ = try await sandbox.withClient { client in
                try await client.bulkWrite(Namespace("chat", "numbers"), [.insert(["_id": 1])])
            }
            try await sandbox.expect(0, "snapshot", "a", "s", "--replace")
        }
    }

    @Test("whose start is killed leaves nothing that the next command doesn't end")
    func startKilled() async throws {
        try await withSandboxFolder { sandbox in
            let ended = try await Tool.run(
                ["sandbox", "start", "a", "--replica-set", "--members", "3"], environment: sandbox.environment,
                sending: SIGKILL
            ) { _ in
                try await waitUntil("two servers run", within: .seconds(60), every: .zero) {
                    sandbox.servers.count > 1
                }
            }
            #expect(ended.wasSent)
            #expect(!sandbox.servers.isEmpty)
            try await sandbox.expect(0, "list")
            #expect(sandbox.servers.isEmpty)
            try await sandbox.expect(0, "start", "a")
        }
    }

    @Test("that is interrupted while it starts ends its servers")
    func startInterrupted() async throws {
        try await withSandboxFolder { sandbox in
            let ended = try await Tool.run(
                ["sandbox", "start", "a"], environment: sandbox.environment, sending: SIGINT
            ) { _ in
                try await waitUntil("the server runs", within: .seconds(60), every: .zero) { !sandbox.servers.isEmpty }
            }
            #expect(ended.result.exitCode == 130, "\(ended.result)")
            #expect(sandbox.servers.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: sandbox.folder + "/a/data"))
        }
    }

    @Test("says so when the disk is full, and runs nothing then")
    func fullDisk() async throws {
        let script = """
            mkdir "$1/disk"; mount -t tmpfs -o size=64k none "$1/disk"
            env CHAT_ADMIN_SANDBOXES="$1/disk" CHAT_ADMIN_MONGOD="$2" "$3" sandbox start a 2>&1 && exit 90
            echo "code $?"; pgrep -f -- "--dbpath $1/disk" >/dev/null && exit 91; exit 0
            """
        try await withSandboxFolder { sandbox in
            let ended = try await OtherProgram.run(
                "/usr/bin/env",
                [
                    "unshare", "-rm", "sh", "-uc", script, "sh", sandbox.folder, MongodProgram.path(),
                    ToolProgram.path(),
                ])
            #expect(ended.code == 0, "\(ended)")
            #expect(ended.output.contains("code 74"), "\(ended)")
            #expect(ended.output.contains("/disk/a is full"), "\(ended)")
        }
    }
}

/// Numbers in order, and how far they were acknowledged.
private final class Numbers: Sendable {
    private let state = Mutex<(taken: Int64, done: Int64)>((0, 0))

    var next: Int64 {
        state.withLock { state in
            state.taken += 1
            return state.taken
        }
    }

    var last: Int64 { state.withLock { $0.done } }

    func done(_ number: Int64) { state.withLock { $0.done = number } }
}
