internal import BSON
internal import MongoDriver

/// A picture of one collection, as part of a ``ServerImage``.
package struct CollectionImage: Sendable, Equatable {
    /// How many differing documents ``differences(to:)`` names at most.
    private static let namedDocuments = 5

    /// Type, options and UUID, as `listCollections` describes them.
    let description: BSONDocument
    /// The indexes, by name.
    let indexes: [String: BSONDocument]
    /// A hash of each document's bytes, by its `_id`.
    let documents: [BSONDocument: Int]
    /// The hashes in the order in which the documents lie; empty when nobody asked.
    let naturalOrder: [Int]

    init(
        of namespace: Namespace, description: BSONDocument, _ detail: ServerImage.Detail, _ client: MongoClient
    ) async throws {
        self.description = description
        guard description["type"]?.string == "collection" else {
            indexes = [:]
            documents = [:]
            naturalOrder = []
            return
        }
        indexes = try await client.listIndexes(namespace).reduce(into: [:]) { $0[$1["name"]?.string ?? ""] = $1 }
        var documents: [BSONDocument: Int] = [:]
        var order: [Int] = []
        let cursor = try await client.find(namespace, filter: [:], options: ["hint": ["$natural": 1]])
        try await client.forEachBatch(of: cursor) { batch in
            for document in batch {
                let hash = document.hashValue
                var identity: BSONDocument = [:]
                if let first = document.rawElements.first(where: { $0.key == "_id" }) { identity.append(raw: first) }
                documents[identity] = hash
                if case .naturalOrder = detail { order.append(hash) }
            }
        }
        self.documents = documents
        naturalOrder = order
    }

    /// What a later picture of the same collection shows otherwise, in words.
    func differences(to later: CollectionImage) -> [String] {
        var differences: [String] = []
        if description != later.description {
            differences.append("\(description.debugDescription) became \(later.description.debugDescription)")
        }
        for name in Set(indexes.keys).union(later.indexes.keys).sorted() where indexes[name] != later.indexes[name] {
            let before = indexes[name]?.debugDescription ?? "nothing"
            differences.append("index \(name): \(before) became \(later.indexes[name]?.debugDescription ?? "nothing")")
        }
        let changed = Set(documents.keys).union(later.documents.keys).filter { documents[$0] != later.documents[$0] }
        for key in changed.sorted(by: { $0.debugDescription < $1.debugDescription }).prefix(Self.namedDocuments) {
            let word = documents[key] == nil ? "new" : later.documents[key] == nil ? "gone" : "changed"
            differences.append("\(key.debugDescription) \(word)")
        }
        if changed.count > Self.namedDocuments {
            differences.append("and \(changed.count - Self.namedDocuments) more documents")
        }
        if changed.isEmpty, naturalOrder != later.naturalOrder { differences.append("documents lie in another order") }
        return differences
    }
}
