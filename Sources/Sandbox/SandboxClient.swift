internal import BSON
internal import Logging
internal import MongoDriver

/// Asks one server of a sandbox.
struct SandboxClient: Sendable {
    let port: Int

    /// Whether the server answers, and is that process: somebody else may have taken the port.
    func isReady(process: Int32) async -> Bool {
        let question: BSONDocument = [
            "serverStatus": 1, "repl": 0, "metrics": 0, "locks": 0, "wiredTiger": 0, "tcmalloc": 0,
        ]
        guard let reply = try? await run(question, waiting: 200) else { return false }
        return reply["pid"]?.integer == Int64(process)
    }

    /// Sends a command to the server's database `admin`.
    ///
    /// - Parameter milliseconds: How long to wait for a server that doesn't listen yet.
    /// - Throws: `MongoError`.
    func run(_ command: BSONDocument, waiting milliseconds: Int32 = 5_000) async throws -> BSONDocument {
        let address = try ConnectionString("mongodb://127.0.0.1:\(port)/?directConnection=true")
        var options = MongoPool.Options()
        options.serverSelectionTimeoutMS = milliseconds
        let pool = try MongoPool(
            address, options: options, logger: Logger(label: "sandbox") { _ in SwiftLogNoOpLogHandler() })
        // Taking it apart waits for its threads.
        pool.keepUntilExit()
        return try await pool.withClient { try await $0.run(command, on: "admin") }
    }
}

/// Makes the servers of a sandbox one replica set.
struct ReplicaSetStart {
    private let ports: [Int]
    private let name: String

    init(_ record: SandboxRecord) { (ports, name) = (record.members.map(\.port), record.replicaSet ?? "") }

    /// How long a set may take to elect its primary.
    private static let patience = Duration.seconds(60)

    /// - Throws: ``SandboxError``, `MongoError`.
    func initiate() async throws {
        guard let first = ports.first else { return }
        let members = ports.enumerated().map { index, port -> BSONValue in
            .document(["_id": .int32(Int32(index)), "host": .string("127.0.0.1:\(port)")])
        }
        _ = try await SandboxClient(port: first).run(
            [
                "replSetInitiate": [
                    "_id": .string(name), "members": .array(BSONArray(members)),
                    // By itself a set takes ten seconds to notice that its primary is gone.
                    "settings": ["electionTimeoutMillis": 1_000, "heartbeatIntervalMillis": 250],
                ]
            ])
        try await wait()
    }

    /// Waits until there is a primary, and all others follow it.
    ///
    /// - Throws: ``SandboxError``.
    func wait() async throws {
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline {
            if try await isComplete() { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw SandboxError(
            .unreachable, "The replica set had no primary within \(Self.patience.components.seconds) s.")
    }

    private func isComplete() async throws -> Bool {
        var primaries = 0
        for port in ports {
            guard let hello = try? await SandboxClient(port: port).run(["isMaster": 1]) else { return false }
            let isPrimary = hello["ismaster"]?.bool ?? false
            guard isPrimary || hello["secondary"]?.bool ?? false else { return false }
            if isPrimary { primaries += 1 }
        }
        return primaries == 1
    }

    /// The port of the primary.
    ///
    /// - Throws: ``SandboxError``.
    func primary() async throws -> Int {
        for port in ports where try await SandboxClient(port: port).run(["isMaster": 1])["ismaster"]?.bool ?? false {
            return port
        }
        throw SandboxError(.unreachable, "The sandbox has no primary just now; try again in a moment.")
    }
}
