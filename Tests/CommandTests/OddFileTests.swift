import Foundation
import TestSupport
import Testing

/// What people name instead of an ordinary file, by mistake or with reason; in a shell that may have little memory.
@Suite("Files that are no ordinary files")
struct OddFileTests {
    /// Makes the odd ones in the working directory.
    private static let preparation = """
        ulimit -v 3000000
        truncate -s 8G huge; mkfifo fifo; mkdir folder
        printf '\\377\\376M\\0O\\0' >wide
        python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
        """

    /// Runs a line of a shell, in which `$tool` is the tool; on a thread of its own, for it waits.
    private func shell(
        _ line: String, _ variables: [String: String] = [:]
    ) async throws -> (code: Int32, errors: String) {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try Self.runShell(line, variables) }) }
        }
    }

    private static func runShell(_ line: String, _ variables: [String: String]) throws -> (code: Int32, errors: String)
    {
        let folder = FileManager.default.temporaryDirectory.appending(path: "chat-admin-odd-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", preparation + "\n" + line]
        process.currentDirectoryURL = folder
        process.environment = variables.merging(["tool": try ToolProgram.path(), "PATH": "/usr/bin:/bin"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    @Test("and nothing is left in shared memory by a command that doesn't look for a server")
    func sharedMemory() async throws {
        for arguments in ["--version", "--help", "check --bogus", "migrate create x --steps ."] {
            let result = try await shell("$tool \(arguments) & p=$!; wait $p; ! test -e /dev/shm/mongoc-$p")
            #expect(result.code == 0, "\(arguments): \(result.errors)")
        }
    }

    @Test("and shared memory that can't be had is nobody's business")
    func noSharedMemory() async throws {
        // As a process of the same number leaves it, that was killed before its first line.
        let stale = "touch /dev/shm/mongoc-$BASHPID; exec $tool --version"
        let result = try await shell("(\(stale)) & p=$!; wait $p || exit 1; ! test -e /dev/shm/mongoc-$p")
        #expect(result.code == 0)
        #expect(result.errors == "")
    }

    static let odd = [
        ("huge", "holds more than"), ("/dev/zero", "holds more than"), ("folder", "a folder"), ("socket", "a socket"),
        ("wide", "UTF-16"), ("none", "No such file"),
    ]

    @Test("are refused with the reason, whatever they are named for", arguments: odd)
    func refused(file: String, words: String) async throws {
        let server = try await TestServer.shared(.standalone)
        let uri = "mongodb://127.0.0.1:\(server.port)"
        for (line, codes) in [
            ("$tool check --env-file \(file)", [78]),
            ("$tool check --uri mongodb://u@h --password-file \(file)", [74, 78]),
            ("ln -s \(file) chat-admin.yaml; $tool check", [78]),
            ("ln -s \(file) .env; $tool check", [78]),
            ("$tool check --uri 'mongodb://127.0.0.1:9/?tls=true&tlsCAFile=\(file)'", [78]),
            ("$tool seed --uri \(uri) --database nowhere --from \(file)", [65, 74]),
        ] {
            // A link that leads nowhere is no file at all.
            if file == "none" && line.hasPrefix("ln ") { continue }
            let start = ContinuousClock.now
            let result = try await shell(line)
            // A certificate's file is read again for each connection, so that no pipe and no device will do.
            let isNamed = result.errors.contains(words) || result.errors.contains("no ordinary file")
            #expect(codes.contains(Int(result.code)) && isNamed, "\(line): \(result)")
            #expect(ContinuousClock.now - start < .seconds(20), "\(line)")
        }
    }

    @Test("pipes bring a password and users, and one that nobody writes to ends with the time")
    func pipes() async throws {
        let server = try await TestServer.shared(.authenticated)
        let credentials = try #require(server.credentials)
        let variables = ["password": credentials.password]
        let check = "$tool check --uri mongodb://\(credentials.user)@127.0.0.1:\(server.port)/nowhere?authSource=admin"
        for line in [
            "\(check) --password-file <(printf '%s\\r\\n' \"$password\")",
            "printf '\\357\\273\\277%s\\nmore' \"$password\" | \(check) --password-file /dev/stdin",
            "printf '%s' \"$password\" | \(check) --password-file -",
            "(sleep 1; printf '%s\\n' \"$password\" >fifo) & \(check) --password-file fifo",
            // A writer that stays open, as one does that serves a secret.
            "(printf '%s\\n' \"$password\"; sleep 3) | \(check) --password-file -",
        ] {
            let result = try await shell(line, variables)
            #expect(result.code == 78 && result.errors.contains("There is no database `nowhere`"), "\(line): \(result)")
        }
        let silent = try await shell("\(check) --password-file fifo --max-time 1", variables)
        #expect(silent.code == 5, "\(silent)")
        let empty = try await shell("\(check) --password-file <(true)", variables)
        #expect(empty.code == 78 && empty.errors.contains("empty first line"), "\(empty)")
        try await withDatabase { database in
            let users = #"{"users": [{"username": "bob", "email": "bob@example.com", "password": "bobpass123"}]}"#
            let seeded = try await shell(
                "$tool seed --uri '\(database.uri)' --database \(database.name) --from <(printf '%s' \"$users\")",
                ["users": users])
            #expect(seeded.code == 0, "\(seeded)")
            #expect(try await database.count("users") == 1)
        }
    }
}
