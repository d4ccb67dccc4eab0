internal import BSON
public import MigrationEngine
internal import MongoDriver

/// Sets counters to what they count, without ever making one wrong that the application is about to set right.
///
/// The application inserts, and increments a little later; between the two the stored count is rightly one behind. So a
/// counter is set only after it was seen wrong, left alone for the settling time, and seen again exactly as before
/// (``CounterVerdict``). Meanwhile the scan goes on. With ``RepairSettings/offline`` nobody else writes, and it is set at
/// once.
public struct CounterRepair: Sendable {
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
        for (collection, counter) in try await all() {
            let counts = CodeCounts()
            let scan = try await CounterScan(database: database, collection: collection, counter: counter)
            _ = try await scan.forEachDrift(workers: RepairSettings.defaultWorkers) { _, drifts in
                for drift in drifts {
                    let sample = CollectionOfOne<BSONDocument>(["_id": drift.id])
                    for code in drift.codes(toleranceMS: counter.toleranceMS) { counts.add(code, samples: sample) }
                }
            }
            for code in FindingCode.allCases {
                guard let count = counts[code] else { continue }
                let field = code == .wrongLatest ? counter.latestField : counter.field
                plan.operations.append(
                    PlannedOperation(
                        code: code.rawValue, collection: collection.name,
                        operation: "recount \(field) (\(code.rawValue))", matched: count,
                        access: scan.access == .onePass ? .scan : .index, risk: .careful,
                        samples: counts.samples(code)))
            }
        }
        return plan
    }

    /// Recounts until a look at everything finds nothing wrong, or time is up, or nothing comes to rest any more.
    ///
    /// With ``RepairSettings/offline`` what couldn't be set is counted as left in the run's tally; else a check tells.
    ///
    /// - Throws: `EngineError` at a batch boundary, `MongoError`.
    public func apply(_ run: Run, _ settings: RepairSettings) async throws {
        let deadline = settings.maxTime.map { ContinuousClock.now + $0 }
        for (collection, counter) in try await all() {
            try await run.recording("recount \(counter.field)", in: collection.name) {
                try await apply(collection, counter, run, settings, deadline)
            }
        }
    }

    private func apply(
        _ collection: CollectionSchema, _ counter: Counter, _ run: Run, _ settings: RepairSettings,
        _ deadline: ContinuousClock.Instant?
    ) async throws {
        let scan = try await CounterScan(database: database, collection: collection, counter: counter)
        run.progress(.note("Counting \(counter.counted) \(scan.access.description)."))
        if settings.offline {
            return try await setAtOnce(scan, run, settings)
        }
        var fruitlessRounds = 0
        while true {
            let round = try await CounterRound(scan: scan, run: run, settings: settings).play()
            // What the server refuses once it refuses again.
            if round.suspects == round.refused { break }
            fruitlessRounds = round.changed == 0 ? fruitlessRounds + 1 : 0
            if fruitlessRounds >= Self.patience { break }
            if let deadline, ContinuousClock.now >= deadline { break }
            try await run.settle(settings.settle)
            run.tally.beginAttempt()
        }
    }

    /// So many rounds in a row may find suspects and set none before the rest is reported as unsettled.
    private static let patience = 3

    private func all() async throws -> [(CollectionSchema, Counter)] {
        let present = try await database.client.listCollections(database.name)
        return schema.collections.filter { present[$0.name]?.isOrdinary ?? false }.flatMap { collection in
            collection.counters.map { (collection, $0) }
        }
    }

    private func setAtOnce(_ scan: CounterScan, _ run: Run, _ settings: RepairSettings) async throws {
        _ = try await scan.forEachDrift(workers: settings.workers, run) { scan, drifts in
            let outcome = try await CounterSetting(scan: scan, run: run.on(scan.database)).set(drifts)
            run.tally.left(
                FindingCode.wrongCount.rawValue, scan.collection.name, outcome.moved,
                reason: "changed while it was being counted, though --offline says that nobody writes")
        }
    }
}

/// Sets counters that may be set, in batches.
struct CounterSetting: Sendable {
    let scan: CounterScan
    let run: Run

    /// What became of some counters.
    struct Outcome: Sendable {
        var set = 0
        /// Those that had changed since they were observed.
        var moved = 0
        /// Those that the server refused to change.
        var refused = 0

        static func += (sum: inout Outcome, more: Outcome) {
            sum.set += more.set
            sum.moved += more.moved
            sum.refused += more.refused
        }
    }

    /// Compares and sets; each finding is counted under its own code.
    func set(_ observations: [CounterObservation]) async throws -> Outcome {
        var outcome = Outcome()
        for start in stride(from: 0, to: observations.count, by: Run.batchSize) {
            let batch = observations[start..<min(start + Run.batchSize, observations.count)]
            outcome += try await setBatch(Array(batch))
            run.progress(ProgressUpdate("counting \(scan.counter.counted)", done: run.tally.totalChanged))
        }
        return outcome
    }

    private func setBatch(_ batch: [CounterObservation]) async throws -> Outcome {
        let first = try await set(batch, singly: false)
        var outcome = Outcome(moved: first.moved.count, refused: first.refused.count)
        if !first.moved.isEmpty {
            // Sent together with one that was refused, or of a form that has to be changed singly, and still as they were:
            // each by itself. They are looked at anew, for a counter's change is never sent twice unseen.
            let observed = Dictionary(batch.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            let rest = try await scan.observe(first.moved).filter { $0 == observed[$0.id] }
            let second = try await set(rest, singly: true)
            outcome.moved += second.moved.count - rest.count
            outcome.refused += second.refused.count
        }
        outcome.set = batch.count - outcome.moved - outcome.refused
        return outcome
    }

    private func set(_ observations: [CounterObservation], singly: Bool) async throws -> Unchanged {
        let counter = scan.counter
        let groups = Dictionary(grouping: observations) { $0.codes(toleranceMS: counter.toleranceMS) }
        var unchanged = Unchanged()
        for (codes, group) in groups.sorted(by: { $0.key.map(\.rawValue).joined() < $1.key.map(\.rawValue).joined() }) {
            guard let first = codes.first else { continue }
            let changes = group.compactMap { $0.repair(counter) }
            unchanged += try await run.applyOnce(
                changes, in: scan.collection.name, code: first.rawValue, also: codes.dropFirst().map(\.rawValue),
                singly: singly)
        }
        return unchanged
    }
}
