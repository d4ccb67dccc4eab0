internal import BSON
internal import Synchronization

/// Gives a run's journal entries their numbers, from 1.
final class EntryNumbers: Sendable {
    private let next: Mutex<Int64>

    init(next: Int64 = 1) { self.next = Mutex(next) }

    /// Whether any was given.
    var areTaken: Bool { next.withLock { $0 > 1 } }

    /// The keys of the run's next entries.
    func take(_ count: Int, run: ObjectID) -> [JournalKey] {
        next.withLock { next in
            defer { next += Int64(count) }
            return (0..<Int64(count)).map { JournalKey(run: run, number: next + $0) }
        }
    }
}
