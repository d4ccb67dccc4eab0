internal import BSON
internal import Journal
internal import MongoDriver
internal import Synchronization

/// One look at everything while the application writes: what is seen wrong settles while the scan goes on, is looked at
/// again when its time has come, and is set if it has come to rest.
struct CounterRound: Sendable {
    let scan: CounterScan
    let run: Run
    /// Which round it is, from 1 on.
    let number: Int
    private let settings: RepairSettings
    private let settling: Settling
    private let progress: WorkDone

    init(scan: CounterScan, run: Run, settings: RepairSettings, number: Int) async throws {
        progress = try await scan.progress(round: number, run.progress)
        (self.scan, self.run, self.settings, self.number) = (scan, run, settings, number)
        settling = Settling(
            settings.settle, isLookingDear: scan.access == .onePass, batchSize: scan.suspectsTogether,
            words: SettlingWords(round: number, plural: scan.collection.plural), progress)
    }

    /// - Returns: What became of those that were seen wrong. What was right when it was looked at again is left out: the
    ///   application had been between its two halves.
    func play() async throws -> CounterSetting.Outcome {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                _ = try await scan.forEachDrift(fingerprints: true, workers: settings.workers, run, progress) {
                    scan, drifts, scanned in
                    let drifts = scan.settable(drifts, run)
                    progress.add(scanned - drifts.count)
                    settling.meet(drifts, scan.counter)
                    try await settling.makeRoom(for: drifts.count, run)
                    settling.add(drifts)
                }
                settling.end()
            }
            group.addTask {
                try await run.inWorkers(
                    settings.workers, next: { _ in try await settling.next(run) },
                    each: { worker, suspects in try await look(again: suspects, worker) })
            }
            // Unlike `waitForAll`, this ends the others when one has thrown.
            while try await group.next() != nil {}
        }
        return settling.outcome
    }

    /// What was seen wrong and wasn't set, also where the round was stopped.
    var wrong: MovedCounters { settling.wrong }

    /// What was set, also where the round was stopped; of very many, some.
    var setIDs: [BSONValue] { settling.outcome.setIDs }

    /// Whether everything was looked at before the round was stopped.
    var hasSeenAll: Bool { settling.hasSeenAll }

    /// Waits for a settling time, ready to stop.
    ///
    /// - Parameter moving: How many hadn't come to rest.
    func waitToSettle(_ moving: Int) async throws {
        let words = SettlingWords(round: number + 1, plural: scan.collection.plural)
        let what = scan.what(round: number + 1)
        try await run.pause(for: settings.settle) { rest in
            run.progress(ProgressUpdate(what, total: nil, waiting: Sentence(words.text(rest, moving))))
        }
    }

    /// Looks at suspects a second time and sets those that may be set.
    private func look(again suspects: [CounterObservation], _ worker: Run) async throws {
        defer { settling.hasLooked() }
        if scan.access == .onePass {
            let count = suspects.count.withSeparators
            progress.wait("the server reads \(scan.counter.counted) again, for \(count) \(scan.collection.plural)")
        }
        let scan = scan.on(worker.database)
        let first = Dictionary(suspects.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var settled: [CounterObservation] = []
        var outcome = CounterSetting.Outcome()
        for second in try await scan.observeNow(suspects.map(\.id)) {
            guard let first = first[second.id], !second.wouldLose(scan.isProtected) else { continue }
            switch CounterVerdict(first: first, second: second, counter: scan.counter) {
            case .right: continue
            case .moved: outcome.moved.add(second, scan.counter)
            case .set: settled.append(second)
            }
        }
        let waiting = Set(settled.map(\.id))
        settling.came(to: outcome, of: suspects.filter { !waiting.contains($0.id) })
        try await CounterSetting(scan: scan, run: worker).set(settled) { settling.came(to: $1, of: $0) }
    }
}

/// What is said of counters that settle.
struct SettlingWords: Sendable {
    let round: Int
    /// What the counting documents are called.
    let plural: String

    /// - Parameters:
    ///   - rest: How long it still is.
    ///   - count: How many are waited for.
    func text(_ rest: Duration, _ count: Int) -> String {
        let seconds = (rest.milliseconds + 999) / 1000
        let settling = "settling \(max(1, seconds)) s, round \(round)"
        guard count > 0 else { return settling }
        return "\(settling), \(count.withSeparators) \(plural) \(round == 1 ? "seen wrong" : "still moving")"
    }
}

/// Suspects that settle, in the order in which they were seen.
private final class Settling: Sendable {
    private struct State {
        var waiting: [(suspect: CounterObservation, due: ContinuousClock.Instant)] = []
        /// Those before it have been handed out.
        var start = 0
        /// Room that was promised, and isn't taken yet.
        var reserved = 0
        var outcome = CounterSetting.Outcome()
        /// How many batches are being looked at again.
        var looking = 0
        /// How many batches that were scanned wait for room.
        var blocked = 0
        /// What was seen wrong, and isn't decided yet.
        var undecided: [BSONValue: [FindingCode]] = [:]
        var isComplete = false

        var count: Int { waiting.count - start }
    }

    private static let nap = Duration.milliseconds(50)

    private let duration: Duration
    /// Whether each look at settled suspects reads a whole collection: then as many as can be share one.
    private let isLookingDear: Bool
    private let batchSize: Int
    /// So many settle at the same time at most: they are held in memory.
    private let limit: Int
    private let words: SettlingWords
    private let progress: WorkDone
    private let state = Mutex(State())

    init(
        _ duration: Duration, isLookingDear: Bool, batchSize: Int, words: SettlingWords, _ progress: WorkDone
    ) {
        (self.words, self.progress) = (words, progress)
        self.duration = duration
        self.isLookingDear = isLookingDear
        self.batchSize = batchSize
        limit = max(2 * batchSize, 20_000)
    }

    /// What became of those that were looked at again.
    var outcome: CounterSetting.Outcome { state.withLock { $0.outcome } }

    /// What was seen wrong and wasn't set.
    var wrong: MovedCounters {
        state.withLock { state in
            var wrong = state.outcome.moved
            for (id, codes) in state.undecided { wrong.add(id, codes) }
            return wrong
        }
    }

    /// Whether no more will come.
    var hasSeenAll: Bool { state.withLock { $0.isComplete } }

    /// Some suspects were looked at again.
    func came(to outcome: CounterSetting.Outcome, of suspects: [CounterObservation]) {
        state.withLock { state in
            state.outcome += outcome
            for suspect in suspects { state.undecided[suspect.id] = nil }
        }
        progress.add(suspects.count)
    }

    /// Some counters are seen wrong.
    func meet(_ suspects: [CounterObservation], _ counter: Counter) {
        state.withLock { state in
            for suspect in suspects { state.undecided[suspect.id] = suspect.mended(toleranceMS: counter.toleranceMS) }
        }
    }

    /// A batch of suspects was looked at again, or couldn't be.
    func hasLooked() { state.withLock { $0.looking -= 1 } }

    /// Waits until there is room for so many more, and keeps it for them.
    func makeRoom(for count: Int, _ run: Run) async throws {
        state.withLock { $0.blocked += 1 }
        defer { state.withLock { $0.blocked -= 1 } }
        while true {
            let hasRoom = state.withLock { state in
                let taken = state.count + state.reserved
                guard taken == 0 || taken + count <= limit else { return false }
                state.reserved += count
                return true
            }
            if hasRoom { return }
            try run.checkpoint()
            try await Task.sleep(for: Self.nap)
        }
    }

    /// Begins to settle suspects that were seen just now.
    func add(_ suspects: [CounterObservation]) {
        let due = ContinuousClock.now + duration
        state.withLock { state in
            state.waiting += suspects.map { ($0, due) }
            state.reserved -= suspects.count
        }
    }

    /// No more will come.
    func end() { state.withLock { $0.isComplete = true } }

    /// The next suspects whose time has come, waiting for it; nil when there are no more.
    func next(_ run: Run) async throws -> [CounterObservation]? {
        while true {
            try run.checkpoint()
            let now = ContinuousClock.now
            let (batch, rest, isOver, count, isIdle) = state.withLock { state in
                let end = min(state.start + batchSize, state.waiting.count)
                let waiting = state.waiting[state.start..<end]
                let due = waiting.prefix { $0.due <= now }
                // Where looking is dear, only the last suspects are looked at in less than a full batch.
                let isFull = waiting.count == batchSize || state.isComplete
                let waits = isLookingDear && (!isFull || due.count < waiting.count)
                let batch = waits ? [] : due.map(\.suspect)
                state.start += batch.count
                if state.start > limit / 2 {
                    state.waiting.removeFirst(state.start)
                    state.start = 0
                }
                let rest = (isLookingDear ? waiting.last : waiting.first).map { $0.due - now }
                if !batch.isEmpty { state.looking += 1 }
                let isIdle = state.looking == 0 && (state.isComplete || state.blocked > 0)
                return (batch, rest, state.isComplete && state.count == 0, state.undecided.count, isIdle)
            }
            if !batch.isEmpty { return batch }
            if isOver { return nil }
            if let rest, isIdle { progress.wait(Sentence(words.text(rest, count))) }
            if let rest, rest > .zero, rest < Self.nap {
                try await Task.sleep(for: rest)
            } else {
                try await Task.sleep(for: Self.nap)
            }
        }
    }
}
