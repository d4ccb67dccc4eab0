internal import BSON
internal import Journal
internal import MongoDriver
internal import Synchronization

/// Looks at everything that can be wrong with counted documents in one pass: references, owners, the shapes of fields, and
/// the counters that count them.
///
/// Ranges of counting documents are read on all workers, each with what refers to it, by the index that counting reads, in
/// its order. What is looked at crosses the wire, and is judged here: grouping it takes the server five times the work. A
/// range is forgotten when it is done, so memory stays flat.
struct CollectionPass: Sendable {
    /// The counter that counts the collection's documents.
    let scan: CounterScan
    /// The collection's references.
    let references: ReferenceScan
    /// The index that leads from counting to counted documents.
    let index: String
    /// Whether the counters are wanted, and if so whether they are looked at again.
    let counters: Counters
    let interruption: Interruption

    /// What becomes of the counters.
    enum Counters: Sendable {
        case unwanted
        /// What is seen wrong is wrong.
        case once
        /// What is seen wrong settles.
        case settling

        var areWanted: Bool { self != .unwanted }
    }

    /// What came of it.
    struct Outcome: Sendable {
        var references: ReferenceScan.Result
        /// Whether a document's field has a shape that it mustn't have.
        var hasFaults = false
        /// How many counting documents there are.
        var counting = 0

        mutating func merge(_ other: Outcome, in collection: String) {
            references.merge(other.references, in: collection)
            hasFaults = hasFaults || other.hasFaults
            counting += other.counting
        }
    }

    /// So many groups of documents are judged together.
    private static let groupsTogether = 5_000

    /// Prepares a pass over a collection.
    ///
    /// - Parameter near: A server that takes longer to answer is far away.
    /// - Returns: nil where another way is better: no counter counts it, no index holds what counting needs, the server is far
    ///   away, or its documents aren't in its memory. To read those one by one takes longer than to go over all of them
    ///   several times.
    init?(
        over collection: CollectionSchema, in schema: DatabaseSchema, _ database: Database,
        counting: [CollectionSchema], counters: Counters, within near: Duration, _ interruption: Interruption
    ) async throws {
        let found = counting.lazy.compactMap { holder in
            holder.counters.first { counter in
                counter.counted == collection.name
                    && collection.references.contains {
                        $0.field == counter.reference && $0.target == holder.name
                    }
            }.map { (holder, $0) }
        }.first
        guard let (holder, counter) = found, database.server.topology != .sharded else { return nil }
        scan = try await CounterScan(database: database, collection: holder, counter: counter)
        guard case .index(let name) = scan.access, try await database.isNear(near),
            try await database.hasInMemory(collection.name)
        else { return nil }
        index = name
        references = ReferenceScan(database: database, collection: collection, schema: schema)
        (self.counters, self.interruption) = (counters, interruption)
    }

    /// Whether the shapes of its fields are looked at, too: where none can be large by right.
    var looksAtFields: Bool {
        references.collection.fields.allSatisfy {
            $0.types.isSubset(of: [.bool, .date, .int32, .int64, .double, .objectID])
        }
    }

    /// How it reads, in words.
    var description: String {
        let rest = counters.areWanted ? "references, fields and counts" : "references and fields"
        return "range by range, by the index \(index): \(rest) in one pass"
    }

    /// Goes over the collection.
    ///
    /// - Parameters:
    ///   - workers: How many ranges are read at once.
    ///   - progress: Where it is told how many of the counting documents are done.
    ///   - drifted: Called with the counters that are wrong, by several workers at once.
    /// - Throws: ``EngineError/interrupted(_:)``, `MongoError`.
    func run(
        workers: Int, _ progress: WorkDone, _ drifted: @escaping @Sendable ([CounterObservation]) -> Void
    ) async throws -> Outcome {
        let (database, name) = (scan.database, references.collection.name)
        let ranges = IDRanges(collection: scan.collection.name)
        let all = Mutex(Outcome(references: references.emptyResult))
        try await database.inWorkers(
            workers, next: { try await ranges.next($0) },
            each: { worker, range in
                try interruption.check()
                let start = ContinuousClock.now
                let (outcome, drifts) = try await on(worker).look(at: range)
                await ranges.took(ContinuousClock.now - start, documents: outcome.counting)
                drifted(drifts)
                progress.add(outcome.counting)
                all.withLock { $0.merge(outcome, in: name) }
            })
        // What names no counting document by an ObjectId; no ObjectId is smaller than this one.
        var tally = Tally(self, stored: [:])
        let filter: BSONDocument = [scan.counter.reference: ["$not": ["$gte": .objectID(.min)]]]
        try await read(filter, nil, into: &tally)
        all.withLock { [tally] in $0.merge(tally.outcome, in: name) }
        if counters.areWanted {
            let others = try await scan.scanOthers(
                excluding: [.objectID], fingerprints: counters == .settling
            ) { drifts, _ in drifted(drifts) }
            all.withLock { $0.counting += others }
        }
        return all.withLock { $0 }
    }

    private init(_ pass: CollectionPass, on database: Database) {
        scan = pass.scan.on(database)
        references = ReferenceScan(
            database: database, collection: pass.references.collection, schema: pass.references.schema)
        (index, counters, interruption) = (pass.index, pass.counters, pass.interruption)
    }

    private func on(_ database: Database) -> CollectionPass { CollectionPass(self, on: database) }

    /// Looks at the documents of a range, and at those that refer to it, at one moment where the server can show it.
    private func look(at range: IDRange) async throws -> (Outcome, [CounterObservation]) {
        try await scan.atOneMoment { session in
            let stored = try await scan.storedCounters(range.condition, session)
            var tally = Tally(self, stored: stored)
            try await read([scan.counter.reference: range.condition], session, into: &tally)
            tally.outcome.counting = stored.count
            guard counters.areWanted else { return (tally.outcome, []) }
            let drifts = try await scan.drifts(
                among: stored, tally.live, fingerprints: counters == .settling, session)
            return (tally.outcome, drifts)
        }
    }

    /// Reads documents, as little of them as is looked at, in the order of the index.
    private func read(_ filter: BSONDocument, _ session: ClientSession?, into tally: inout Tally) async throws {
        let database = scan.database
        let cursor = try await database.client.find(
            database.namespace(references.collection.name), filter: filter,
            options: database.committed(
                [
                    "projection": .document(BSONDocument(Columns(self).keys.map { ($0, 1) })), "hint": .string(index),
                    "collation": .document(ExactMatch.collation), "batchSize": .int32(Int32(CounterScan.batchSize)),
                ], session), readPreference: database.readPreference, session: session)
        var collected = tally
        try await database.client.forEachBatch(of: cursor, maximum: CounterScan.batchSize) { documents in
            try interruption.check()
            for document in documents { collected.add(document) }
            if collected.groups.count > Self.groupsTogether { try await collected.judge(isEnd: false) }
        }
        try await collected.judge(isEnd: true)
        tally = collected
    }

    /// What is read of a document, by its place in ``BSONColumns``.
    private struct Columns {
        let keys: [String]
        let id = 0
        let references: Range<Int>
        let counted: Int
        let deleted: Int
        let created: Int
        /// The fields with rules, each with whether a value of a type, or none, breaks its rule.
        let rules: [(column: Int, faults: [Bool])]

        init(_ pass: CollectionPass) {
            var keys = ["_id"] + pass.references.fields
            func column(_ field: String) -> Int {
                if let known = keys.firstIndex(of: field) { return known }
                keys.append(field)
                return keys.count - 1
            }
            references = 1..<keys.count
            let counter = pass.scan.counter
            (counted, deleted) = (column(counter.reference), column(counter.deletedField))
            created = column(counter.createdField)
            let fields = pass.looksAtFields ? pass.references.collection.fields : []
            rules = fields.map { rule in
                var faults = [Bool](repeating: false, count: Int(UInt8.max) + 1)
                for type in BSONType.allCases { faults[Int(type.rawValue)] = rule.code(of: type) != nil }
                // No type has the number 0.
                faults[0] = rule.code(of: nil) != nil
                return (column(rule.field), faults)
            }
            self.keys = keys
        }
    }

    /// What is known of the documents that were read of one range.
    private struct Tally {
        let pass: CollectionPass
        let stored: [ObjectID: CounterScan.StoredCounter]
        var outcome: Outcome
        /// The documents that aren't judged yet, by their references.
        var groups: [[BSONValue?]: Group] = [:]
        /// What each counting document counts.
        private(set) var live: [ObjectID: LiveCount] = [:]
        private let columns: Columns
        private var document: BSONColumns
        /// The documents that were read last: those with the same references follow one another.
        private var last: Last?

        struct Group {
            var count = 0
            var first: BSONValue
            var live = LiveCount.none
        }

        /// Documents with the same references, and one of them.
        private struct Last {
            let document: BSONColumns
            var group: Group
        }

        init(_ pass: CollectionPass, stored: [ObjectID: CounterScan.StoredCounter]) {
            self.pass = pass
            self.stored = stored
            columns = Columns(pass)
            document = BSONColumns(columns.keys)
            outcome = Outcome(references: pass.references.emptyResult)
        }

        mutating func add(_ added: BSONDocument) {
            document.read(added)
            outcome.references.scanned += 1
            if !outcome.hasFaults {
                for (column, faults) in columns.rules where faults[Int(document.type(column)?.rawValue ?? 0)] {
                    outcome.hasFaults = true
                }
            }
            let id = document.value(columns.id) ?? .null
            if let last, columns.references.allSatisfy({ document.isSame($0, as: last.document) }) {
                if id.precedes(last.group.first) { self.last?.group.first = id }
            } else {
                keepLast()
                last = Last(document: document, group: Group(first: id))
            }
            last?.group.count += 1
            guard document.value(columns.deleted) == false else { return }
            last?.group.live.add(document.value(columns.created))
        }

        private mutating func keepLast() {
            guard let last else { return }
            self.last = nil
            let group = last.group
            if group.live.live > 0, let id = last.document.value(columns.counted)?.objectID, stored[id] != nil {
                live[id, default: .none].add(group.live)
            }
            let key = columns.references.map { last.document.value($0) }
            guard var known = groups[key] else {
                groups[key] = group
                return
            }
            known.count += group.count
            if group.first.precedes(known.first) { known.first = group.first }
            groups[key] = known
        }

        /// Judges what was read.
        ///
        /// - Parameter isEnd: Whether nothing follows; else what may go on is kept.
        mutating func judge(isEnd: Bool) async throws {
            if isEnd { keepLast() }
            let fields = pass.references.fields
            let judged = groups.map { key, group in
                ReferenceScan.Group(
                    references: BSONDocument(zip(fields, key).compactMap { name, value in value.map { (name, $0) } }),
                    count: group.count, first: group.first)
            }
            groups = [:]
            let (stored, counter) = (stored, pass.scan.counter)
            for start in stride(from: 0, to: judged.count, by: CollectionPass.groupsTogether) {
                let some = Array(judged[start..<min(start + CollectionPass.groupsTogether, judged.count)])
                for reference in pass.references.collection.references {
                    let isCounted =
                        reference.field == counter.reference && reference.target == pass.scan.collection.name
                    try await pass.references.judge(some, reference, &outcome.references) { value in
                        guard isCounted, let found = value.objectID.flatMap({ stored[$0] }) else { return nil }
                        return found.owner ?? .null
                    }
                }
            }
        }
    }
}

extension Database {
    /// Whether the server is in the same place, by the fastest of its answers within a moment: a busy one, or a busy machine,
    /// takes its time now and then.
    fileprivate func isNear(_ near: Duration) async throws -> Bool {
        let begin = ContinuousClock.now
        repeat {
            let start = ContinuousClock.now
            _ = try await client.run(["ping": 1], on: name, mode: .read, readPreference: readPreference)
            if ContinuousClock.now - start < near { return true }
        } while ContinuousClock.now - begin < .milliseconds(300)
        return false
    }

    /// Smaller collections are read fast wherever they are, in bytes.
    private static let small: Int64 = 64 << 20

    /// Whether the server has most of a collection in its memory, or will in no time. False where it doesn't tell.
    fileprivate func hasInMemory(_ collection: String) async throws -> Bool {
        let statistics: BSONDocument
        do {
            statistics = try await client.run(
                ["collStats": .string(collection)], on: name, mode: .read, readPreference: readPreference)
        } catch let error as MongoError where error.kind == .unauthorized {
            // Whoever may find documents needn't be allowed to ask for this.
            return false
        }
        guard let size = statistics["size"]?.integer else { return false }
        let cached = statistics.value(at: "wiredTiger", "cache", "bytes currently in the cache")?.integer ?? 0
        return size <= Self.small || cached >= size / 2
    }
}
