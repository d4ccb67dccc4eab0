internal import BSON
internal import Journal

/// Counters that are wrong, and kept as they are all the same: setting them would lose what they say.
final class KeptCounters: Sendable {
    private let scan: CounterScan
    /// What they count isn't there at all (``CounterSafeguard``).
    private let protected = CodeCounts()
    /// It isn't known when the newest of what they count was created.
    private let undated = CodeCounts()

    init(_ scan: CounterScan) { self.scan = scan }

    /// Sorts out what is kept, wholly or in part.
    ///
    /// - Returns: The counters that have something to be mended.
    func sorted(out drifts: [CounterObservation], isProtected: Bool) -> [CounterObservation] {
        let tolerance = scan.counter.toleranceMS
        return drifts.filter { drift in
            if drift.wouldLose(isProtected) {
                protected.add(drift, drift.codes(toleranceMS: tolerance))
                return false
            }
            undated.add(drift, drift.kept(toleranceMS: tolerance))
            return !drift.mended(toleranceMS: tolerance).isEmpty
        }
    }

    /// What is kept, by its findings, with the reasons.
    var leftovers: [Leftover] {
        let counted = scan.counter.counted
        return leftovers(
            protected,
            "\(counted) held nothing when it was looked at first, so nothing is set to zero: was the database restored in "
                + "part? If zero is right, \(EngineAdvice.allowZero)")
            + leftovers(
                undated,
                "the \(scan.counter.createdField) of some of its \(counted) isn't a date, so the newest isn't known; the "
                    + "time is left as it is")
    }

    private func leftovers(_ counts: CodeCounts, _ reason: Sentence) -> [Leftover] {
        FindingCode.allCases.compactMap { code in
            counts[code].map { count in
                Leftover(
                    code: code.rawValue, collection: scan.collection.name, field: scan.counter.field(of: code),
                    count: count, reason: reason, samples: counts.samples(code).compactMap { $0["_id"] })
            }
        }
    }
}

extension CounterScan {
    /// The counters that have something to be mended; what is kept is among what the run leaves.
    func settable(_ drifts: [CounterObservation], _ run: Run) -> [CounterObservation] {
        let kept = KeptCounters(self)
        let settable = kept.sorted(out: drifts, isProtected: isProtected)
        for leftover in kept.leftovers { run.totals.left(leftover) }
        return settable
    }
}

extension Counter {
    /// The field that a finding is about.
    func field(of code: FindingCode) -> String {
        code == .wrongLatest || code == .missingField ? latestField : field
    }
}
