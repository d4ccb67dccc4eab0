internal import BSON
public import MigrationEngine
internal import MongoDriver

/// Creates the indexes that the schema asks for.
public struct IndexRepair: Sendable {
    private let database: Database
    private let schema: DatabaseSchema
    private let isUnique: Bool

    /// Makes a repair.
    ///
    /// - Parameter isUnique: Whether it is about the unique indexes or about the others.
    public init(database: Database, schema: DatabaseSchema, isUnique: Bool) {
        self.database = database
        self.schema = schema
        self.isUnique = isUnique
    }

    /// What the repair would do. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    public func plan() async throws -> StepPlan {
        var plan = StepPlan()
        for (collection, index) in try await missing() {
            let what = index.isUnique ? "create unique index" : "create index"
            plan.operations.append(
                PlannedOperation(
                    code: "create index", collection: collection.name, operation: "\(what) \(index.name)",
                    matched: 1, access: .scan, risk: index.isUnique ? .careful : .safe,
                    warnings: try await blockers(collection, index)))
        }
        return plan
    }

    /// Why an index can't be created: duplicates, named, or another index in its place.
    ///
    /// - Throws: `MongoError`.
    public func blockers() async throws -> [String] {
        var result: [String] = []
        for (collection, index) in try await missing() { result += try await blockers(collection, index) }
        return result
    }

    /// Creates what is missing.
    ///
    /// - Throws: `EngineError`, `MongoError`.
    public func apply(_ run: Run) async throws {
        let descriptions = try await database.client.listCollections(database.name)
        for collection in schema.collections where descriptions[collection.name]?.isOrdinary ?? true {
            let wanted = collection.indexes.filter { $0.isUnique == isUnique }
            guard !wanted.isEmpty else { continue }
            run.progress(ProgressUpdate("indexes of \(collection.name)"))
            try await run.createIndexes(wanted.map(\.document), on: collection.name)
        }
    }

    /// So many duplicates are named; the rest is counted.
    private static let namedDuplicates = 5

    private func missing() async throws -> [(CollectionSchema, IndexSpecification)] {
        var result: [(CollectionSchema, IndexSpecification)] = []
        let descriptions = try await database.client.listCollections(database.name)
        for collection in schema.collections where descriptions[collection.name]?.isOrdinary ?? true {
            let wanted = collection.indexes.filter { $0.isUnique == isUnique }
            guard !wanted.isEmpty else { continue }
            let present = try await database.client.listIndexes(database.namespace(collection.name))
            result += wanted.filter { index in
                !present.contains {
                    IndexMatch.serves($0, index.document, collation: descriptions[collection.name]?.collation)
                }
            }
            .map { (collection, $0) }
        }
        return result
    }

    private func blockers(_ collection: CollectionSchema, _ index: IndexSpecification) async throws -> [String] {
        let present = try await database.client.listIndexes(database.namespace(collection.name))
        if let other = present.first(where: {
            $0["name"]?.string == index.name || IndexMatch.sameKey($0, index.document)
        }) {
            let name = other["name"]?.string ?? "?"
            return [
                "\(collection.name) has the index \(name), which differs from the one wanted "
                    + "(\(index.isUnique ? "unique" : "not unique")); drop it first"
            ]
        }
        return index.isUnique ? try await duplicates(collection, index) : []
    }

    /// The values that more than one document has, compared as the index will compare them: a missing field is null.
    private func duplicates(_ collection: CollectionSchema, _ index: IndexSpecification) async throws -> [String] {
        let key = BSONDocument(
            index.key.keys.map { ($0, BSONValue.document(["$ifNull": [.string("$" + $0), .null]])) })
        let groups = try await database.aggregateAll(
            collection.name,
            [
                ["$group": ["_id": .document(key), "n": ["$sum": 1], "a": ["$min": "$_id"], "b": ["$max": "$_id"]]],
                ["$match": ["n": ["$gt": 1]]],
                ["$sort": ["_id": 1]],
                [
                    "$facet": [
                        "all": [["$count": "n"]],
                        "named": [["$limit": .int32(Int32(Self.namedDuplicates))]],
                    ]
                ],
            ])
        guard let facets = groups.first else { return [] }
        let total = Int(facets.value(at: "all")?.array?.values.first?.document?["n"]?.integer ?? 0)
        let named = (facets["named"]?.array?.values ?? []).compactMap(\.document).map { group in
            let values = group["_id"]?.document?.elements.map { "\($0.key) \(Self.text($0.value))" } ?? []
            let ids = [group["a"], group["b"]].compactMap { $0.map(Self.text) }
            return "\(collection.name): \(group["n"]?.integer ?? 0) documents share \(values.joined(separator: ", "))"
                + " (such as _id \(ids.joined(separator: " and ")))"
        }
        let rest = total - named.count
        return named + (rest > 0 ? ["\(collection.name): \(rest) more values of \(index.name) are shared"] : [])
    }

    private static func text(_ value: BSONValue) -> String {
        switch value {
        case .string(let text): "\"\(text)\""
        case .objectID(let id): id.hex
        case .null: "null"
        default: "a value of type \(value.type.alias)"
        }
    }
}
