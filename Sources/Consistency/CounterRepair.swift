internal import BSON
package import Journal
internal import MongoDriver

/// Sets counters to what they count, without ever making one wrong that the application is about to set right.
///
/// The application inserts, and increments a little later; between the two the stored count is rightly one behind. So a
/// counter is set only after it was seen wrong, left alone for the settling time, and seen again exactly as before
/// (``CounterVerdict``). Meanwhile the scan goes on. With ``RepairSettings/offline`` nobody else writes, and it is set at
/// once.
package struct CounterRepair: Sendable {
    private let database: Database
    private let schema: DatabaseSchema

    /// Makes a repair.
    package init(database: Database, schema: DatabaseSchema) {
        self.database = database
        self.schema = schema
    }

    /// What the repair would do to the data as it is. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    package func plan(_ settings: RepairSettings = RepairSettings()) async throws -> StepPlan {
        var plan = StepPlan()
        let protected = try await CounterSafeguard(database: database, schema: schema).protected(nil, settings)
        for (collection, counter) in try await all() {
            let scan = try await CounterScan(database: database, collection: collection, counter: counter)
            let (counts, kept) = try await Self.drifts(scan, isProtected: protected.contains(counter.counted))
            plan.leftovers += kept.leftovers
            for code in FindingCode.allCases {
                guard let count = counts[code] else { continue }
                let field = counter.field(of: code)
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

    /// - Returns: What would be set, and what would be kept as it is.
    private static func drifts(
        _ scan: CounterScan, isProtected: Bool
    ) async throws -> (set: CodeCounts, kept: KeptCounters) {
        let (counts, kept) = (CodeCounts(), KeptCounters(scan))
        let work = try await scan.progress(scan.database.progress)
        _ = try await scan.forEachDrift(workers: RepairSettings.defaultWorkers, nil, work) { scan, drifts, scanned in
            work.add(scanned)
            for drift in kept.sorted(out: drifts, isProtected: isProtected) {
                counts.add(drift, drift.mended(toleranceMS: scan.counter.toleranceMS))
            }
        }
        return (counts, kept)
    }

    /// Recounts until a look at everything finds nothing wrong, or it has looked so often as the settings allow, or time is
    /// up.
    ///
    /// What couldn't be set, or is wrong again by then, is counted as left in the run's totals.
    ///
    /// - Throws: `EngineError` at a batch boundary, `MongoError`.
    package func apply(_ run: Run, _ settings: RepairSettings) async throws {
        let deadline = settings.maxTime.map { ContinuousClock.now + $0 }
        let counters = try await all()
        guard !counters.isEmpty else { return }
        let protected = try await CounterSafeguard(database: database, schema: schema).protected(run, settings)
        for (collection, counter) in counters {
            try await run.recording("recount \(counter.field)", in: collection.name) {
                try await apply(collection, counter, run, settings, deadline, protected.contains(counter.counted))
            }
        }
    }

    private func apply(
        _ collection: CollectionSchema, _ counter: Counter, _ run: Run, _ settings: RepairSettings,
        _ deadline: ContinuousClock.Instant?, _ isProtected: Bool
    ) async throws {
        var attempt = 1
        while true {
            var scan = try await CounterScan(database: database, collection: collection, counter: counter)
            scan.isProtected = isProtected
            run.progress(.note("Counting \(counter.counted) \(scan.access.description)."))
            do {
                return settings.offline
                    ? try await setAtOnce(scan, run, settings) : try await setSettled(scan, run, settings, deadline)
            } catch let error as MongoError
                where error.isOfLostIndex && attempt < Self.patience
            {
                // "hint provided does not correspond to an existing index": it was dropped meanwhile.
                database.forgetCatalog()
                guard try await CounterAccess.choose(database, counter) != scan.access else { throw error }
                attempt += 1
                run.totals.beginAttempt()
            }
        }
    }

    private func setSettled(
        _ scan: CounterScan, _ run: Run, _ settings: RepairSettings, _ deadline: ContinuousClock.Instant?
    ) async throws {
        var round = try await CounterRound(scan: scan, run: run, settings: settings, number: 1)
        var earlier: CounterRound?
        var restless: MovedCounters?
        do {
            while true {
                let outcome = try await round.play()
                // What the server refuses once it refuses again.
                let moved = outcome.moved.since(outcome.set == 0 ? restless : nil)
                if outcome.set == 0 && moved.isEmpty { return }
                let isOver = deadline.map { ContinuousClock.now >= $0 } ?? false
                // What was set is looked at once more when it has had the time to become wrong again; what moved settles
                // within the next round.
                if outcome.set > 0, !isOver { try await round.waitToSettle(moved.count) }
                if isOver || round.number >= settings.rounds {
                    let left = try await scan.wrongNow(of: Array(moved.ids) + outcome.setIDs)
                    let reason = isOver ? Unsettled.timeIsUp : .rounds(round.number)
                    Self.leave(moved.isWhole ? left : moved, scan, run, reason)
                    return
                }
                restless = moved
                earlier = round
                round = try await CounterRound(scan: scan, run: run, settings: settings, number: round.number + 1)
                run.totals.beginAttempt()
            }
        } catch EngineError.interrupted(let reason) {
            await Self.leave(round, after: earlier, reason)
            throw EngineError.interrupted(reason)
        }
    }

    /// Tells what a round that was stopped has left: what is wrong now of all that it had to do with, or where that can't
    /// be seen in time, what it had seen wrong, and hadn't set.
    private static func leave(_ round: CounterRound, after earlier: CounterRound?, _ reason: StopReason) async {
        var known = round.wrong
        var ids = Array(known.ids) + round.setIDs
        if !round.hasSeenAll, let earlier {
            known += earlier.wrong
            ids += Array(earlier.wrong.ids) + earlier.setIDs
        }
        if reason == .timeIsUp, known.isWhole,
            let found = try? await round.scan.wrongNow(of: Array(Set(ids)), within: lastLook)
        {
            known = found
        }
        let unsettled = reason == .timeIsUp ? Unsettled.timeIsUp : .stopped
        leave(known, round.scan, round.run, unsettled, sawAll: round.hasSeenAll)
    }

    /// The process is ended two seconds after its time.
    private static let lastLook = Duration.seconds(1)

    private static func leave(
        _ counters: MovedCounters, _ scan: CounterScan, _ run: Run, _ unsettled: Unsettled, sawAll: Bool = true
    ) {
        for (code, count) in counters.counts {
            run.totals.left(
                code.rawValue, scan.collection.name, count, field: scan.counter.field(of: code),
                reason: unsettled.reason(sawAll: sawAll), samples: counters.samples(code))
        }
    }

    /// Why a counter is left that hasn't come to rest.
    private enum Unsettled {
        case rounds(Int)
        case timeIsUp, stopped

        func reason(sawAll: Bool) -> Sentence {
            let rest = sawAll ? "" : "; there may be more, for not all were looked at"
            return switch self {
            case .rounds(1): "wrong again after 1 round of counting (unsettled): \(RepairAdvice.repairCounts)"
            case .rounds(let rounds):
                "still being changed after \(rounds) rounds of counting (unsettled): \(RepairAdvice.repairCounts)"
            case .timeIsUp: "time was up before it came to rest (unsettled): \(EngineAdvice.again)\(rest)"
            case .stopped: "stopped before it came to rest (unsettled): \(EngineAdvice.again)\(rest)"
            }
        }
    }

    /// So often an index that counting reads may be dropped meanwhile.
    private static let patience = 3

    private func all() async throws -> [(CollectionSchema, Counter)] {
        let holding = try await database.holding(schema.collections.filter { !$0.counters.isEmpty }.map(\.name))
        return schema.collections.filter { holding.contains($0.name) }.flatMap { collection in
            collection.counters.map { (collection, $0) }
        }
    }

    private func setAtOnce(_ scan: CounterScan, _ run: Run, _ settings: RepairSettings) async throws {
        let progress = try await scan.progress(run.progress)
        _ = try await scan.forEachDrift(workers: settings.workers, run, progress) { scan, drifts, scanned in
            let drifts = scan.settable(drifts, run)
            progress.add(scanned - drifts.count)
            let setting = CounterSetting(scan: scan, run: run.on(scan.database), offline: true)
            let outcome = try await setting.set(drifts) { batch, _ in progress.add(batch.count) }
            for (code, count) in outcome.moved.counts {
                run.totals.left(
                    code.rawValue, scan.collection.name, count, field: scan.counter.field(of: code),
                    reason: "changed while it was being counted, though \(EngineAdvice.nobodyWrites)",
                    samples: outcome.moved.samples(code))
            }
        }
    }
}

/// Sets counters that may be set, in batches.
struct CounterSetting: Sendable {
    let scan: CounterScan
    let run: Run
    /// Whether nobody else writes.
    var offline = false

    /// What became of some counters.
    struct Outcome: Sendable {
        var set = 0
        /// The `_id`s of those that were set; of very many, some.
        var setIDs: [BSONValue] = []
        /// Those that had changed since they were observed.
        var moved = MovedCounters()
        /// Those that the server refused to change.
        var refused = 0

        static func += (sum: inout Outcome, more: Outcome) {
            sum.set += more.set
            sum.setIDs += more.setIDs.prefix(max(MovedCounters.limit - sum.setIDs.count, 0))
            sum.moved += more.moved
            sum.refused += more.refused
        }
    }

    /// Compares and sets; each finding is counted under its own code.
    ///
    /// - Parameter each: Told what became of each batch.
    /// - Returns: What became of all.
    @discardableResult
    func set(
        _ observations: [CounterObservation], each: ([CounterObservation], Outcome) -> Void = { _, _ in }
    ) async throws -> Outcome {
        var outcome = Outcome()
        for start in stride(from: 0, to: observations.count, by: Run.batchSize) {
            let batch = Array(observations[start..<min(start + Run.batchSize, observations.count)])
            let part = try await setBatch(batch)
            each(batch, part)
            outcome += part
        }
        return outcome
    }

    private func setBatch(_ batch: [CounterObservation]) async throws -> Outcome {
        let first = try await set(batch, singly: false)
        var moved = Set(first.moved)
        var refused = Set(first.refused)
        let observed = Dictionary(batch.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        if !moved.isEmpty {
            // Sent together with one that was refused, or of a form that has to be changed singly, and still as they were:
            // each by itself. They are looked at anew, for a counter's change is never sent twice unseen.
            let rest = try await scan.observeNow(first.moved).filter { observed[$0.id]?.isSame(as: $0) ?? false }
            let second = try await set(rest, singly: true)
            moved.subtract(rest.map(\.id))
            moved.formUnion(second.moved)
            refused.formUnion(second.refused)
        }
        let set = batch.map(\.id).filter { !moved.contains($0) && !refused.contains($0) }
        var outcome = Outcome(set: set.count, setIDs: set, refused: refused.count)
        for id in moved { if let observation = observed[id] { outcome.moved.add(observation, scan.counter) } }
        return outcome
    }

    private func set(_ observations: [CounterObservation], singly: Bool) async throws -> Unchanged {
        let counter = scan.counter
        let groups = Dictionary(grouping: observations) { $0.mended(toleranceMS: counter.toleranceMS) }
        var unchanged = Unchanged()
        for (codes, group) in groups.sorted(by: { $0.key.map(\.rawValue).joined() < $1.key.map(\.rawValue).joined() }) {
            guard let first = codes.first else { continue }
            let changes = group.compactMap { $0.repair(counter) }
            unchanged += try await run.applyOnce(
                changes, in: scan.collection.name, code: first.rawValue, also: codes.dropFirst().map(\.rawValue),
                singly: singly, offline: offline)
        }
        return unchanged
    }
}
