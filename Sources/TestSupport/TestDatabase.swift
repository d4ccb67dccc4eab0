package import BSON
package import MongoDriver

/// A database of one test's own on a ``TestServer``.
package struct TestDatabase: Sendable {
    /// The server it is on.
    package let server: TestServer
    /// Its name, unlike any other's.
    package let name: String
    /// Connections of the name ``appName``.
    package let pool: MongoPool

    /// The name by which the server knows this database's own connections, for fail points that spare all others.
    /// A tool that is to meet them is given ``uri``, which carries it.
    package var appName: String { name }

    /// The connection string of a user who may do everything, with ``appName`` in it.
    package var uri: String { server.uri + (server.uri.contains("?") ? "&" : "?") + "appname=\(appName)" }

    /// The full name of one of its collections.
    package func namespace(_ collection: String) -> Namespace { Namespace(name, collection) }

    /// Lends a client of ``pool``.
    @discardableResult
    package func withClient<R: Sendable>(_ body: (MongoClient) async throws -> R) async throws -> R {
        try await pool.withClient(body)
    }

    /// Runs a command on this database.
    @discardableResult
    package func run(_ command: BSONDocument) async throws -> BSONDocument {
        try await pool.withClient { try await $0.run(command, on: name) }
    }
}

/// Runs a closure with a fresh database, and drops the database afterwards, whatever happens.
///
/// - Parameters:
///   - kind: Which of the shared servers it is to be on.
///   - version: Which MongoDB that is.
///   - body: What to do with it.
@discardableResult
package func withDatabase<R: Sendable>(
    on kind: TestServer.Kind = .standalone, version: ServerVersion = .standard, _ body: (TestDatabase) async throws -> R
) async throws -> R {
    try await TestServer.shared(kind, version: version).withDatabase(body)
}
