internal import BSON
internal import MongoDriver

/// A complete picture of what a server holds, for tests that something was left exactly as it was.
///
/// It holds every database but `local` and `config`, which the server itself writes, and of `admin` its users and roles:
/// each collection with its type, options, UUID and indexes, and a hash of each document's bytes. Two pictures are
/// equal when nothing differs, whatever order documents lie in; with ``Detail/naturalOrder`` that counts too, so that
/// even a document deleted and put back shows.
package struct ServerImage: Sendable, Equatable {
    /// How closely to look.
    package enum Detail: Sendable {
        /// What is there.
        case contents
        /// What is there, and in which order it lies.
        case naturalOrder
    }

    /// Each collection's picture, by `database.collection`.
    package private(set) var collections: [String: CollectionImage] = [:]

    /// Takes the picture.
    ///
    /// - Parameters:
    ///   - server: The server, whose contents should be at rest.
    ///   - detail: How closely to look.
    ///   - isIncluded: Which databases to look at: on a shared server, only one's own.
    package init(
        of server: TestServer, _ detail: Detail = .contents, where isIncluded: (String) -> Bool = { _ in true }
    ) async throws {
        let list = try await server.admin.withClient { try await $0.run(["listDatabases": 1], on: "admin") }
        let names = (list["databases"]?.array?.values ?? []).compactMap { $0.document?["name"]?.string }
        for name in names where !["local", "config"].contains(name) && isIncluded(name) {
            try await add(name, of: server, detail)
        }
    }

    /// Takes the picture of one database.
    package init(of database: TestDatabase, _ detail: Detail = .contents) async throws {
        try await add(database.name, of: database.server, detail)
    }

    private mutating func add(_ database: String, of server: TestServer, _ detail: Detail) async throws {
        let pictures = try await server.admin.withClient { client in
            var pictures: [String: CollectionImage] = [:]
            for description in try await Self.descriptions(of: database, client) {
                let name = description["name"]?.string ?? ""
                guard database != "admin" || ["system.users", "system.roles"].contains(name) else { continue }
                pictures["\(database).\(name)"] = try await CollectionImage(
                    of: Namespace(database, name), description: description, detail, client)
            }
            return pictures
        }
        collections.merge(pictures) { $1 }
    }

    private static func descriptions(of database: String, _ client: MongoClient) async throws -> [BSONDocument] {
        // More than any test has, so that one batch holds them all.
        let command: BSONDocument = ["listCollections": 1, "cursor": ["batchSize": 10_000]]
        let cursor = try await client.run(command, on: database)["cursor"]?.document
        guard let cursor, cursor["id"]?.integer == 0 else {
            throw TestSupportError("\(database) has too many collections for a picture")
        }
        return (cursor["firstBatch"]?.array?.values ?? []).compactMap(\.document)
    }

    /// What another picture, taken later, shows otherwise; empty when they are equal.
    package func differences(to later: ServerImage) -> [String] {
        Set(collections.keys).union(later.collections.keys).sorted().flatMap { name -> [String] in
            switch (collections[name], later.collections[name]) {
            case (let before?, let after?): before.differences(to: after).map { "\(name): \($0)" }
            case (nil, _): ["\(name): created"]
            case (_, nil): ["\(name): gone"]
            }
        }
    }
}
