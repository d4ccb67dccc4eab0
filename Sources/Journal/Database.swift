public import BSON
package import MongoDriver

/// One database, seen through one connection.
public struct Database: Sendable {
    /// The connection.
    package let client: MongoClient
    /// The database's name.
    public let name: String
    /// What answers at the other end.
    package let server: ServerDescription
    /// Which members of a replica set may answer reads that change nothing; nil means the primary.
    package let readPreference: ReadPreference?
    /// Where looking shows how far it is, which no run shows.
    package var progress: ProgressReport = { _ in }
    /// What is known of its collections and indexes, by all that work on it.
    let catalog: CatalogSnapshot

    /// Names a database.
    package init(
        client: MongoClient, name: String, server: ServerDescription, readPreference: ReadPreference? = nil
    ) {
        self.init(
            client: client, name: name, server: server, readPreference: readPreference, catalog: CatalogSnapshot())
    }

    init(
        client: MongoClient, name: String, server: ServerDescription, readPreference: ReadPreference?,
        catalog: CatalogSnapshot
    ) {
        self.catalog = catalog
        self.client = client
        self.name = name
        self.server = server
        self.readPreference = readPreference
    }

    /// Names a database of the server at the other end of a connection, if that is new enough.
    ///
    /// - Throws: ``EngineError/unsupportedServer(version:)``, `MongoError`.
    package static func open(
        _ client: MongoClient, name: String, readPreference: ReadPreference? = nil
    ) async throws -> Database {
        let server = try await client.describeServer()
        guard server.wireVersion >= ServerDescription.minimumWireVersion else {
            throw EngineError.unsupportedServer(version: server.version)
        }
        return Database(client: client, name: name, server: server, readPreference: readPreference)
    }

    /// Whether it is on this machine: the hosts that were named, and the replica set's members as they name themselves.
    package var isLocal: Bool {
        client.connectionString.isLoopback && server.members.allSatisfy(ConnectionString.isLoopback)
    }

    /// The same, asking the primary alone: for reads that must be as new as something that was told before.
    package var onPrimary: Database {
        var database = Database(client: client, name: name, server: server, readPreference: nil, catalog: catalog)
        database.progress = progress
        return database
    }

    /// The full name of one of its collections.
    package func namespace(_ collection: String) -> Namespace { Namespace(name, collection) }

    /// Runs reads that all see the data at one moment which a majority of the members has, where the server can do that: a
    /// replica set of MongoDB 5.0 or newer, on a secondary too. Elsewhere each read sees its own moment.
    ///
    /// - Parameter body: The reads, and nothing else: they are repeated when the server can't show that moment, because a
    ///   collection or an index has just been made, or because it lies too far back.
    package func atOneMoment<R: Sendable>(_ body: (ClientSession?) async throws -> R) async throws -> R {
        guard server.topology == .replicaSet, server.wireVersion >= Self.wireVersionOf5 else {
            return try await body(nil)
        }
        var attempt = 1
        while true {
            do {
                return try await client.withSnapshot(body)
            } catch let error as MongoError
                where MongoError.ServerCode.snapshotErrors.contains(error.code) && attempt < Self.snapshotAttempts
            {
                try await Task.sleep(for: .milliseconds(100 * attempt))
                attempt += 1
            }
        }
    }

    /// A read's options, so that it sees only what a majority of the members has; within a snapshot it does by itself.
    package func committed(_ options: BSONDocument, _ session: ClientSession? = nil) -> BSONDocument {
        guard session == nil, server.topology != .standalone else { return options }
        var options = options
        options.append("readConcern", ["level": "majority"])
        return options
    }

    /// Whether a pipeline may change a document whatever else it holds: before MongoDB 5.0 not where a field's name begins
    /// with a dollar, at any depth, though the pipeline leaves that field alone. Update operators may.
    var canChangeAnythingByPipeline: Bool { server.wireVersion >= Self.wireVersionOf5 }

    /// Whether an update may put a document into another: before MongoDB 5.0 not where a field's name begins with a
    /// dollar, at any depth. An insert may.
    package func canUpdate(toHold document: BSONDocument) -> Bool {
        guard server.wireVersion < Self.wireVersionOf5 else { return true }
        return document.elements.allSatisfy { element in
            let inner = element.value.document.map { [$0] } ?? element.value.array?.values.compactMap(\.document) ?? []
            return !element.key.hasPrefix("$") && inner.allSatisfy(canUpdate)
        }
    }

    private static let snapshotAttempts = 6

    /// The wire version of MongoDB 5.0.
    static let wireVersionOf5: Int64 = 13

    /// Reads every document that matches; for results known to be small.
    ///
    /// - Parameters:
    ///   - collection: The collection.
    ///   - filter: As the `find` command takes it.
    ///   - options: Its other fields, such as `projection`, `sort` and `limit`.
    /// - Throws: `MongoError`.
    public func findAll(
        _ collection: String, filter: BSONDocument, options: BSONDocument = [:]
    ) async throws -> [BSONDocument] {
        try await findAll(collection, filter: filter, options: options, session: nil)
    }

    /// The same within a session.
    package func findAll(
        _ collection: String, filter: BSONDocument, options: BSONDocument = [:], session: ClientSession?
    ) async throws -> [BSONDocument] {
        try await StateCollection.naming(collection) {
            try await client.all(
                client.find(namespace(collection), filter: filter, options: options, session: session))
        }
    }

    /// The number of a collection's documents; 0 where there is no such collection.
    ///
    /// - Throws: `MongoError`.
    public func documentCount(of collection: String) async throws -> Int {
        Int(try await client.run(["count": .string(collection)], on: name, mode: .read)["n"]?.integer ?? 0)
    }

    /// The size of a collection's documents, uncompressed, in bytes; 0 where there is no such collection.
    ///
    /// - Throws: `MongoError`.
    package func dataSize(of collection: String) async throws -> Int64 {
        try await client.run(["collStats": .string(collection)], on: name)["size"]?.integer ?? 0
    }

    /// Counts the references to some documents, in one pass over each referring field.
    ///
    /// - Parameters:
    ///   - ids: The `_id`s that are referred to.
    ///   - referrers: The fields that refer; those of other collections than the given type are passed over.
    ///   - type: `collection`, `timeseries` or `view`.
    ///   - present: The database's collections.
    /// - Returns: The number of references to each `_id`; those without any are absent.
    package func countReferences(
        to ids: some Collection<BSONValue>, from referrers: some Sequence<Referrer>, ofType type: String = "collection",
        in present: [String: CollectionDescription]
    ) async throws -> [BSONValue: Int] {
        guard !ids.isEmpty else { return [:] }
        var counts: [BSONValue: Int] = [:]
        for referrer in referrers where present[referrer.collection]?.type == type {
            let groups = try await aggregateAll(
                referrer.collection,
                [
                    ["$match": .document([referrer.field: ["$in": .array(BSONArray(ids))]])],
                    ["$group": ["_id": .string("$" + referrer.field), "n": ["$sum": 1]]],
                ])
            for group in groups { counts[group["_id"] ?? .null, default: 0] += Int(group["n"]?.integer ?? 0) }
        }
        return counts
    }

    /// Reads an aggregation's results; for results known to be small.
    ///
    /// - Parameters:
    ///   - collection: The collection.
    ///   - pipeline: The pipeline's stages; one that writes isn't journalled, and so isn't for a step.
    ///   - options: Other fields of the `aggregate` command.
    /// - Throws: `MongoError`.
    public func aggregateAll(
        _ collection: String, _ pipeline: [BSONDocument], options: BSONDocument = ["allowDiskUse": true]
    ) async throws -> [BSONDocument] {
        try await aggregateAll(collection, pipeline, options: options, session: nil)
    }

    /// The same within a session.
    package func aggregateAll(
        _ collection: String, _ pipeline: [BSONDocument], options: BSONDocument = ["allowDiskUse": true],
        session: ClientSession?
    ) async throws -> [BSONDocument] {
        try await StateCollection.naming(collection) {
            try await client.all(
                client.aggregate(
                    namespace(collection), pipeline: pipeline, options: options, readPreference: readPreference,
                    session: session))
        }
    }
}
