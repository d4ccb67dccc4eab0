internal import BSON
internal import Journal
internal import MongoDriver
internal import Synchronization

/// Compares every counter with what it counts.
///
/// The server counts: one row per counting document crosses the wire. Where an index holds all that is needed, the
/// documents are counted range by range, several at once; where there is none, in one pass over the collection
/// (`CounterScan+OnePass.swift`). Memory stays flat either way.
struct CounterScan: Sendable {
    let database: Database
    let collection: CollectionSchema
    let counter: Counter
    let access: CounterAccess
    /// Whether nothing may be set to zero, because what is counted isn't there at all (``CounterSafeguard``).
    var isProtected = false
    /// Whether one of its two collections is capped.
    private let hasCapped: Bool

    /// Prepares a scan, choosing how the counted documents are read.
    init(database: Database, collection: CollectionSchema, counter: Counter) async throws {
        self.database = database
        self.collection = collection
        self.counter = counter
        access = try await CounterAccess.choose(database, counter)
        let present = try await database.collections()
        hasCapped = [collection.name, counter.counted].contains { present[$0]?.isCapped ?? false }
    }

    private init(_ scan: CounterScan, on database: Database) {
        self.database = database
        collection = scan.collection
        counter = scan.counter
        access = scan.access
        hasCapped = scan.hasCapped
        isProtected = scan.isProtected
    }

    /// The same scan through another connection.
    func on(_ database: Database) -> CounterScan { CounterScan(self, on: database) }

    /// Runs reads that all see the data at one moment, where the server can show it: "Reading from capped collections with
    /// readConcern snapshot is not supported".
    func atOneMoment<R: Sendable>(_ body: (ClientSession?) async throws -> R) async throws -> R {
        hasCapped ? try await body(nil) : try await database.atOneMoment(body)
    }

    /// So many rows cross the wire together; by itself the server would send up to 16 MB.
    static let batchSize = 5000

    /// So many suspects are looked at again together: where each look reads a whole collection, as many as can share one.
    var suspectsTogether: Int { access == .onePass ? 20_000 : Run.batchSize }

    /// Hands over the counters that are wrong, in batches.
    ///
    /// - Parameters:
    ///   - fingerprints: Whether the observations are to be compared with later ones, for which deleted documents have to
    ///     be counted too.
    ///   - workers: How many ranges are counted at once.
    ///   - run: Where a request to stop, a pause or a lagging member is heeded, and what writes; nil where nothing is to be
    ///     written.
    ///   - progress: Where it is told that there is something to wait for.
    ///   - body: Called with each batch, by several workers at once, with a scan through its worker's connection and how
    ///     many documents were looked at.
    /// - Returns: The number of counting documents looked at.
    func forEachDrift(
        fingerprints: Bool = false, workers: Int, _ run: Run? = nil, _ progress: WorkDone? = nil,
        _ body: @escaping @Sendable (CounterScan, [CounterObservation], _ scanned: Int) async throws -> Void
    ) async throws -> Int {
        guard case .index(let name) = access else {
            progress?.wait("the server reads \(counter.counted) in one pass")
            return try await onePass(run, fingerprints: fingerprints) { try await body(self, $0, $1) }
        }
        let ranges = IDRanges(collection: collection.name)
        let scanned = Atomic(0)
        try await database.inWorkers(
            workers, writing: run, next: { try await ranges.next($0) },
            each: { worker, range in
                try await run?.breathe()
                let scan = on(worker)
                let start = ContinuousClock.now
                let found = try await scan.atOneMoment { session in
                    try await scan.drifts(where: range.condition, index: name, fingerprints: fingerprints, session)
                }
                await ranges.took(ContinuousClock.now - start, documents: found.scanned)
                scanned.add(found.scanned, ordering: .relaxed)
                try await body(scan, found.drifts, found.scanned)
            })
        let others = try await scanOthers(excluding: [.objectID], fingerprints: fingerprints) {
            try await body(self, $0, $1)
        }
        return scanned.load(ordering: .relaxed) + others
    }

    /// Counts some documents' counted ones from the index alone, and looks closer at what that doesn't decide.
    ///
    /// - Parameter condition: Which documents, by their `_id`, an ObjectId.
    private func drifts(
        where condition: BSONValue, index: String, fingerprints: Bool, _ session: ClientSession?
    ) async throws -> (scanned: Int, drifts: [CounterObservation]) {
        let stored = try await storedCounters(condition, session)
        var live: [ObjectID: LiveCount] = [:]
        let groups = try await database.client.aggregate(
            database.namespace(counter.counted), pipeline: LiveCount.pipeline(counter, condition),
            options: database.committed(
                ["hint": .string(index), "batchSize": .int32(Int32(Self.batchSize)), "allowDiskUse": true], session),
            readPreference: database.readPreference, session: session)
        try await database.client.forEachBatch(of: groups, maximum: Self.batchSize) { batch in
            for group in batch {
                // What refers to nothing is passed over; however much it is, none of it is held.
                guard let id = group["_id"]?.objectID, stored[id] != nil else { continue }
                live[id] = LiveCount(group)
            }
        }
        return (stored.count, try await drifts(among: stored, live, fingerprints: fingerprints, session))
    }

    /// Those of some counters that are wrong, by what the live documents tell; looks closer at what they don't decide.
    func drifts(
        among stored: [ObjectID: StoredCounter], _ live: [ObjectID: LiveCount], fingerprints: Bool,
        _ session: ClientSession?
    ) async throws -> [CounterObservation] {
        var undecided: [BSONValue] = []
        var drifts: [CounterObservation] = []
        for (id, counter) in stored {
            let observation = CounterObservation(
                id: .objectID(id), count: counter.count, latest: counter.latest,
                truth: CountedValues(live[id] ?? .none))
            switch observation.verdict(toleranceMS: self.counter.toleranceMS) {
            case .right: continue
            case .wrong where !fingerprints: drifts.append(observation)
            case .wrong, .undecided: undecided.append(.objectID(id))
            }
        }
        let precedes = { (first: BSONValue, second: BSONValue) in
            (first.objectID ?? .min) < (second.objectID ?? .min)
        }
        undecided.sort(by: precedes)
        drifts.sort { precedes($0.id, $1.id) }
        for start in stride(from: 0, to: undecided.count, by: Self.observedTogether) {
            let ids = Array(undecided[start..<min(start + Self.observedTogether, undecided.count)])
            drifts += try await wrong(observe(ids, session, fingerprints: fingerprints))
        }
        return drifts
    }

    /// A counter as it is stored, and its document's owner.
    struct StoredCounter: Sendable {
        let count: BSONValue?
        let latest: BSONValue?
        let owner: BSONValue?
    }

    /// The counters of the documents whose `_id` meets a condition: few enough to be held.
    func storedCounters(
        _ condition: BSONValue, _ session: ClientSession?
    ) async throws -> [ObjectID: StoredCounter] {
        var stored: [ObjectID: StoredCounter] = [:]
        var projection = projection
        if let owner = collection.ownerField { projection.append(owner, 1) }
        let documents = try await database.client.find(
            database.namespace(collection.name), filter: ["_id": condition],
            options: database.committed(
                [
                    "projection": .document(projection), "hint": ["_id": 1],
                    "batchSize": .int32(Int32(Self.batchSize)),
                ], session), readPreference: database.readPreference, session: session)
        try await database.client.forEachBatch(of: documents, maximum: Self.batchSize) { batch in
            for document in batch {
                guard let id = document["_id"]?.objectID else { continue }
                stored[id] = StoredCounter(
                    count: document[counter.field], latest: document[counter.latestField],
                    owner: collection.ownerField.flatMap { document[$0] })
            }
        }
        return stored
    }

    private static let observedTogether = 2_000

    /// Looks at some documents' counters as they are now: first the counter, then what it counts.
    ///
    /// In this order a document inserted in between is counted without its increment having been seen, which makes
    /// the next comparison fail rather than a wrong number succeed.
    ///
    /// On a replica set both are read from the primary, and linearizable: not only what a majority has, but the latest of
    /// it. A snapshot may lie behind, as far as the members lag, so that settling would have seen no time pass.
    ///
    /// - Parameter limit: How long the server may take for each of the two; nil for as long as it takes.
    func observeNow(_ ids: [BSONValue], within limit: Duration? = nil) async throws -> [CounterObservation] {
        let isReplicaSet = database.server.topology == .replicaSet
        return try await observe(
            ids, nil, fingerprints: true, concern: isReplicaSet ? "linearizable" : nil, within: limit)
    }

    /// Those of some documents whose counters are wrong now, of what can be mended.
    ///
    /// - Parameter limit: How long that may take in all.
    /// - Throws: `MongoError`, also where it would take longer.
    func wrongNow(of ids: [BSONValue], within limit: Duration? = nil) async throws -> MovedCounters {
        let end = limit.map { ContinuousClock.now + $0 }
        // Where there is no index each look reads the whole collection.
        let together = access == .onePass ? max(ids.count, 1) : Self.observedTogether
        var wrong = MovedCounters()
        for start in stride(from: 0, to: ids.count, by: together) {
            let rest = end.map { max($0 - .now, .milliseconds(1)) }
            let part = Array(ids[start..<min(start + together, ids.count)])
            for observation in try await observeNow(part, within: rest) where !observation.wouldLose(isProtected) {
                wrong.add(observation, counter)
            }
        }
        return wrong
    }

    /// Looks at some documents' counters once more, for a check: as ``observeNow(_:)`` from the primary, or at one moment
    /// where another member is asked.
    func observeAgain(_ ids: [BSONValue]) async throws -> [CounterObservation] {
        guard database.readPreference != nil else { return try await observeNow(ids) }
        return try await atOneMoment { session in try await observe(ids, session, fingerprints: true) }
    }

    /// Those of some documents whose counters look wrong, looked at for the first time.
    ///
    /// - Parameters:
    ///   - fingerprints: As for ``forEachDrift(fingerprints:workers:_:_:_:)``.
    ///   - workers: How many connections count at once, where there is enough to count.
    func drifts(of ids: [BSONValue], fingerprints: Bool, workers: Int = 1) async throws -> [CounterObservation] {
        guard case .index(let name) = access else {
            return try await atOneMoment { session in
                wrong(try await observe(ids, session, fingerprints: fingerprints))
            }
        }
        let others = ids.filter { $0.type != .objectID }
        // In order, so that each part is one place in the index.
        let plain = ids.filter { $0.type == .objectID }.sorted { $0.precedes($1) }
        let drifts = Mutex(
            try await atOneMoment { session in
                wrong(try await observe(others, session, fingerprints: fingerprints))
            })
        let share = (plain.count + workers - 1) / max(workers, 1)
        let size = min(max(share, Self.worthAWorker), Self.observedTogether)
        let parts = Mutex(
            stride(from: 0, to: plain.count, by: size).map { Array(plain[$0..<min($0 + size, plain.count)]) }[...])
        let look = { @Sendable (scan: CounterScan, part: [BSONValue]) in
            let found = try await scan.atOneMoment { session in
                try await scan.drifts(
                    where: ["$in": .array(BSONArray(part))], index: name, fingerprints: fingerprints, session
                ).drifts
            }
            drifts.withLock { $0 += found }
        }
        if workers > 1, plain.count > size {
            try await database.inWorkers(
                workers, next: { _ in parts.withLock { $0.popFirst() } },
                each: { worker, part in try await look(on(worker), part) })
        } else {
            while let part = parts.withLock({ $0.popFirst() }) { try await look(self, part) }
        }
        return drifts.withLock { $0 }
    }

    /// Fewer than so many aren't worth a connection of their own.
    private static let worthAWorker = 250

    /// Looks at some documents' counters for the first time. On a replica set counter and counted are seen at one moment;
    /// where the server can't show one, both are read from the primary.
    private func observe(
        _ ids: [BSONValue], _ session: ClientSession?, fingerprints: Bool, concern: String? = nil,
        within limit: Duration? = nil
    ) async throws -> [CounterObservation] {
        let ids = ids.filter { !$0.isNull }
        guard !ids.isEmpty else { return [] }
        let list = BSONValue.array(BSONArray(ids))
        let member = session == nil ? nil : database.readPreference
        let committed = { (options: BSONDocument) -> BSONDocument in
            var options = options
            if let limit { options.append("maxTimeMS", .int64(max(limit.milliseconds, 1))) }
            guard let concern else { return database.committed(options, session) }
            options.append("readConcern", ["level": .string(concern)])
            return options
        }
        let documents = try await database.client.all(
            database.client.find(
                database.namespace(collection.name), filter: ["_id": ["$in": list]],
                options: committed([
                    "projection": .document(projection), "collation": .document(ExactMatch.collation),
                ]), readPreference: member, session: session))
        var options: BSONDocument = ["allowDiskUse": true, "collation": .document(ExactMatch.collation)]
        if case .index(let name) = access { options.append("hint", .string(name)) }
        let groups = try await database.client.all(
            database.client.aggregate(
                database.namespace(counter.counted),
                pipeline: [["$match": .document([counter.reference: ["$in": list]])]]
                    + CountedValues.pipeline(counter, fingerprints: fingerprints),
                options: committed(options), readPreference: member, session: session))
        let truths = Dictionary(
            groups.map { (($0["_id"] ?? .null).comparisonKey, CountedValues($0)) },
            uniquingKeysWith: { first, _ in first })
        return documents.map { document in
            let id = document["_id"] ?? .null
            return CounterObservation(
                id: id, count: document[counter.field], latest: document[counter.latestField],
                truth: truths[id.comparisonKey] ?? CountedValues())
        }
    }

    /// Begins to tell how many counting documents are done.
    func progress(round: Int = 1, _ report: @escaping ProgressReport) async throws -> WorkDone {
        WorkDone(what(round: round), of: try await database.documentCount(of: collection.name), report)
    }

    /// What is being done, in a few words.
    func what(round: Int) -> String { "counting \(counter.counted)\(round == 1 ? "" : ", round \(round)")" }

    /// Those of some observations that are wrong.
    func wrong(_ observations: [CounterObservation]) -> [CounterObservation] {
        observations.filter { !$0.codes(toleranceMS: counter.toleranceMS).isEmpty }
    }

    /// The fields that are read of counting documents.
    var projection: BSONDocument { [counter.field: 1, counter.latestField: 1] }

    /// Looks at the documents whose `_id`s aren't ObjectIds; they are rare.
    ///
    /// - Parameter types: Those that have been looked at already.
    func scanOthers(
        excluding types: Set<BSONType>, fingerprints: Bool,
        _ body: ([CounterObservation], _ scanned: Int) async throws -> Void
    ) async throws -> Int {
        var scanned = 0
        try await IdentityScan(database: database).forEachBatch(collection.name) { ids in
            let others = ids.filter { !types.contains($0.type) }
            scanned += others.count
            let observed = try await atOneMoment { session in
                try await observe(others, session, fingerprints: fingerprints)
            }
            try await body(wrong(observed), others.count)
        }
        return scanned
    }
}
