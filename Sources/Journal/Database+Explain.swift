public import BSON
internal import MongoDriver

extension Database {
    /// How the server finds what a command touches, by its own `explain`.
    ///
    /// - Parameter command: `find`, `aggregate`, `update`, `delete` or another command that can be explained.
    /// - Returns: ``Access/scan`` when any part of the plan reads a whole collection; nil where the server doesn't say.
    /// - Throws: `MongoError`, but for a command that the server can't explain.
    public func access(explaining command: BSONDocument) async throws -> Access? {
        let reply: BSONDocument
        do {
            reply = try await explain(command)
        } catch let error as MongoError where error.kind == .server && !error.isTransient {
            return nil
        }
        return Self.hasCollectionScan(.document(reply)) ? .scan : .index
    }

    /// How the server finds the documents that match a filter.
    ///
    /// - Throws: `MongoError`.
    public func access(
        finding filter: BSONDocument, in collection: String, collation: BSONDocument? = nil
    ) async throws -> Access {
        try await access(explaining: Self.find(filter, collection, collation)) ?? .scan
    }

    /// Asks the server how it would find the documents that match a filter.
    ///
    /// - Throws: `MongoError`, also where it refuses the filter.
    package func explain(finding filter: BSONDocument, in collection: String, collation: BSONDocument?) async throws {
        _ = try await explain(Self.find(filter, collection, collation))
    }

    private func explain(_ command: BSONDocument) async throws -> BSONDocument {
        try await client.run(["explain": .document(command), "verbosity": "queryPlanner"], on: name, mode: .read)
    }

    private static func find(_ filter: BSONDocument, _ collection: String, _ collation: BSONDocument?) -> BSONDocument {
        var command: BSONDocument = ["find": .string(collection), "filter": .document(filter)]
        if let collation { command.append("collation", .document(collation)) }
        return command
    }

    private static func hasCollectionScan(_ value: BSONValue) -> Bool {
        switch value {
        case .document(let document):
            document["stage"]?.string == "COLLSCAN"
                || document.elements.contains { $0.key != "rejectedPlans" && hasCollectionScan($0.value) }
        case .array(let array): array.values.contains(where: hasCollectionScan)
        default: false
        }
    }
}
