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

    /// A server that has just begun reads the configuration of its set by and by.
    private static let reading = Duration.seconds(10)

    /// Makes the servers a set where they are none, and has a set that was elsewhere go on here; waits for its primary.
    ///
    /// - Throws: ``SandboxError``, `MongoError`.
    func begin() async throws {
        guard let first = ports.first else { return }
        let server = SandboxClient(port: first)
        let deadline = ContinuousClock.now + Self.reading
        while true {
            do {
                try await configure(server)
                break
            } catch let error as MongoError {
                guard ContinuousClock.now < deadline else { throw error }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        try await wait()
    }

    private func configure(_ server: SandboxClient) async throws {
        let known: BSONDocument?
        do {
            known = try await server.run(["replSetGetConfig": 1])["config"]?.document
        } catch let error as MongoError where error.code == Self.notInitialized {
            known = nil
        }
        guard let known else {
            _ = try await server.run([
                "replSetInitiate": [
                    "_id": .string(name), "members": .array(members(after: [:])),
                    // By itself a set takes ten seconds to notice that its primary is gone.
                    "settings": ["electionTimeoutMillis": 1_000, "heartbeatIntervalMillis": 250],
                ]
            ])
            return
        }
        let hosts = Dictionary(
            (known["members"]?.array?.values ?? []).compactMap { member in
                (member.document?["host"]?.string).map { ($0, Int(member.document?["_id"]?.integer ?? 0)) }
            }, uniquingKeysWith: { first, _ in first })
        guard Set(hosts.keys) != Set(ports.map(Self.host)) else { return }
        // None of them is a primary, for none finds itself in the configuration; so it is forced on one, and the others take it
        // over (https://www.mongodb.com/docs/manual/reference/command/replSetReconfig).
        let version = (known["version"]?.integer ?? 0) + 1
        let new = known.replacing("members", with: .array(members(after: hosts)))
            .replacing("version", with: .int32(Int32(clamping: version)))
        _ = try await server.run(["replSetReconfig": .document(new), "force": true])
    }

    /// The server's code for a set that isn't initialized, or whose configuration it hasn't read yet.
    private static let notInitialized: Int32 = 94

    private static func host(_ port: Int) -> String { "127.0.0.1:\(port)" }

    /// The members of the set: one that it has had keeps its number, and no other gets that.
    private func members(after known: [String: Int]) -> BSONArray {
        var next = (known.values.max() ?? -1) + 1
        // The most that the server takes.
        if next + ports.count > 256 { next = 0 }
        return BSONArray(
            ports.map { port in
                let host = Self.host(port)
                let number = known[host] ?? next
                if known[host] == nil { next += 1 }
                return .document(["_id": .int32(Int32(clamping: number)), "host": .string(host)])
            })
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
