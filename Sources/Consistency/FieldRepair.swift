internal import BSON
package import Journal
internal import MongoDriver
internal import Synchronization

/// Mends fields of documents: references that are text become ObjectIds again, where the document that they name exists,
/// and fields that are absent get what their declaration says.
///
/// All that is wrong with one document is mended in one write: a validator that takes none but whole documents refuses
/// one that is mended by half.
package struct FieldRepair: Sendable {
    /// What is mended.
    package enum Part: Sendable {
        /// References that are text, or empty.
        case references
        /// Fields that the application can't do without.
        case absentFields
    }

    private let database: Database
    private let schema: DatabaseSchema
    private let parts: Set<Part>
    private let selection: Selection

    /// Which documents are looked at.
    enum Selection: Sendable {
        case all
        /// Those that needn't get another `_id`.
        case withObjectIDs
        /// These, by their collection.
        case some([String: Set<BSONValue>])
    }

    /// Whether documents are moved meanwhile, by whoever looks after a part of them.
    private var sparesMoving: Bool { if case .all = selection { false } else { true } }

    /// Makes a repair.
    package init(database: Database, schema: DatabaseSchema, _ parts: Set<Part>) {
        self.init(database: database, schema: schema, parts, of: .all)
    }

    /// Makes a repair of some documents.
    init(database: Database, schema: DatabaseSchema, _ parts: Set<Part>, of selection: Selection) {
        self.database = database
        self.schema = schema
        self.parts = parts
        self.selection = selection
    }

    /// What the repair would do to the data as it is. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    package func plan() async throws -> StepPlan {
        var plan = StepPlan()
        let holders = try await holders()
        // By the field: its findings are told apart within.
        let counts = holders.map { holder in
            Dictionary(holder.mends.map { ($0.field, CodeCounts()) }, uniquingKeysWith: { first, _ in first })
        }
        let progress = try await PassProgress(
            subject, holders.map { ($0.collection.name, $0.filter) }, database, database.progress)
        _ = try await forEachBatch(of: holders, workers: RepairSettings.defaultWorkers, nil, progress) {
            _, index, group in
            for mend in group.mends {
                counts[index][mend.field]?.add(
                    mend.code, group.changes.count, samples: group.changes.lazy.map { $0.sample(mend.field) })
            }
        }
        progress.finish()
        for (holder, counts) in zip(holders, counts) {
            for mend in holder.mends {
                guard let counts = counts[mend.field], let count = counts[mend.code] else { continue }
                plan.operations.append(
                    PlannedOperation(
                        code: mend.code.rawValue, collection: holder.collection.name, field: mend.field,
                        operation: holder.words(mend), matched: count,
                        access: try await database.access(finding: holder.filter(mend), in: holder.collection.name),
                        risk: .careful, samples: counts.samples(mend.code)))
            }
        }
        return plan
    }

    /// Mends everything that can be.
    ///
    /// - Returns: How many fields were seen wrong and couldn't be mended.
    /// - Throws: `EngineError` at a batch boundary, `MongoError`.
    @discardableResult
    package func apply(_ run: Run, _ settings: RepairSettings) async throws -> Int {
        let holders = try await holders()
        guard !holders.isEmpty else { return 0 }
        let names = holders.map(\.collection.name).sorted().joined(separator: ", ")
        return try await run.recording(words, in: names, isRepeated: true) {
            try await mend(holders, run, settings)
        }
    }

    /// The same, as a part of something that is recorded as a whole. Documents that are just being moved are left alone.
    func applyUnrecorded(_ run: Run, _ settings: RepairSettings) async throws {
        let holders = try await holders()
        if !holders.isEmpty { _ = try await mend(holders, run, settings) }
    }

    private func mend(_ holders: [FieldHolder], _ run: Run, _ settings: RepairSettings) async throws -> Int {
        var pass = try await mend(holders, run, settings, look: 1)
        var passes = 1
        // What the application changed between the look and the write is looked at again.
        while !pass.moved.isEmpty, passes < Self.mostPasses {
            run.totals.beginAttempt()
            passes += 1
            pass = try await mend(holders, run, settings, look: passes)
        }
        for ((collection, mend), ids) in pass.moved {
            run.totals.left(
                mend.code.rawValue, collection, ids.count, field: mend.field,
                reason: "changed each time while it was looked at", samples: ids)
        }
        return pass.left
    }

    private static let mostPasses = 3

    /// What came of one look at everything.
    private struct Pass: Sendable {
        /// How many fields were seen wrong and weren't mended.
        var left = 0
        /// Documents that had changed when they were to be written.
        var moved: [((collection: String, mend: Mend), [BSONValue])] = []
    }

    private func mend(
        _ holders: [FieldHolder], _ run: Run, _ settings: RepairSettings, look: Int
    ) async throws -> Pass {
        let state = Mutex(Pass())
        let progress = try await PassProgress(
            "\(subject)\(look == 1 ? "" : ", look \(look)")", holders.map { ($0.collection.name, $0.filter) }, database,
            run.progress)
        let seen = try await forEachBatch(of: holders, workers: settings.workers, run, progress) {
            worker, index, group in
            guard let first = group.mends.first else { return }
            let name = holders[index].collection.name
            let run = run.on(worker)
            // A copy that changes while its original does can't be told from what the application has changed in two places.
            let moving = sparesMoving ? try await run.newIDsOfMoving(in: name) : []
            let changes = group.changes.filter { !moving.contains($0.id) }
            let unchanged = try await run.tryToApply(
                changes, in: name, code: first.code.rawValue, also: group.mends.dropFirst().map(\.code.rawValue))
            state.withLock { pass in
                pass.left -= (changes.count - unchanged.all.count) * group.mends.count
                if !unchanged.moved.isEmpty {
                    pass.moved += group.mends.map { ((name, $0), unchanged.moved) }
                }
            }
        }
        progress.finish()
        return state.withLock { pass in
            pass.left += seen
            return pass
        }
    }

    /// What is mended, in a few words.
    private var subject: String {
        switch (parts.contains(.references), parts.contains(.absentFields)) {
        case (true, false): "references"
        case (false, true): "fields"
        default: "references and fields"
        }
    }

    /// What a run's record says of it.
    private var words: String {
        switch (parts.contains(.references), parts.contains(.absentFields)) {
        case (true, false): "text references become ObjectIds"
        case (false, true): "absent fields get their values"
        default: "text references become ObjectIds, absent fields get their values"
        }
    }

    /// The collections that hold something that may have to be mended, those that refer first.
    private func holders() async throws -> [FieldHolder] {
        let holding = try await database.holding(schema.referringFirst.map(\.name))
        let collections = schema.referringFirst.filter { collection in
            if case .some(let ids) = selection, ids[collection.name]?.isEmpty ?? true { return false }
            return holding.contains(collection.name)
        }
        return collections.map { collection in
            FieldHolder(
                collection: collection,
                references: parts.contains(.references)
                    ? collection.references.filter { schema.collection($0.target) != nil } : [],
                rules: parts.contains(.absentFields) ? collection.fields.filter(\.isFilled) : [],
                condition: selection.condition(in: collection.name))
        }
        .filter { !$0.references.isEmpty || !$0.rules.isEmpty }
    }

    /// Reads the documents with something to be mended, in batches, and decides what becomes of each; several batches at
    /// once.
    ///
    /// - Parameters:
    ///   - run: The run; nil where nothing is to be changed.
    ///   - progress: Shows how far it is.
    ///   - body: Called by several workers, with each one's own connection and the position of the collection.
    /// - Returns: How many fields were seen wrong.
    private func forEachBatch(
        of holders: [FieldHolder], workers: Int, _ run: Run?, _ progress: PassProgress,
        _ body: @escaping @Sendable (Database, Int, FieldHolder.Group) async throws -> Void
    ) async throws -> Int {
        let seen = Atomic(0)
        try await database.client.withSiblings(holders.count) { clients in
            let feeds = CursorFeeds(
                zip(clients, holders).map { client, holder in
                    let namespace = database.namespace(holder.collection.name)
                    let options = BSONDocument([
                        ("projection", .document(holder.projection)),
                        ("batchSize", .int32(Int32(2 * Run.batchSize))), ("showRecordId", true),
                    ])
                    return { try await client.find(namespace, filter: holder.filter, options: options) }
                }, batchSize: Run.batchSize)
            try await database.inWorkers(
                workers, writing: run,
                next: { _ in
                    try await run?.breathe()
                    return try await feeds.next()
                },
                each: { worker, batch in
                    let holder = holders[batch.feed]
                    seen.add(batch.documents.reduce(0) { $0 + holder.wrongFields($1) }, ordering: .relaxed)
                    for group in try await holder.groups(batch.documents, worker, schema) {
                        try await body(worker, batch.feed, group)
                    }
                    progress.came(to: batch.documents, in: batch.feed)
                })
        }
        return seen.load(ordering: .relaxed)
    }
}

extension FieldRepair.Selection {
    /// What their `_id`s meet; nil for all.
    fileprivate func condition(in collection: String) -> BSONValue? {
        switch self {
        case .all: nil
        case .withObjectIDs: IDRange(lower: .min, upper: nil).condition
        case .some(let ids): ["$in": .array(BSONArray(ids[collection] ?? []))]
        }
    }
}
