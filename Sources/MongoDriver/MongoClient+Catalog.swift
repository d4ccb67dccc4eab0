package import BSON

/// A collection, a view or a time series, as `listCollections` describes it.
package struct CollectionDescription: Sendable {
    /// The collection's name.
    package let name: String
    /// `collection`, `view` or `timeseries`.
    package let type: String
    /// Its options as the server stores them: `validator`, `validationLevel`, `capped`, `collation`…
    package let options: BSONDocument
    /// What tells it from another that had, or will have, its name; nil for a view.
    package let uuid: BSONValue?
    /// Whether its size is bounded, so that documents can't be deleted one by one on old servers.
    package var isCapped: Bool { options["capped"]?.bool ?? false }
    /// The collation that its queries and indexes have unless they say otherwise.
    package var collation: BSONDocument? { options["collation"]?.document }
    /// Whether documents can be changed in it.
    package var isOrdinary: Bool { type == "collection" }
}

extension MongoClient {
    /// Lists a database's collections, views and time series, `system.` ones left out.
    ///
    /// - Throws: ``MongoError``.
    package func listCollections(_ database: String) async throws -> [String: CollectionDescription] {
        try Self.checkName(database)
        let command: BSONDocument = ["listCollections": 1]
        let documents = try await all(register(CursorRequest(command, on: database)))
        return documents.reduce(into: [:]) { result, document in
            guard let name = document["name"]?.string, !name.hasPrefix("system.") else { return }
            result[name] = CollectionDescription(
                name: name, type: document["type"]?.string ?? "collection",
                options: document["options"]?.document ?? [:], uuid: document.value(at: "info", "uuid"))
        }
    }

    /// Lists a collection's indexes as the server describes them; none when the collection doesn't exist.
    ///
    /// - Throws: ``MongoError``.
    package func listIndexes(_ namespace: Namespace) async throws -> [BSONDocument] {
        do {
            try Self.check(namespace)
            let command: BSONDocument = ["listIndexes": .string(namespace.collection)]
            return try await all(register(CursorRequest(command, on: namespace.database)))
        } catch let error as MongoError where error.code == MongoError.ServerCode.namespaceNotFound {
            return []
        }
    }

    /// Creates indexes, all or none, and waits until they can be used.
    ///
    /// - Parameters:
    ///   - namespace: The collection.
    ///   - indexes: As the server's `createIndexes` takes them: `key`, `name`, `unique`, …
    /// - Throws: ``MongoError`` of kind `duplicateKey` when a unique index can't be built.
    package func createIndexes(_ namespace: Namespace, _ indexes: [BSONDocument]) throws {
        let command: BSONDocument = [
            "createIndexes": .string(namespace.collection),
            "indexes": .array(BSONArray(indexes.map { .document($0) })),
        ]
        try run(command, on: namespace.database, concern: .majorityJournaled)
    }

    /// Drops an index by its name.
    ///
    /// - Throws: ``MongoError`` with the code `indexNotFound` when there is none.
    package func dropIndex(_ namespace: Namespace, name: String) throws {
        try run(
            [
                "dropIndexes": .string(namespace.collection), "index": .string(name),
            ], on: namespace.database, concern: .majorityJournaled)
    }

    /// Creates a collection.
    ///
    /// - Throws: ``MongoError`` with the code `namespaceExists` when it is there already.
    package func createCollection(_ namespace: Namespace, options: BSONDocument = [:]) throws {
        var command: BSONDocument = ["create": .string(namespace.collection)]
        for element in options.rawElements { command.append(raw: element) }
        try run(command, on: namespace.database, concern: .majorityJournaled)
    }

    /// Changes a collection's options, such as its validator.
    ///
    /// - Throws: ``MongoError``.
    package func collMod(_ namespace: Namespace, _ changes: BSONDocument) throws {
        var command: BSONDocument = ["collMod": .string(namespace.collection)]
        for element in changes.rawElements { command.append(raw: element) }
        try run(command, on: namespace.database, concern: .majorityJournaled)
    }
}
