internal import BSON
internal import Journal
internal import MongoDriver
internal import Synchronization

/// Tells counters that are wrong from those that a request was just changing.
///
/// The application inserts, and counts a little later: what looks wrong between the two isn't. So what was seen wrong is
/// left alone for the settling time and looked at again, the counter first and then what it counts. It is wrong if it is
/// the same then, by the rule that a repair sets counters by (``CounterVerdict``). What has changed settles anew.
struct CounterCheck: Sendable {
    let scan: CounterScan
    let workers: Int
    /// How long suspects settle; zero looks once.
    let settle: Duration
    /// How often suspects are looked at again.
    let rounds: Int
    let interruption: Interruption
    let progress: ProgressReport

    /// What was found.
    struct Outcome: Sendable {
        /// How many counting documents were looked at.
        var scanned = 0
        /// The counters that never came to rest: whether they are wrong isn't known.
        var unsettled: [BSONValue] = []
    }

    /// More can't be in the middle of a request; they are wrong, and aren't held in memory.
    private static let mostSuspects = 200_000

    /// Counters that were seen wrong, of which nothing but a fingerprint is held.
    final class Suspects: Sendable {
        private let seen = Mutex(CounterFingerprints())

        /// Adds some, unless there are too many already.
        func add(_ drifts: [CounterObservation]) {
            seen.withLock { seen in
                guard seen.count <= mostSuspects else { return }
                for drift in drifts { seen.add(drift.id, drift.fingerprint) }
            }
        }

        /// Takes the fingerprints; nil where there are too many.
        func take() -> CounterFingerprints? {
            seen.withLock { seen in
                defer { seen = CounterFingerprints() }
                return seen.count <= mostSuspects ? seen : nil
            }
        }
    }

    /// Looks at all counters.
    ///
    /// - Parameter found: Called with those that are wrong, by several workers at once.
    /// - Throws: ``EngineError/interrupted(_:)``, ``MongoError``.
    func run(_ found: @escaping @Sendable ([CounterObservation]) -> Void) async throws -> Outcome {
        guard settle > .zero else { return Outcome(scanned: try await lookOnce(found)) }
        let work = try await scan.progress(progress)
        let suspects = Suspects()
        let scanned = try await scan.forEachDrift(fingerprints: true, workers: workers, nil, work) {
            _, drifts, scanned in
            work.add(scanned)
            suspects.add(drifts)
        }
        return try await look(again: suspects, scanned: scanned, found)
    }

    /// Looks again at counters that were seen wrong.
    ///
    /// - Parameters:
    ///   - suspects: Those that were.
    ///   - scanned: How many counting documents were looked at for that.
    ///   - found: Called with those that are wrong, by several workers at once.
    /// - Throws: ``EngineError/interrupted(_:)``, ``MongoError``.
    func look(
        again suspects: Suspects, scanned: Int, _ found: @escaping @Sendable ([CounterObservation]) -> Void
    ) async throws -> Outcome {
        guard var suspects = suspects.take() else { return Outcome(scanned: try await lookOnce(found)) }
        var round = 0
        while suspects.count > 0, round < rounds {
            round += 1
            suspects.order()
            try await wait(round, suspects.count)
            suspects = try await look(again: suspects, found)
        }
        return Outcome(scanned: scanned, unsettled: suspects.ids)
    }

    private func lookOnce(_ found: @escaping @Sendable ([CounterObservation]) -> Void) async throws -> Int {
        let work = try await scan.progress(progress)
        return try await scan.forEachDrift(workers: workers, nil, work) { _, drifts, scanned in
            work.add(scanned)
            found(drifts)
        }
    }

    /// Looks at suspects again.
    ///
    /// - Returns: Those that are wrong, and not as they were.
    private func look(
        again suspects: CounterFingerprints, _ found: @escaping @Sendable ([CounterObservation]) -> Void
    ) async throws -> CounterFingerprints {
        let batch = scan.suspectsTogether
        let starts = Mutex(Array(stride(from: 0, to: suspects.count, by: batch))[...])
        let moved = Mutex(CounterFingerprints())
        try await scan.database.inWorkers(
            workers, next: { _ in starts.withLock { $0.popFirst() } },
            each: { worker, start in
                try interruption.check()
                let scan = scan.on(worker)
                let some = suspects.part(from: start, of: batch)
                var wrong: [CounterObservation] = []
                for observation in scan.wrong(try await scan.observeAgain(Array(some.keys))) {
                    if some[observation.id] == observation.fingerprint {
                        wrong.append(observation)
                    } else {
                        moved.withLock { $0.add(observation.id, observation.fingerprint) }
                    }
                }
                found(wrong)
            })
        return moved.withLock { $0 }
    }

    private func wait(_ round: Int, _ count: Int) async throws {
        let subject = "\(count) count\(count == 1 ? "" : "s") may be changing just now"
        progress(.note("Look \(round): \(subject)."))
        try await settle.wait(checking: interruption.check) { rest in
            progress(
                ProgressUpdate(
                    "looking again", waiting: "settling \(max(1, rest.components.seconds)) s, look \(round), \(subject)"
                ))
        }
    }
}

extension CounterObservation {
    /// A number that changes with whatever is observed, for as long as the process lives.
    var fingerprint: Int {
        var hasher = Hasher()
        hasher.combine(self)
        return hasher.finalize()
    }
}
