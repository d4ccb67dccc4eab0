internal import BSON
internal import Journal
internal import Synchronization

/// Counts findings by their codes, from several tasks, and keeps a few documents of each to show.
final class CodeCounts: Sendable {
    private struct Found {
        var count = 0
        var samples: [BSONDocument] = []
    }

    private let found = Mutex<[FindingCode: Found]>([:])

    /// Adds findings of one code.
    ///
    /// - Parameter documents: One for each, by what identifies it; only the first few are looked at.
    func add<D: Sequence>(_ code: FindingCode, _ count: Int = 1, samples documents: D) where D.Element == BSONDocument {
        guard count > 0 else { return }
        found.withLock { found in
            found[code, default: Found()].count += count
            let room = PlannedOperation.mostSamples - found[code, default: Found()].samples.count
            if room > 0 { found[code]?.samples += documents.prefix(room) }
        }
    }

    /// Adds findings of one counter.
    func add(_ observation: CounterObservation, _ codes: [FindingCode]) {
        let sample = CollectionOfOne<BSONDocument>(["_id": observation.id])
        for code in codes { add(code, samples: sample) }
    }

    subscript(code: FindingCode) -> Int? { found.withLock { $0[code]?.count } }

    /// A few of the documents.
    func samples(_ code: FindingCode) -> [BSONDocument] { found.withLock { $0[code]?.samples ?? [] } }
}
