internal import BSON
public import MigrationEngine
internal import MongoDriver
internal import Synchronization

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
        let all = try await all()
        let counts = all.map { _ in CodeCounts() }
        _ = try await forEachBatch(of: all, workers: RepairSettings.defaultWorkers, nil) { _, index, code, changes in
            let samples = changes.lazy.map { change in
                BSONDocument([("_id", change.id)] + change.before.elements.map { ($0.key, $0.value) })
            }
            counts[index].add(code, changes.count, samples: samples)
        }
        for ((holder, reference), counts) in zip(all, counts) {
            var access: Access?
            for code in FindingCode.allCases {
                guard let count = counts[code] else { continue }
                if access == nil {
                    access = try await database.access(finding: Self.filter(reference), in: holder.name)
                }
                plan.operations.append(
                    PlannedOperation(
                        code: code.rawValue, collection: holder.name,
                        operation: "\(reference.field) becomes an ObjectId (\(code.rawValue))", matched: count,
                        access: access ?? .scan, risk: .careful,
                        samples: counts.samples(code)))
            }
        }
        return plan
    }

    /// Repairs every reference that can be.
    ///
    /// - Returns: How many references, empty or text, were seen and couldn't be repaired.
    /// - Throws: `EngineError` at a batch boundary, `MongoError`.
    @discardableResult
    public func apply(_ run: Run, _ settings: RepairSettings) async throws -> Int {
        let all = try await all()
        let repaired = Atomic(0)
        let holders = Set(all.map(\.0.name)).sorted().joined(separator: ", ")
        let seen = try await run.recording("text references become ObjectIds", in: holders, isRepeated: true) {
            try await forEachBatch(of: all, workers: settings.workers, run) { lane, index, code, changes in
                let (holder, reference) = all[index]
                let missed = try await run.on(lane).apply(changes, in: holder.name, code: code.rawValue)
                repaired.add(changes.count - missed.count, ordering: .relaxed)
                run.progress(
                    ProgressUpdate("references \(holder.name).\(reference.field)", done: run.tally.totalChanged))
            }
        }
        return seen - repaired.load(ordering: .relaxed)
    }

    private func all() async throws -> [(CollectionSchema, Reference)] {
        let present = try await database.client.listCollections(database.name)
        return schema.referringFirst.filter { present[$0.name]?.isOrdinary ?? false }.flatMap { holder in
            holder.references.compactMap { reference in
                schema.collection(reference.target).map { _ in (holder, reference) }
            }
        }
    }

    /// Reads the references that are text, in batches, and decides what each becomes; several batches at once.
    ///
    /// - Parameter body: Called by several workers, with each one's own connection and the position of the reference.
    /// - Returns: How many references were read.
    private func forEachBatch(
        of references: [(CollectionSchema, Reference)], workers: Int, _ run: Run?,
        _ body: @escaping @Sendable (Database, Int, FindingCode, [FieldChange]) async throws -> Void
    ) async throws -> Int {
        let seen = Atomic(0)
        try await database.client.withSiblings(references.count) { clients in
            let feeds = CursorFeeds(
                zip(clients, references).map { client, item in
                    let (holder, reference) = item
                    return { try await Self.open(client, database.namespace(holder.name), holder, reference) }
                }, batchSize: Run.batchSize)
            try await database.inLanes(
                workers,
                next: { _ in
                    try await run?.breathe()
                    return try await feeds.next()
                },
                each: { lane, batch in
                    seen.add(batch.documents.count, ordering: .relaxed)
                    let (holder, reference) = references[batch.feed]
                    guard let target = schema.collection(reference.target) else { return }
                    let resolver = CandidateResolver(database: lane, reference: reference, target: target)
                    for (code, changes) in try await Self.changes(batch.documents, holder, resolver) {
                        try await body(lane, batch.feed, code, changes)
                    }
                })
        }
        return seen.load(ordering: .relaxed)
    }

    private static func filter(_ reference: Reference) -> BSONDocument { [reference.field: ["$type": "string"]] }

    private static func open(
        _ client: MongoClient, _ namespace: Namespace, _ holder: CollectionSchema, _ reference: Reference
    ) async throws -> MongoCursor {
        var projection: BSONDocument = ["_id": 1, reference.field: 1]
        if let owner = holder.ownerField, owner != reference.field { projection.append(owner, 1) }
        return try await client.find(
            namespace, filter: filter(reference),
            options: ["projection": .document(projection), "batchSize": .int32(Int32(2 * Run.batchSize))])
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
