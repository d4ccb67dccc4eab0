package import BSON
internal import Foundation
internal import MongoDriver

extension TestDatabase {
    /// The collections of the application, and of the incident.
    package static let chatCollections = ["users", "chat_sessions", "messages", "artifacts"]

    /// Puts documents into a collection, byte by byte as they are, and makes sure that the server holds them so.
    ///
    /// - Throws: ``TestSupportError`` when the server changed one: `_id` has to come first, and a timestamp of 0 is
    ///   replaced by the server's own.
    package func load(_ collection: String, _ documents: [BSONDocument]) async throws {
        guard !documents.isEmpty else { return }
        let namespace = namespace(collection)
        let stored = try await server.admin.withClient { client in
            for start in stride(from: 0, to: documents.count, by: 10_000) {
                let chunk = documents[start..<min(start + 10_000, documents.count)]
                // Durable, else a transaction that begins now may look at a moment before them, where another test writes.
                try await client.bulkWrite(namespace, chunk.map { .insert($0) }, concern: .majorityJournaled)
            }
            return try await client.all(client.find(namespace, filter: [:]))
        }
        let missing = Set(documents).subtracting(stored)
        guard missing.isEmpty else {
            throw TestSupportError("\(namespace) doesn't hold \(missing.count) documents as they were given")
        }
    }

    /// Puts a document in Extended JSON into a collection.
    package func insertJSON(_ collection: String, _ documents: String...) async throws {
        try await load(collection, documents.map { try ExtendedJSON.document($0) })
    }

    /// The names of its collections, sorted.
    package func names() async throws -> [String] {
        try await withClient { try await $0.listCollections(name).keys.sorted() }
    }

    /// Updates the documents that match, as an application does.
    package func update(_ collection: String, _ filter: BSONDocument, _ update: BSONDocument) async throws {
        _ = try await run([
            "update": .string(collection),
            "updates": [["q": .document(filter), "u": .document(update), "multi": true]],
        ])
    }

    /// Loads several collections.
    package func load(_ collections: [String: [BSONDocument]]) async throws {
        for (name, documents) in collections.sorted(by: { $0.key < $1.key }) { try await load(name, documents) }
    }

    /// Loads the incident of `fixtures/incident`.
    package func loadIncident() async throws { try await load(Self.incident()) }

    /// The documents of `fixtures/incident`, by collection.
    package static func incident() throws -> [String: [BSONDocument]] { try parsedIncident.get() }

    private static let parsedIncident = Result { try parseIncident() }

    private static func parseIncident() throws -> [String: [BSONDocument]] {
        let folder = try ProjectFiles.path("fixtures/incident")
        var collections: [String: [BSONDocument]] = [:]
        for name in chatCollections {
            let lines = try String(contentsOfFile: "\(folder)/\(name).jsonl", encoding: .utf8).split(separator: "\n")
            collections[name] = try lines.map { try ExtendedJSON.document(String($0)) }
        }
        return collections
    }

    /// All documents of a collection, sorted by `_id` as the server sorts.
    package func all(_ collection: String) async throws -> [BSONDocument] {
        try await find(collection, [:])
    }

    /// The documents of a collection that match, sorted by `_id` as the server sorts.
    package func find(_ collection: String, _ filter: BSONDocument) async throws -> [BSONDocument] {
        let namespace = namespace(collection)
        return try await server.admin.withClient { client in
            try await client.all(client.find(namespace, filter: filter, options: ["sort": ["_id": 1]]))
        }
    }

    /// The only document of a collection that matches.
    ///
    /// - Throws: ``TestSupportError`` when there is none, or more than one.
    package func one(_ collection: String, _ filter: BSONDocument) async throws -> BSONDocument {
        let found = try await find(collection, filter)
        guard found.count == 1, let document = found.first else {
            throw TestSupportError("\(collection): \(found.count) documents match where one should")
        }
        return document
    }

    /// How many documents of a collection match.
    package func count(_ collection: String, _ filter: BSONDocument = [:]) async throws -> Int {
        try await find(collection, filter).count
    }
}
