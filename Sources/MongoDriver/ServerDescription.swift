internal import BSON

/// What kind of deployment answers, as its `hello` says.
public enum Topology: String, Sendable, Codable {
    /// One server without a replica set: no transactions.
    case standalone
    /// A replica set.
    case replicaSet
    /// A sharded cluster, seen through `mongos`.
    case sharded
}

/// The server that this client reached.
public struct ServerDescription: Sendable {
    /// The server's version, such as `7.0.14`.
    public let version: String
    /// Its deployment.
    public let topology: Topology
    /// The oldest server with the expressions this project needs, in wire protocol versions: MongoDB 4.4.
    public static let minimumWireVersion: Int64 = 9
    /// The newest wire protocol version that the server speaks.
    public let wireVersion: Int64
    /// The members of its replica set, as they name themselves.
    public let members: [String]

    /// Whether several documents can be changed in one transaction.
    public var hasTransactions: Bool { topology != .standalone }
}

extension MongoClient {
    /// Asks the server what it is. Also the first real contact: an unreachable server or a wrong password shows here.
    ///
    /// - Throws: ``MongoError``.
    public func describeServer() throws -> ServerDescription {
        let hello = try run(["hello": 1], on: "admin")
        let build = try run(["buildInfo": 1], on: "admin")
        let topology: Topology =
            if hello["setName"]?.string != nil {
                .replicaSet
            } else if hello["msg"]?.string == "isdbgrid" {
                .sharded
            } else {
                .standalone
            }
        return ServerDescription(
            version: build["version"]?.string ?? "unknown", topology: topology,
            wireVersion: hello["maxWireVersion"]?.integer ?? 0,
            members: hello["hosts"]?.array?.compactMap(\.string) ?? [])
    }
}
