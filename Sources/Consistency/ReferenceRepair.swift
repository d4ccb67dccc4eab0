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
            let counts = CodeCounts()
            try await forEachBatch(holder, reference, workers: RepairSettings.defaultWorkers, nil) { _, code, changes in
                counts.add(code, changes.count)
            }
            for code in FindingCode.allCases {
                guard let count = counts[code] else { continue }
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
    public func apply(_ run: Run, _ settings: RepairSettings) async throws {
        for (holder, reference) in try await all() {
            try await forEachBatch(holder, reference, workers: settings.workers, run) { lane, code, changes in
                try await run.on(lane).apply(changes, in: holder.name, code: code.rawValue)
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

    /// Reads the references that are text, in batches, and decides what each becomes; several batches at once.
    ///
    /// - Parameter body: Called by several workers, with each one's own connection.
    private func forEachBatch(
        _ holder: CollectionSchema, _ reference: Reference, workers: Int, _ run: Run?,
        _ body: @escaping @Sendable (Database, FindingCode, [FieldChange]) async throws -> Void
    ) async throws {
        guard let target = schema.collection(reference.target) else { return }
        var projection: BSONDocument = ["_id": 1, reference.field: 1]
        if let owner = holder.ownerField, owner != reference.field { projection.append(owner, 1) }
        let cursor = try await database.client.find(
            database.namespace(holder.name), filter: [reference.field: ["$type": "string"]],
            options: ["projection": .document(projection)])
        do {
            try await database.inLanes(workers) { _ in
                try await run?.breathe()
                let documents = try await cursor.nextBatch(maximum: Run.batchSize)
                return documents.isEmpty ? nil : documents
            } _: { lane, documents in
                let resolver = CandidateResolver(database: lane, reference: reference, target: target)
                for (code, changes) in try await Self.changes(documents, holder, resolver) {
                    try await body(lane, code, changes)
                }
            }
        } catch {
            await cursor.close()
            throw error
        }
        await cursor.close()
    }

    /// Decides what references become.
    ///
    /// References to documents whose own `_id` is still to be repaired are left to that repair, which takes them along.
    private static func changes(
        _ documents: [BSONDocument], _ holder: CollectionSchema, _ resolver: CandidateResolver
    ) async throws -> [(code: FindingCode, changes: [FieldChange])] {
        let field = resolver.reference.field
        let candidates = try await resolver.candidates(for: Set(documents.compactMap { named($0[field]) }))
        var changes: [FindingCode: [FieldChange]] = [:]
        for document in documents {
            guard let id = document["_id"], let value = named(document[field]) else { continue }
            let owner = holder.ownerField.flatMap { Identity.objectID(document[$0]) }
            let chosen = resolver.choose(value, owner: owner, among: candidates[value] ?? [])
            guard let chosen, chosen.id.type == .objectID else { continue }
            changes[value == .string("") ? .emptyReference : .textReference, default: []].append(
                FieldChange(id: id, before: [field: value], after: [field: chosen.id]))
        }
        return changes.sorted { $0.key.rawValue < $1.key.rawValue }.map { ($0.key, $0.value) }
    }

    /// A reference that can be repaired: the empty string, or the text of an ObjectId.
    private static func named(_ value: BSONValue?) -> BSONValue? {
        guard let value, let text = value.string, text.isEmpty || ObjectID(hex: text) != nil else { return nil }
        return value
    }
}
