internal import BSON
public import MigrationEngine
internal import MongoDriver

/// Sets counters to what they count, without ever making one wrong that the application is about to set right.
///
/// The application inserts, and increments a little later; between the two the stored count is rightly one behind. So a
/// counter is set only after it was seen wrong, left alone for the settling time, and seen again exactly as before:
/// the counter first, then what it counts. With ``RepairSettings/offline`` nobody else writes, and it is set at once.
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
            var counts: [FindingCode: Int] = [:]
            let scan = CounterScan(database: database, collection: collection, counter: counter)
            _ = try await scan.forEachDrift { drifts in
                for code in drifts.flatMap({ $0.codes(toleranceMS: counter.toleranceMS) }) {
                    counts[code, default: 0] += 1
                }
            }
            for code in FindingCode.allCases {
                guard let count = counts[code] else { continue }
                let field = code == .wrongLatest ? counter.latestField : counter.field
                plan.operations.append(
                    PlannedOperation(
                        code: code.rawValue, collection: collection.name,
                        operation: "recount \(field) (\(code.rawValue))", matched: count, access: .scan, risk: .careful)
                )
            }
        }
        return plan
    }

    /// Recounts until a look at everything finds nothing wrong, or time is up, or nothing comes to rest any more.
    ///
    /// - Throws: `EngineError` at a batch boundary, `MongoError`.
    public func apply(_ run: Run, _ settings: RepairSettings) async throws {
        let deadline = settings.maxTime.map { ContinuousClock.now + $0 }
        for (collection, counter) in try await all() {
            let scan = CounterScan(database: database, collection: collection, counter: counter)
            var fruitlessRounds = 0
            while true {
                let round = try await self.round(scan, run, settings)
                if settings.offline || round.suspects == 0 { break }
                fruitlessRounds = round.changed == 0 ? fruitlessRounds + 1 : 0
                if fruitlessRounds >= Self.patience { break }
                if let deadline, ContinuousClock.now >= deadline { break }
                try await wait(settings.settle, run)
            }
        }
    }

    /// So many rounds in a row may find suspects and set none before the rest is reported as unsettled.
    private static let patience = 3
    /// So many suspects settle together.
    private static let settlingLimit = 20_000

    /// So many are looked at together; without an index every look reads the whole collection.
    private static let observedTogether = 10_000

    private func all() async throws -> [(CollectionSchema, Counter)] {
        let present = try await database.client.listCollections(database.name)
        return schema.collections.filter { present[$0.name]?.isOrdinary ?? false }.flatMap { collection in
            collection.counters.map { (collection, $0) }
        }
    }

    /// One look at everything.
    private func round(
        _ scan: CounterScan, _ run: Run, _ settings: RepairSettings
    ) async throws -> (suspects: Int, changed: Int) {
        var suspects: [CounterObservation] = []
        var seen = 0
        var changed = 0
        _ = try await scan.forEachDrift { drifts in
            seen += drifts.count
            suspects += drifts
            guard suspects.count >= (settings.offline ? Run.batchSize : Self.settlingLimit) else { return }
            changed += try await mend(suspects, scan, run, settings)
            suspects = []
        }
        changed += try await mend(suspects, scan, run, settings)
        return (seen, changed)
    }

    /// Sets those of the suspects that are as they were, settling first.
    private func mend(
        _ suspects: [CounterObservation], _ scan: CounterScan, _ run: Run, _ settings: RepairSettings
    ) async throws -> Int {
        guard !suspects.isEmpty else { return 0 }
        var settled = suspects
        if !settings.offline {
            try await wait(settings.settle, run)
            settled = try await unchanged(suspects, scan)
        }
        var changed = 0
        for start in stride(from: 0, to: settled.count, by: Run.batchSize) {
            let batch = settled[start..<min(start + Run.batchSize, settled.count)]
            changed += try await set(Array(batch), scan, run)
            run.progress(ProgressUpdate("counting \(scan.counter.counted)", done: run.tally.totalChanged))
        }
        return changed
    }

    private func unchanged(
        _ suspects: [CounterObservation], _ scan: CounterScan
    ) async throws -> [CounterObservation] {
        var result: [CounterObservation] = []
        for start in stride(from: 0, to: suspects.count, by: Self.observedTogether) {
            let batch = suspects[start..<min(start + Self.observedTogether, suspects.count)]
            let earlier = Dictionary(batch.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            result += try await scan.observe(batch.map(\.id)).filter { earlier[$0.id] == $0 }
        }
        return result
    }

    /// Compares and sets; each finding is counted under its own code.
    private func set(_ batch: [CounterObservation], _ scan: CounterScan, _ run: Run) async throws -> Int {
        let counter = scan.counter
        let groups = Dictionary(grouping: batch) { $0.codes(toleranceMS: counter.toleranceMS) }
        var changed = 0
        for (codes, group) in groups.sorted(by: { $0.key.map(\.rawValue).joined() < $1.key.map(\.rawValue).joined() }) {
            guard let first = codes.first else { continue }
            let changes = group.compactMap { $0.repair(counter) }
            let missed = try await run.apply(changes, in: scan.collection.name, code: first.rawValue)
            changed += changes.count - missed.count
            for code in codes.dropFirst() {
                run.tally.changed(code.rawValue, scan.collection.name, changes.count - missed.count)
            }
        }
        return changed
    }

    private func wait(_ duration: Duration, _ run: Run) async throws {
        let end = ContinuousClock.now + duration
        while ContinuousClock.now < end {
            try run.checkpoint()
            let rest = end - ContinuousClock.now
            run.progress(
                ProgressUpdate(
                    "counting", done: run.tally.totalChanged,
                    waiting: "settling \(max(1, rest.components.seconds)) s"))
            try await Task.sleep(for: min(rest, .milliseconds(200)))
        }
    }
}
