internal import FoundationEssentials

/// What is known of a sandbox: `sandbox.json` in its folder.
package struct SandboxRecord: Sendable, Codable, Equatable {
    /// One of its servers.
    package struct Member: Sendable, Codable, Equatable {
        /// The port on loopback.
        package let port: Int
        /// Its process.
        package var process: ProcessIdentity
        /// Where its data are.
        let dataFolder: String
        /// Where its log is.
        package let log: String

        /// Whether its process runs, and is the server of these data.
        package var isAlive: Bool { process.isAlive && process.arguments.contains(dataFolder) }
    }

    /// Its name.
    package let name: String
    /// The server's program and its version.
    package let program: String
    package let version: String
    /// The name of the replica set; nil for a standalone server.
    package let replicaSet: String?
    /// Its servers.
    package internal(set) var members: [Member]
    /// The database that it is for.
    package let database: String
    /// When it was started, in milliseconds since 1970.
    package internal(set) var startedAt: Int64
    /// When it is ended if nobody does before, in milliseconds since 1970; nil for never.
    package internal(set) var expiresAt: Int64?
    /// The folder that its data stay in when it is stopped; nil where they go.
    package let kept: String?
    /// The process whose end is its own; nil where it lives until it is stopped.
    package internal(set) var owner: ProcessIdentity?

    /// What it is in the middle of; nil where it is ready.
    var phase: Phase?
    /// Its servers as they were before it was restored, while it is.
    var formerMembers: [Member]?

    /// What a process that holds the sandbox's lock is doing. Where nobody holds it, that was cut short.
    enum Phase: String, Sendable, Codable {
        /// Its first servers are started, and filled with what was asked for.
        case starting
        /// Its data are replaced by those of a copy; the old ones stand beside them.
        case restoring
    }

    /// Whether it is being started for the first time, or that was cut short.
    package var isStarting: Bool { phase == .starting }

    /// Whether one of its servers runs at least, also while it is being started or restored.
    package var isAlive: Bool { members.contains(where: \.isAlive) }

    /// Whether it is ready, and one of its servers runs at least: of a replica set some may have been ended for a test.
    package var isRunning: Bool { phase == nil && isAlive }

    /// What it is, in words.
    package var kind: String { replicaSet == nil ? "standalone server" : "replica set of \(members.count)" }

    /// The server's program, with the libraries that stand beside it.
    var serverProgram: ServerProgram { ServerProgram(path: program, version: version, libraryPath: nil).completed }

    /// One that is started now as this one was.
    func anew(at now: Int64) -> SandboxRecord {
        var record = self
        record.expiresAt = expiresAt.map { now + $0 - startedAt }
        (record.startedAt, record.owner, record.phase) = (now, nil, nil)
        return record
    }

    /// How clients connect.
    package var uri: String {
        let hosts = members.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        return "mongodb://\(hosts)/\(database)" + (replicaSet.map { "?replicaSet=\($0)" } ?? "?directConnection=true")
    }

    /// What programs find it by: this tool, and those that take the application's variables.
    package var environment: [String: String] {
        [
            "CHAT_ADMIN_URI": uri, "CHAT_ADMIN_DATABASE": database, "MONGODB_URI": uri, "MONGO_HOST": "127.0.0.1",
            "MONGO_PORT": String(members.first?.port ?? 0), "MONGO_DATABASE_NAME": database, "DATABASE_NAME": database,
        ]
    }

    func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return Array(try encoder.encode(self))
    }

    init?(json bytes: [UInt8]) {
        guard let record = try? JSONDecoder().decode(SandboxRecord.self, from: Data(bytes)) else { return nil }
        self = record
    }

    init(
        name: String, program: ServerProgram, replicaSet: String?, members: [Member], database: String,
        startedAt: Int64,
        expiresAt: Int64?, kept: String?, owner: ProcessIdentity?
    ) {
        (self.name, self.program, version) = (name, program.path, program.version)
        (self.replicaSet, self.members, self.database) = (replicaSet, members, database)
        (self.startedAt, self.expiresAt, self.kept, self.owner) = (startedAt, expiresAt, kept, owner)
    }
}
