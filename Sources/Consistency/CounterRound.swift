internal import BSON
internal import MigrationEngine
internal import MongoDriver
internal import Synchronization

/// One look at everything while the application writes: what is seen wrong settles while the scan goes on, is looked at
/// again when its time has come, and is set if it has come to rest.
struct CounterRound: Sendable {
    let scan: CounterScan
    let run: Run
    let settings: RepairSettings

    /// What a round came to.
    struct Result: Sendable {
        /// How many counters were seen wrong.
        let suspects: Int
        /// How many of them were set.
        let changed: Int
    }

    func play() async throws -> Result {
        let settling = Settling(settings.settle)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                _ = try await scan.forEachDrift(fingerprints: true, workers: settings.workers, run) { _, drifts in
                    try await settling.makeRoom(run)
                    settling.add(drifts)
                }
                settling.end()
            }
            group.addTask {
                try await run.inLanes(
                    settings.workers, next: { _ in try await settling.next(run) },
                    each: { lane, suspects in settling.changed(try await look(again: suspects, lane)) })
            }
            // Unlike `waitForAll`, this ends the others when one has thrown.
            while try await group.next() != nil {}
        }
        return Result(suspects: settling.total, changed: settling.totalChanged)
    }

    /// Looks at suspects a second time and sets those that may be set.
    private func look(again suspects: [CounterObservation], _ lane: Run) async throws -> Int {
        let scan = scan.on(lane.database)
        let first = Dictionary(suspects.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let settled = try await scan.observe(suspects.map(\.id)).filter { second in
            guard let first = first[second.id],
                case .set = CounterVerdict(first: first, second: second, counter: scan.counter)
            else { return false }
            return true
        }
        let missed = try await CounterSetting(scan: scan, run: lane).set(settled)
        return settled.count - missed
    }
}

/// Suspects that settle, in the order in which they were seen.
private final class Settling: Sendable {
    private struct State {
        var waiting: [(suspect: CounterObservation, due: ContinuousClock.Instant)] = []
        /// Those before it have been handed out.
        var start = 0
        var total = 0
        var changed = 0
        var isComplete = false

        var count: Int { waiting.count - start }
    }

    /// So many settle at the same time at most: they are held in memory.
    private static let limit = 20_000
    private static let batchSize = Run.batchSize
    private static let nap = Duration.milliseconds(50)

    private let duration: Duration
    private let state = Mutex(State())

    init(_ duration: Duration) { self.duration = duration }

    /// How many suspects there were.
    var total: Int { state.withLock { $0.total } }

    /// How many of them were set.
    var totalChanged: Int { state.withLock { $0.changed } }

    func changed(_ count: Int) { state.withLock { $0.changed += count } }

    /// Waits until there is room for more.
    func makeRoom(_ run: Run) async throws {
        while state.withLock({ $0.count >= Self.limit }) {
            try run.checkpoint()
            try await Task.sleep(for: Self.nap)
        }
    }

    /// Begins to settle suspects that were seen just now.
    func add(_ suspects: [CounterObservation]) {
        let due = ContinuousClock.now + duration
        state.withLock { state in
            state.waiting += suspects.map { ($0, due) }
            state.total += suspects.count
        }
    }

    /// No more will come.
    func end() { state.withLock { $0.isComplete = true } }

    /// The next suspects whose time has come, waiting for it; nil when there are no more.
    func next(_ run: Run) async throws -> [CounterObservation]? {
        while true {
            try run.checkpoint()
            let now = ContinuousClock.now
            let (batch, rest, isOver) = state.withLock { state in
                var batch: [CounterObservation] = []
                while batch.count < Self.batchSize, state.start < state.waiting.count,
                    state.waiting[state.start].due <= now
                {
                    batch.append(state.waiting[state.start].suspect)
                    state.start += 1
                }
                if state.start > Self.limit / 2 {
                    state.waiting.removeFirst(state.start)
                    state.start = 0
                }
                let rest = state.start < state.waiting.count ? state.waiting[state.start].due - now : nil
                return (batch, rest, state.isComplete && state.count == 0)
            }
            if !batch.isEmpty { return batch }
            if isOver { return nil }
            if let rest { run.reportSettling(rest) }
            try await Task.sleep(for: min(rest ?? Self.nap, Self.nap))
        }
    }
}

extension Run {
    /// Waits for a settling time, ready to stop.
    func settle(_ duration: Duration) async throws {
        let end = ContinuousClock.now + duration
        while ContinuousClock.now < end {
            try checkpoint()
            let rest = end - ContinuousClock.now
            reportSettling(rest)
            try await Task.sleep(for: min(rest, .milliseconds(200)))
        }
    }

    fileprivate func reportSettling(_ rest: Duration) {
        progress(
            ProgressUpdate(
                "counting", done: tally.totalChanged, waiting: "settling \(max(1, rest.components.seconds)) s"))
    }
}
