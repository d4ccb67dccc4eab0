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
            try await run.recording("create index", in: collection.name, isRepeated: true) {
                try await run.createIndexes(wanted.map(\.document), on: collection.name)
            }
        }
    }

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
        guard index.isUnique else { return [] }
        return try await Duplicates.sentences(index.document, in: collection.name, database)
    }
}
