internal import BSON
public import MigrationEngine
internal import MongoDriver

/// Makes references that are text ObjectIds again, where the document that they name exists.
public struct ReferenceRepair: Sendable {
    private let database: Database
    private let schema: DatabaseSchema

    /// Makes a repair.
    public init(database: Database, schema: DatabaseSchema) {
        self.database = database
        self.schema = schema
    }

    /// What the repair would do to the data as it is. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    public func plan() async throws -> StepPlan {
        var plan = StepPlan()
        for (holder, reference) in try await all() {
            var counts: [FindingCode: Int] = [:]
            try await forEachBatch(holder, reference) { counts[$0, default: 0] += $1.count }
            for (code, count) in counts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                plan.operations.append(
                    PlannedOperation(
                        code: code.rawValue, collection: holder.name,
                        operation: "\(reference.field) becomes an ObjectId (\(code.rawValue))", matched: count,
                        access: .scan, risk: .careful))
            }
        }
        return plan
    }

    /// Repairs every reference that can be.
    ///
    /// - Throws: `EngineError` at a batch boundary, `MongoError`.
    public func apply(_ run: Run) async throws {
        for (holder, reference) in try await all() {
            try await forEachBatch(holder, reference) { code, changes in
                try await run.apply(changes, in: holder.name, code: code.rawValue)
                run.progress(
                    ProgressUpdate("references \(holder.name).\(reference.field)", done: run.tally.totalChanged))
            }
        }
    }

    private func all() async throws -> [(CollectionSchema, Reference)] {
        let present = try await database.client.listCollections(database.name)
        return schema.referringFirst.filter { present[$0.name]?.isOrdinary ?? false }.flatMap { holder in
            holder.references.map { (holder, $0) }
        }
    }

    /// Reads the references that are text, in batches, and decides what each becomes.
    ///
    /// References to documents whose own `_id` is still to be repaired are left to that repair, which takes them along.
    private func forEachBatch(
        _ holder: CollectionSchema, _ reference: Reference,
        _ body: (FindingCode, [FieldChange]) async throws -> Void
    ) async throws {
        guard let target = schema.collection(reference.target) else { return }
        let resolver = CandidateResolver(database: database, reference: reference, target: target)
        var projection: BSONDocument = ["_id": 1, reference.field: 1]
        if let owner = holder.ownerField, owner != reference.field { projection.append(owner, 1) }
        let cursor = try await database.client.find(
            database.namespace(holder.name), filter: [reference.field: ["$type": "string"]],
            options: ["projection": .document(projection)])
        try await database.client.forEachBatch(of: cursor, maximum: Run.batchSize) { documents in
            let values = Set(documents.compactMap { Self.named($0[reference.field]) })
            let candidates = try await resolver.candidates(for: values)
            var changes: [FindingCode: [FieldChange]] = [:]
            for document in documents {
                guard let id = document["_id"], let value = Self.named(document[reference.field]) else { continue }
                let owner = holder.ownerField.flatMap { Identity.objectID(document[$0]) }
                let chosen = resolver.choose(value, owner: owner, among: candidates[value] ?? [])
                guard let chosen, chosen.id.type == .objectID else { continue }
                changes[value == .string("") ? .emptyReference : .textReference, default: []].append(
                    FieldChange(id: id, before: [reference.field: value], after: [reference.field: chosen.id]))
            }
            for (code, changes) in changes.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                try await body(code, changes)
            }
        }
    }

    /// A reference that can be repaired: the empty string, or the text of an ObjectId.
    private static func named(_ value: BSONValue?) -> BSONValue? {
        guard let value, let text = value.string, text.isEmpty || ObjectID(hex: text) != nil else { return nil }
        return value
    }
}
