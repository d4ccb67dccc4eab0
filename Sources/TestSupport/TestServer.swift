internal import BSON
internal import Foundation
internal import Glibc
internal import Logging
package import MongoDriver

/// A real `mongod` on a free port of 127.0.0.1, with a database folder of its own, both gone when the test process ends,
/// however it ends.
///
/// Fail points work in it (`enableTestCommands`). Tests share one server per kind through ``shared(_:)``, each in a
/// database of its own (``withDatabase(on:_:)``); a test that stops the server, or looks at the whole of it, starts one
/// with ``start(_:extraArguments:)``.
package final class TestServer: Sendable {
    let model: Model
    /// What it was started as.
    package var kind: Kind { model.kind }
    /// Its address, always loopback.
    package let host = "127.0.0.1"
    /// Its port.
    package let port: Int
    /// The user that may do everything; nil where no user is needed.
    package let credentials: Credentials?
    /// Connections as that user, for what tests themselves do. Fail points that name a database's own
    /// ``TestDatabase/appName`` don't touch them.
    package let admin: MongoPool
    let failPointTurn = Turn()
    private let process: SupervisedProcess

    /// The ports of all members of a replica set; of anything else the one port.
    private let ports: [Int]

    /// What connection strings say besides, such as how to use TLS.
    let options: [String]

    /// - Parameters:
    ///   - ports: The ports of a replica set's members; nil where there is one.
    ///   - credentials: The user who may do everything; nil means what the kind has.
    ///   - options: What connection strings say besides.
    init(
        model: Model, port: Int, process: SupervisedProcess, ports: [Int]? = nil, credentials: Credentials? = nil,
        options: [String] = []
    ) throws {
        self.model = model
        self.port = port
        self.ports = ports ?? [port]
        self.process = process
        self.options = options
        let root = model.kind == .authenticated ? Self.root : credentials
        self.credentials = root
        let uri = Self.uri(kind: model.kind, ports: self.ports, credentials: root, options)
        admin = try Self.makePool(uri, appName: "tests")
    }

    /// Its process.
    package var pid: Int32 { process.pid }

    /// Whether its process still runs.
    package var isRunning: Bool { process.isRunning }

    /// The connection string of a user who may do everything.
    package var uri: String { Self.uri(kind: kind, ports: ports, credentials: credentials, options) }

    /// The connection string of another user, known to `admin`.
    package func uri(user: String, password: String) -> String {
        Self.uri(kind: kind, ports: ports, credentials: Credentials(user: user, password: password), options)
    }

    /// The connection string of nobody.
    package var uriWithoutCredentials: String { Self.uri(kind: kind, ports: ports, credentials: nil, options) }

    /// The server shared by all tests of this process, started when it is asked for first.
    package static func shared(_ kind: Kind, version: ServerVersion = .standard) async throws -> TestServer {
        try await SharedServers.all.server(Model(kind: kind, version: version))
    }

    /// Makes connections as the user who may do everything.
    package func makePool(appName: String) throws -> MongoPool { try Self.makePool(uri, appName: appName) }

    /// Ends the server as an administrator would, and removes its folder.
    package func stop() async throws {
        KeptPools.keep(admin)
        process.send(SIGTERM)
        try await waitUntil("the end of mongod \(pid)") { !process.isRunning }
        try await process.end()
    }

    /// Kills the server as a power cut would, and removes its folder.
    package func kill() async throws {
        KeptPools.keep(admin)
        try await process.end()
    }

    /// Sends the server's process a signal: `SIGSTOP` makes it hang, `SIGCONT` lets it go on.
    package func send(signal: Int32) { process.send(signal) }

    /// The last lines of the server's log, for an error.
    func logTail() -> String {
        let log = (try? String(contentsOfFile: process.folder + "/mongod.log", encoding: .utf8)) ?? ""
        return log.split(separator: "\n").suffix(5).joined(separator: "\n")
    }

    static func makePool(_ uri: String, appName: String) throws -> MongoPool {
        var options = MongoPool.Options()
        options.appName = appName
        let logger = Logger(label: "tests") { _ in SilentLog() }
        return try MongoPool(ConnectionString(uri), options: options, logger: logger)
    }

    private static func uri(kind: Kind, ports: [Int], credentials: Credentials?, _ further: [String]) -> String {
        var options = further
        if kind == .replicaSet { options.append("replicaSet=\(replicaSetName)") }
        var user = ""
        if let credentials {
            user = "\(PercentEncoding.encode(credentials.user)):\(PercentEncoding.encode(credentials.password))@"
            options.append("authSource=admin")
        }
        let query = options.isEmpty ? "" : "?" + options.joined(separator: "&")
        let hosts = ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
        return "mongodb://\(user)\(hosts)/\(query)"
    }
}
