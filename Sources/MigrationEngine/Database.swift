public import BSON
public import MongoDriver

/// One database, seen through one connection.
public struct Database: Sendable {
    /// The connection.
    public let client: MongoClient
    /// The database's name.
    public let name: String
    /// What answers at the other end.
    public let server: ServerDescription
    /// Which members of a replica set may answer reads that change nothing; nil leaves it to the connection string.
    public let readPreference: ReadPreference?

    /// Names a database.
    public init(
        client: MongoClient, name: String, server: ServerDescription, readPreference: ReadPreference? = nil
    ) {
        self.client = client
        self.name = name
        self.server = server
        self.readPreference = readPreference
    }

    /// Whether it is on this machine: the hosts that were named, and the replica set's members as they name themselves.
    public var isLocal: Bool {
        client.connectionString.isLoopback && server.members.allSatisfy(ConnectionString.isLoopback)
    }

    /// The full name of one of its collections.
    public func namespace(_ collection: String) -> Namespace { Namespace(name, collection) }

    /// Reads every document that matches; for results known to be small.
    public func findAll(
        _ collection: String, filter: BSONDocument, options: BSONDocument = [:], session: ClientSession? = nil
    ) async throws -> [BSONDocument] {
        try await client.all(
            client.find(namespace(collection), filter: filter, options: options, session: session))
    }

    /// Reads an aggregation's results; for results known to be small.
    public func aggregateAll(
        _ collection: String, _ pipeline: [BSONDocument], options: BSONDocument = ["allowDiskUse": true]
    ) async throws -> [BSONDocument] {
        try await client.all(
            client.aggregate(
                namespace(collection), pipeline: pipeline, options: options, readPreference: readPreference))
    }
}
