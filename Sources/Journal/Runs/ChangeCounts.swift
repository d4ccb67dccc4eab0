internal import Synchronization

/// Counts the changes of each journal entry once: finishing it again after a failure finds them counted.
package final class ChangeCounts: Sendable {
    private struct State {
        /// Entries whose changes are counted and whose end isn't written down yet.
        var entries: Set<JournalKey> = []
        /// Commands of steps that count as one change each: the step, and the command's number.
        var commands: Set<[Int64]> = []
        var closed: Int64 = 0
    }

    private let totals: Totals
    private let state = Mutex(State())

    init(_ totals: Totals) { self.totals = totals }

    /// How many entries have come to their end: a number that only grows.
    var closed: Int64 { state.withLock { $0.closed } }

    /// Counts an entry's changes.
    package func count(_ entry: JournalEntry, _ changed: Int) {
        guard state.withLock({ $0.entries.insert(entry.key).inserted }) else { return }
        for code in [entry.code] + entry.also { totals.changed(code, entry.collection, changed) }
    }

    /// Counts a command of a step's file as one change: a run that goes on after a failure may come by it again.
    package func count(command number: Int64, of step: Int64, _ code: String, _ collection: String) {
        let isNew = state.withLock { $0.commands.insert([step, number]).inserted }
        if isNew { totals.changed(code, collection, 1) }
    }

    /// Forgets entries whose end is written down: they won't be finished again.
    func close(_ keys: [JournalKey]) {
        state.withLock { state in
            state.entries.subtract(keys)
            state.closed += Int64(keys.count)
        }
    }
}
