internal import Foundation
internal import Glibc
internal import MongoDriver
internal import Synchronization

/// A standalone `mongod` that can be killed and comes back on what it kept, at the same port.
///
/// It may lose what it had acknowledged some milliseconds before, as servers do: its journal waits in its own memory. What it has
/// handed to the system outlives it, for the machine goes on.
package final class KillableServer: Sendable {
    /// The server, as tests connect to it; its process only keeps the folder.
    package let server: TestServer
    private let folder: String
    private let direct: MongoPool
    private let process: Mutex<SupervisedProcess?> = Mutex(nil)

    /// Starts one, and runs a closure with it.
    package static func with<R: Sendable>(
        version: ServerVersion = .standard, _ body: (KillableServer) async throws -> R
    ) async throws -> R {
        let killable = try await KillableServer(version)
        do {
            try await killable.start()
            let result = try await body(killable)
            try await killable.end()
            return result
        } catch {
            try await killable.end()
            throw error
        }
    }

    /// The same, with a fresh database.
    package static func withDatabase(_ body: (KillableServer, TestDatabase) async throws -> Void) async throws {
        try await with { killable in try await killable.server.withDatabase { try await body(killable, $0) } }
    }

    private init(_ version: ServerVersion) async throws {
        folder = try TestServer.makeFolder()
        let port = try LoopbackPort.free()
        let keeper = try await SupervisedProcess(["/bin/sleep", "infinity"], folder: folder)
        server = try TestServer(
            model: TestServer.Model(kind: .standalone, version: version), port: port, process: keeper)
        direct = try TestServer.makePool(
            "mongodb://127.0.0.1:\(port)/?serverSelectionTimeoutMS=500&connectTimeoutMS=500", appName: "tests")
    }

    /// Starts it on the data that it has.
    ///
    /// - Parameter more: More arguments for `mongod`.
    package func start(_ more: [String] = []) async throws {
        let started = try await TestServer.start(
            server.model, port: server.port, on: folder + "/data", ["--journalCommitInterval", "500"] + more,
            answering: direct, named: "the server")
        process.withLock { $0 = started }
    }

    /// Kills it; its data stays.
    package func kill() async throws {
        let running = process.withLock { process in
            defer { process = nil }
            return process
        }
        running?.send(SIGKILL)
        try await running?.end()
    }

    /// Starts it as the only member of a replica set.
    package func startAsReplicaSet() async throws {
        try await start(["--replSet", TestServer.replicaSetName])
        try await server.initiate(direct)
    }

    private func end() async throws {
        try await kill()
        KeptPools.keep(direct)
        try await server.kill()
    }
}
