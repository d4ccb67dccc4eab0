package import BSON

/// What kind of deployment answers, as its `hello` says.
package enum Topology: String, Sendable, Codable {
    /// One server without a replica set: no transactions.
    case standalone
    /// A replica set.
    case replicaSet
    /// A sharded cluster, seen through `mongos`.
    case sharded

    /// What a server of it is, in words.
    package var words: String {
        switch self {
        case .standalone: "a standalone server"
        case .replicaSet: "a member of a replica set"
        case .sharded: "a sharded cluster"
        }
    }
}

/// The server that this client reached.
package struct ServerDescription: Sendable {
    /// The server's version, such as `7.0.14`.
    package let version: String
    /// Its deployment.
    package let topology: Topology
    /// The oldest server with the expressions this project needs, in wire protocol versions: MongoDB 4.4.
    package static let minimumWireVersion: Int64 = 9
    /// The newest wire protocol version that the server speaks.
    package let wireVersion: Int64
    /// The members of its replica set, as they name themselves.
    package let members: [String]

    /// Whether it is a standalone server that a crash leaves with a beginning of what it had acknowledged
    /// (``WriteConcern/inOrder``).
    ///
    /// WiredTiger's log is written in the order of the commits, and recovery ends at the first record that isn't whole. Before
    /// WT-9251 (4.4.20, 5.0.10, 6.0.0) a checkpoint could hold a write without the log's records of those before it.
    package let keepsOrder: Bool

    /// Whether what it loses of the writes that were acknowledged on one connection is always the end of them: a standalone
    /// server that keeps their order, or a replica set, whose rollbacks cut off the end of a primary's oplog.
    package var losesOnlyEnd: Bool { keepsOrder || topology == .replicaSet }

    /// Whether several documents can be changed in one transaction.
    package var hasTransactions: Bool { topology != .standalone }
}

extension MongoClient {
    /// How long a server that is stepping down, starting or recovering is waited for at the first contact: most elections
    /// and starts are over by then.
    private static let patience = Duration.seconds(10)
    private static let pause = Duration.milliseconds(200)

    /// Asks the server what it is. Also the first real contact: an unreachable server or a wrong password shows here.
    ///
    /// A server that is neither primary nor secondary at the moment is asked again for a few seconds.
    ///
    /// - Throws: ``MongoError``; of kind `unreachable`, with what is wrong with TLS where that is the cause, when no server
    ///   answers that can be worked with.
    package nonisolated func describeServer() async throws -> ServerDescription {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            do throws(MongoError) {
                return try await describe()
            } catch {
                if error.kind == .unreachable || error.kind == .network {
                    guard let cause = await tlsFinding() else { throw error }
                    throw MongoError(.unreachable, cause)
                }
                guard error.kind == .server, error.isRetryableRead else { throw error }
                guard ContinuousClock.now < deadline else {
                    throw MongoError(.unreachable, error.message, code: error.code)
                }
            }
            try await Task.sleep(for: Self.pause)
        }
    }

    private func describe() throws(MongoError) -> ServerDescription {
        let hello = try send(["hello": 1], on: "admin", mode: .plain, readPreference: nil, [:])
        let topology: Topology =
            if hello["setName"]?.string != nil || hello["isreplicaset"]?.bool == true {
                .replicaSet
            } else if hello["msg"]?.string == "isdbgrid" {
                .sharded
            } else {
                .standalone
            }
        let isPrimary = Self.isPrimary(hello)
        guard topology != .replicaSet || isPrimary || hello["secondary"]?.bool == true else {
            let words =
                hello["arbiterOnly"]?.bool == true
                ? "The server is an arbiter, which holds no data. Name another member of its replica set."
                : "The server is a member of a replica set, but neither primary nor secondary."
            throw MongoError(
                .server, words,
                code: MongoError.ServerCode.notPrimaryOrSecondary)
        }
        let build = try send(["buildInfo": 1], on: "admin", mode: .plain, readPreference: nil, [:])
        pool.isStandalone = topology == .standalone
        return ServerDescription(
            version: build["version"]?.string ?? "unknown", topology: topology,
            wireVersion: hello["maxWireVersion"]?.integer ?? 0,
            members: Self.members(hello), keepsOrder: topology == .standalone && Self.keepsOrder(build))
    }

    /// Whether a server that says this of itself has WT-9251.
    private nonisolated static func keepsOrder(_ build: BSONDocument) -> Bool {
        let engines = build["storageEngines"]?.array?.values ?? []
        guard engines.contains("wiredTiger"),
            let version = build["versionArray"]?.array?.values.compactMap(\.integer), version.count >= 3
        else { return false }
        return switch (version[0], version[1]) {
        case (4, 4): version[2] >= 20
        case (5, 0): version[2] >= 10
        case (let major, _): major >= 6
        }
    }

    /// Whether `hello` is a primary's; servers before 5.0 have another word for it.
    package nonisolated static func isPrimary(_ hello: BSONDocument) -> Bool {
        (hello["isWritablePrimary"] ?? hello["ismaster"])?.bool == true
    }

    /// The members of a replica set, as `hello` tells them: also those that can't become primary, and arbiters.
    nonisolated static func members(_ hello: BSONDocument) -> [String] {
        ["hosts", "passives", "arbiters"].flatMap { hello[$0]?.array?.compactMap(\.string) ?? [] }
    }
}
