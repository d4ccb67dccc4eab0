internal import BSON
internal import FoundationEssentials
package import Journal
internal import MongoDriver

/// Gives documents whose `_id` is empty, null or text an ObjectId, and takes along what refers to them.
package struct IdentityRepair: Sendable {
    private let database: Database
    private let schema: DatabaseSchema
    /// Since when all moves are this process's own; nil where others' may be among them.
    private let watchedSince: Int64?

    /// Makes a repair.
    package init(database: Database, schema: DatabaseSchema) {
        self.init(database: database, schema: schema, watchedSince: nil)
    }

    /// Makes a repair of documents as they come.
    ///
    /// - Parameter watchedSince: Since when, in milliseconds since 1970, each document was seen as it came: one that was
    ///   created later has never moved before.
    init(database: Database, schema: DatabaseSchema, watchedSince: Int64?) {
        self.database = database
        self.schema = schema
        self.watchedSince = watchedSince
    }

    /// What the repair would do. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    package func plan() async throws -> StepPlan {
        var plan = StepPlan()
        // As a run counts them: however many stay for one reason, they are one entry.
        let left = Totals()
        let present = try await database.collections()
        let collections = try await ordinary()
        let progress = try await IdentityProgress(collections, database, schema, database.progress)
        for collection in collections {
            progress.begin(collection.name)
            let moving = Moving()
            try await forEachBatch(collection, skipping: []) { documents in
                let verdicts = try await judge(
                    documents, in: collection, guesses: false, areNew: false, present)
                for (document, verdict) in zip(documents, verdicts) {
                    switch verdict {
                    case .refused(let refusal):
                        left.left(refusal.leftover)
                        moving.stay(refusal.id)
                    case .moves: moving.move(document["_id"] ?? .null)
                    }
                }
                progress.pass(documents.count)
            }
            if !moving.counts.isEmpty { progress.wait("the server counts what refers to them") }
            plan.operations += try await operations(moving, in: collection)
            progress.end()
        }
        plan.leftovers = left.leftovers
        return plan
    }

    private func operations(_ moving: Moving, in collection: CollectionSchema) async throws -> [PlannedOperation] {
        guard !moving.counts.isEmpty else { return [] }
        let warnings = try await warnings(for: collection)
        let access = try await IdentityScan(database: database).access(collection.name)
        var operations = FindingCode.allCases.compactMap { code in
            moving.counts[code].map { count in
                PlannedOperation(
                    code: code.rawValue, collection: collection.name, operation: "new _id (\(code.rawValue))",
                    matched: count, access: access, risk: .careful, warnings: warnings,
                    samples: moving.samples[code] ?? [])
            }
        }
        let followers = try await FollowerScan(database: database, schema: schema).count(collection, moving)
        for (holder, fields) in Dictionary(grouping: followers, by: \.key.collection).sorted(by: { $0.key < $1.key }) {
            var access = Access.index
            for (referrer, _) in fields
            where try await database.access(finding: [referrer.field: ["$in": [""]]], in: holder) == .scan {
                access = .scan
            }
            operations.append(
                PlannedOperation(
                    code: "references", collection: holder, operation: "references follow \(collection.name)",
                    matched: fields.reduce(0) { $0 + $1.value }, access: access, risk: .careful))
        }
        return operations
    }

    /// Repairs until two looks in a row find nothing left that can be repaired.
    ///
    /// - Throws: `EngineError` at a batch boundary, `MongoError`.
    package func apply(_ run: Run) async throws {
        var collections = try await ordinary()
        let progress = try await IdentityProgress(collections, database, schema, run.progress)
        let source = SchemaReferenceSource(database: database, schema: schema)
        var refused: Set<Refusal> = []
        var looks = IdentityLooks()
        while looks.begin(run, refused: refused.count) {
            for collection in collections {
                try run.checkpoint()
                progress.begin(collection.name)
                // One for each: how many can move together depends on how many references follow.
                let rekeyer = Rekeyer(run: run, source: source, advanced: progress.add(documents:references:))
                try await run.recording(
                    "new _id", in: collection.name, filter: ["_id": ["$not": ["$type": "objectId"]]], isRepeated: true
                ) {
                    try await forEachBatch(collection, skipping: refused, passed: progress.pass) { documents in
                        looks.meet(documents, in: collection.name)
                        let (stayed, tried, _) = try await repair(documents, in: collection, rekeyer, run)
                        refused.formUnion(stayed)
                        progress.pass(documents.count - tried)
                    }
                }
                progress.end()
            }
            guard try await looks.end(run, refused: refused.count) else { break }
            // Some may have got their first document meanwhile.
            collections = try await ordinary()
        }
        for refusal in refused {
            run.totals.left(refusal.leftover)
        }
    }

    /// A document that can't be given another `_id`.
    struct Refusal: Hashable {
        let collection: String
        let id: BSONValue
        let code: FindingCode
        let reason: String

        var leftover: Leftover {
            Leftover(
                code: code.rawValue, collection: collection, field: "_id", count: 1, reason: Sentence(reason),
                samples: [id])
        }
    }

    /// At most this many documents, or this many bytes, move together.
    private static let batchSize = 500
    private static let batchBytes = 2 << 20
    /// The largest document the server takes is 16 MiB; its journal entry is a little larger than itself.
    private static let largestDocument = (16 << 20) - 1024

    /// The server takes 180 levels; a document stands a few levels down in its journal entry and in comparisons.
    private static let largestDepth = 170

    /// Gives documents another `_id`.
    ///
    /// - Parameter areNew: Whether they have come a moment ago: none of them has moved before, however much it is like another.
    func repair(
        _ documents: [BSONDocument], in collection: CollectionSchema, _ rekeyer: Rekeyer, _ run: Run,
        areNew: Bool = false
    ) async throws -> (refused: Set<Refusal>, tried: Int, moved: [BSONValue]) {
        var (moves, refused) = try await moves(
            for: documents, in: collection, guesses: run.circumstances.followsUnfinished, areNew: areNew)
        let outcomes = try await rekeyer.move(moves.map { ($0.move, $0.code.rawValue) }, in: collection.name)
        var moved: [BSONValue] = []
        for (move, outcome) in zip(moves, outcomes) {
            if outcome == .moved { moved.append(move.move.newID) }
            switch outcome {
            case .idTaken where move.move.isRepeated:
                refused.append(
                    Refusal(
                        collection: collection.name, id: move.move.oldID, code: move.code,
                        reason: "another document has taken the _id that it had before"))
            case .moved, .changed, .idTaken: continue  // The next look finds what is still to be done.
            case .refused(let reason):
                refused.append(
                    Refusal(collection: collection.name, id: move.move.oldID, code: move.code, reason: reason))
            case .conflict:
                refused.append(
                    Refusal(
                        collection: collection.name, id: move.move.oldID, code: move.code,
                        reason: "changed in two places; both documents were kept"))
            }
        }
        return (Set(refused), moves.count, moved)
    }

    /// The collections that hold documents which can be changed, those that refer first.
    private func ordinary() async throws -> [CollectionSchema] {
        let holding = try await database.holding(schema.referringFirst.map(\.name))
        return schema.referringFirst.filter { holding.contains($0.name) }
    }

    /// Reads the documents whose `_id` can be repaired, whole, in batches.
    ///
    /// - Parameter passed: Told how many were passed over.
    func forEachBatch(
        _ collection: CollectionSchema, skipping refused: Set<Refusal>, passed: (Int) -> Void = { _ in },
        _ body: ([BSONDocument]) async throws -> Void
    ) async throws {
        let skipped = Set(refused.filter { $0.collection == collection.name }.map(\.id))
        try await IdentityScan(database: database).forEachBatch(collection.name, maximum: Self.batchSize) { ids in
            let wanted = ids.filter { IdentityKind($0).code != .foreignID && !skipped.contains($0) }
            passed(ids.count - wanted.count)
            guard !wanted.isEmpty else { return }
            let cursor = try await database.client.find(
                database.namespace(collection.name), filter: ["_id": ["$in": .array(BSONArray(wanted))]],
                options: ["batchSize": Run.firstReply])
            do {
                while true {
                    let batch = try await cursor.nextBatch(
                        maximum: Self.batchSize, maximumBytes: Self.batchBytes)
                    if batch.isEmpty { break }
                    try await body(batch.filter { wanted.contains($0["_id"] ?? .undefined) })
                }
            } catch {
                await cursor.close()
                throw error
            }
            await cursor.close()
        }
    }

    /// Whether a document can move.
    private enum Verdict {
        /// It can; the ObjectId is the one that it had got before, if it has moved before.
        case moves(again: ObjectID?)
        case refused(Refusal)
    }

    private func judge(
        _ documents: [BSONDocument], in collection: CollectionSchema, guesses: Bool, areNew: Bool,
        _ present: [String: CollectionDescription]
    ) async throws -> [Verdict] {
        let isCapped = present[collection.name]?.isCapped ?? false
        let source = SchemaReferenceSource(database: database, schema: schema)
        let old = areNew ? [] : documents.filter { !isNew($0, collection) }
        let earlierMoves =
            old.isEmpty
            ? [:]
            : try await StandingCopies(database: database, collection: collection, source: source)
                .earlier(old, guesses: guesses)
        // A time series' fields can't be updated: its references couldn't follow.
        let texts = documents.compactMap { $0["_id"] }.filter { $0.type == .string }
        let stuck = try await database.countReferences(
            to: texts, from: schema.referrers(to: collection.name), ofType: "timeseries", in: present)
        return documents.map { document in
            let id = document["_id"] ?? .null
            let earlierMove = earlierMoves[id]
            let isStuck = stuck[id] != nil ? "references to it are in a time series, and can't follow" : nil
            let obstacle = isStuck ?? Self.obstacle(document) ?? earlierMove?.objection
            if let reason = isCapped ? "its collection is capped" : obstacle {
                return .refused(
                    Refusal(collection: collection.name, id: id, code: IdentityKind(id).code, reason: reason))
            }
            if case .moved(let same) = earlierMove { return .moves(again: same) }
            return .moves(again: nil)
        }
    }

    private func moves(
        for documents: [BSONDocument], in collection: CollectionSchema, guesses: Bool, areNew: Bool = false
    ) async throws -> (moves: [(move: RekeyMove, code: FindingCode)], refused: [Refusal]) {
        let present = try await database.collections()
        let verdicts = try await judge(
            documents, in: collection, guesses: guesses, areNew: areNew, present)
        let referrers = schema.referrers(to: collection.name)
        let wanted = Set(documents.compactMap { Identity.objectID($0["_id"]) })
        var taken = try await existing(wanted, in: collection)
        // How many references there are already to `_id`s that text is about to become.
        let named = try await database.countReferences(
            to: wanted.map { .objectID($0) }, from: referrers, in: present)
        var moves: [(RekeyMove, FindingCode)] = []
        var refused: [Refusal] = []
        for (document, verdict) in zip(documents, verdicts) {
            let id = document["_id"] ?? .null
            let kind = IdentityKind(id)
            var earlier = 0
            let newID: ObjectID
            switch verdict {
            case .refused(let refusal):
                refused.append(refusal)
                continue
            case .moves(again: let same?): newID = same
            case .moves(again: nil):
                if case .text(let same) = kind, taken.insert(same).inserted {
                    // Two texts that differ in case alone are one ObjectId: the second gets another.
                    newID = same
                    earlier = named[.objectID(same)] ?? 0
                } else {
                    newID = Self.freshID(for: document, collection)
                }
            }
            let isRepeated = if case .moves(again: .some) = verdict { true } else { false }
            moves.append(
                (
                    RekeyMove(
                        oldID: id, newID: .objectID(newID), image: document, referrers: referrers,
                        earlierReferences: earlier, isRepeated: isRepeated), kind.code
                ))
        }
        return (moves, refused)
    }

    /// Whether a document was created since all moves are known.
    private func isNew(_ document: BSONDocument, _ collection: CollectionSchema) -> Bool {
        guard let watchedSince, let created = document[collection.createdField]?.date else { return false }
        return created > watchedSince && created <= WallClock.milliseconds + 1_000
    }

    private func existing(_ ids: Set<ObjectID>, in collection: CollectionSchema) async throws -> Set<ObjectID> {
        guard !ids.isEmpty else { return [] }
        let found = try await database.findAll(
            collection.name, filter: ["_id": ["$in": .array(BSONArray(ids.map { .objectID($0) }))]],
            options: ["projection": ["_id": 1]])
        return Set(found.compactMap { $0["_id"]?.objectID })
    }

    /// Why a document can't be copied exactly, if it can't.
    private static func obstacle(_ document: BSONDocument) -> String? {
        if document.byteCount > largestDocument { return "with a new _id it would exceed the server's 16 MB" }
        if Nesting.exceeds(document, largestDepth) { return "it is nested too deeply for a journal entry" }
        let zero = BSONValue.timestamp(BSONTimestamp(seconds: 0, increment: 0))
        for element in document.rawElements where element.type == .timestamp && element.value == zero {
            return "the server would replace its empty timestamp `\(element.key)`"
        }
        return nil
    }

    /// A new ObjectId that carries the document's time of creation, so that sorting by `_id` stays chronological.
    ///
    /// The application writes local times without their zone, which may lie hours ahead: then it is the present.
    private static func freshID(for document: BSONDocument, _ collection: CollectionSchema) -> ObjectID {
        let now = UInt32(clamping: Int64(Date().timeIntervalSince1970))
        return created(document, collection).map { ObjectID(timestamp: min($0, now)) } ?? .now()
    }

    /// When a document was created, in seconds since 1970; nil where that isn't known, or can't stand in an ObjectId.
    static func created(_ document: BSONDocument, _ collection: CollectionSchema) -> UInt32? {
        let milliseconds: Int64? =
            switch document[collection.createdField] {
            case .date(let milliseconds): milliseconds
            case .string(let text): ISO8601.milliseconds(text)
            default: nil
            }
        return milliseconds.flatMap { UInt32(exactly: $0 / 1000) }
    }

    private func warnings(for collection: CollectionSchema) async throws -> [String] {
        guard !database.server.hasTransactions else { return [] }
        let indexes = try await database.indexes(of: collection.name)
        // That of a clustered collection's `_id` says that it is unique, too.
        let unique = indexes.filter { ($0["unique"]?.bool ?? false) && $0["key"]?.document?.keys != ["_id"] }
            .compactMap { $0["name"]?.string }
        guard !unique.isEmpty else { return [] }
        return [
            "the unique index \(unique.joined(separator: ", ")) forbids a copy beside the original: each document is "
                + "deleted first and inserted again at once, its image in the journal"
        ]
    }
}

/// Reads the times that the application writes as text.
enum ISO8601 {
    /// Milliseconds since 1970 of text such as `2026-11-22T12:59:31.050666Z`, or nil.
    static func milliseconds(_ text: String) -> Int64? {
        let withFraction = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let date = (try? withFraction.parse(text)) ?? (try? Date.ISO8601FormatStyle().parse(text))
        return date.map { Int64(($0.timeIntervalSince1970 * 1000).rounded(.down)) }
    }
}
