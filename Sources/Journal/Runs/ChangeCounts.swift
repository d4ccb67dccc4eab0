internal import MongoDriver
internal import Synchronization

/// Counts the changes of each journal entry once: finishing it again after a failure finds them counted.
package final class ChangeCounts: Sendable {
    /// What was counted of an entry.
    private struct Counted {
        let codes: [String]
        let collection: String
        let changed: Int
    }

    private struct State {
        /// Entries whose changes are counted and whose end isn't written down yet.
        var entries: [JournalKey: Counted] = [:]
        /// Entries whose end is written down where the server may still lose it, by the connection.
        var unsure: [ObjectIdentifier: [JournalKey: Counted]] = [:]
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
        let counted = Counted(codes: [entry.code] + entry.also, collection: entry.collection, changed: changed)
        let isNew = state.withLock { state in
            guard state.entries[entry.key] == nil else { return false }
            state.entries[entry.key] = counted
            return true
        }
        if isNew { add(counted, times: 1) }
    }

    private func add(_ counted: Counted, times: Int) {
        for code in counted.codes { totals.changed(code, counted.collection, counted.changed * times) }
    }

    /// Counts an entry that is open no more: it is about to be finished again, and the server may have lost some of its changes.
    package func recount(_ key: JournalKey) {
        if let counted = state.withLock({ $0.entries.removeValue(forKey: key) }) { add(counted, times: -1) }
    }

    /// Counts a command of a step's file as one change: a run that goes on after a failure may come by it again.
    package func count(command number: Int64, of step: Int64, _ code: String, _ collection: String) {
        let isNew = state.withLock { $0.commands.insert([step, number]).inserted }
        if isNew { totals.changed(code, collection, 1) }
    }

    /// Forgets entries whose end is written down: they won't be finished again.
    ///
    /// - Parameter unsure: The connection by which that was written, if the server may still lose it.
    func close(_ keys: [JournalKey], unsure: MongoClient?) {
        state.withLock { state in
            for key in keys {
                guard let counted = state.entries.removeValue(forKey: key), let unsure else { continue }
                state.unsure[ObjectIdentifier(unsure), default: [:]][key] = counted
            }
            state.closed += Int64(keys.count)
        }
    }

    /// What was written by a connection is on the disk.
    func makeSure(_ client: MongoClient) {
        state.withLock { _ = $0.unsure.removeValue(forKey: ObjectIdentifier(client)) }
    }

    /// Goes by what the journal says now, after a failure: what the server has lost isn't counted, and what is open is counted
    /// once it is finished again.
    ///
    /// - Parameter journal: Says of those entries that it has whether they have come to their end.
    func agree(with journal: ([JournalKey]) async throws -> [JournalKey: Bool]) async throws {
        let (open, unsure) = state.withLock { state in
            (Array(state.entries.keys), state.unsure.values.flatMap { Array($0.keys) })
        }
        guard !open.isEmpty || !unsure.isEmpty else { return }
        let known = try await journal(open + unsure)
        let lost = state.withLock { state in
            var lost = open.filter { known[$0] == nil }.compactMap { state.entries.removeValue(forKey: $0) }
            let ended = state.unsure.values.flatMap { $0 }
            state.unsure = [:]
            for (key, counted) in ended where known[key] != true { lost.append(counted) }
            return lost
        }
        for counted in lost { add(counted, times: -1) }
    }
}
