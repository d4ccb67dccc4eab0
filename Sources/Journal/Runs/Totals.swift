package import BSON
internal import Synchronization

/// A number of changes of one kind in one collection.
public struct Change: Sendable, Codable, Hashable {
    /// What was mended or made: a finding's code, or a verb such as `create index`.
    public let code: String
    /// The collection that was changed.
    public let collection: String
    /// The number of documents (or indexes, or validators) changed.
    public let changed: Int

    /// Counts changes.
    public init(code: String, collection: String, changed: Int) {
        self.code = code
        self.collection = collection
        self.changed = changed
    }
}

/// Adds up the changes of a run, from whichever task makes them.
package final class Totals: Sendable {
    private struct Key: Hashable {
        let code: String
        let collection: String
        var field: String?
        let reason: Sentence
        var isInJournal = false

        var withoutReason: Key { Key(code: code, collection: collection, field: field, reason: Totals.otherReasons) }
    }

    /// A reason may hold a document's value, so that there are as many as documents; more aren't told apart, and what a
    /// run's record holds is far below what the server takes.
    private static let mostReasons = 200
    private static let otherReasons: Sentence = "for other reasons: more than are told apart here"

    /// How many documents are left, and the `_id`s of some.
    private struct Rest {
        var count = 0
        var samples: [BSONValue] = []

        static func larger(_ first: Rest, _ second: Rest) -> Rest { second.count > first.count ? second : first }

        static func + (first: Rest, second: Rest) -> Rest {
            let room = Leftover.mostSamples - first.samples.count
            return Rest(
                count: first.count + second.count, samples: first.samples + second.samples.prefix(max(room, 0)))
        }
    }

    /// What one step has left, or what belongs to none.
    private struct Part {
        var leftovers: [Key: Rest] = [:]
        /// What earlier attempts of the same run had left, at most.
        var earlier: [Key: Rest] = [:]
        /// What was left by work that is done, and isn't looked at again.
        var kept: [Key: Rest] = [:]

        func hasRoom(for key: Key) -> Bool { leftovers.count < Totals.mostReasons || leftovers[key] != nil }

        /// What is left in all.
        var all: [Key: Rest] {
            kept.merging(earlier.merging(leftovers, uniquingKeysWith: Rest.larger), uniquingKeysWith: +)
        }
    }

    private struct State {
        var changes: [Key: Int] = [:]
        var step: Int64?
        var parts: [Int64?: Part] = [:]
        var timesLeft = 0
    }

    private let state = Mutex(State())

    /// Nothing counted.
    package init() {}

    /// Counts changes made.
    package func changed(_ code: String, _ collection: String, _ count: Int) {
        guard count != 0 else { return }
        state.withLock { $0.changes[Key(code: code, collection: collection, reason: ""), default: 0] += count }
    }

    /// Counts changes made.
    package func changed(_ changes: [Change]) {
        for change in changes { changed(change.code, change.collection, change.changed) }
    }

    /// Counts what was left, with the reason.
    ///
    /// - Parameter samples: The `_id`s of the documents, or of some, where they are known.
    package func left(
        _ code: String, _ collection: String, _ count: Int, field: String? = nil, reason: Sentence,
        samples: some Collection<BSONValue> = []
    ) {
        left(code, collection, count, field: field, reason: reason, samples: samples, isInJournal: false)
    }

    /// The same of what the journal may say too, so that the next run has it from there.
    func left(
        _ code: String, _ collection: String, _ count: Int, field: String? = nil, reason: Sentence,
        samples: some Collection<BSONValue>, isInJournal: Bool
    ) {
        guard count != 0 else { return }
        state.withLock { state in
            var key = Key(
                code: code, collection: collection, field: field,
                reason: reason.excerpt(maximumCharacters: Leftover.longestReason), isInJournal: isInJournal)
            if state.parts[state.step]?.hasRoom(for: key) == false { key = key.withoutReason }
            let more = Rest(
                count: count, samples: samples.prefix(Leftover.mostSamples).map { $0.excerpt() })
            let rest = state.parts[state.step]?.leftovers[key] ?? Rest()
            state.parts[state.step, default: Part()].leftovers[key] = rest + more
            state.timesLeft += 1
        }
    }

    /// Adds what others have changed and left.
    package func add(_ other: Totals) {
        changed(other.changes)
        for leftover in other.leftovers { left(leftover) }
    }

    /// Counts what was left.
    package func left(_ leftover: Leftover) {
        left(
            leftover.code, leftover.collection, leftover.count, field: leftover.field, reason: leftover.reason,
            samples: leftover.samples, isInJournal: leftover.isInJournal)
    }

    /// How often something was left: a number that only grows, to tell whether a piece of work left anything.
    package var timesLeft: Int { state.withLock { $0.timesLeft } }

    /// Begins to count anew what is left, because everything is looked at again; what is met again isn't counted twice.
    package func beginAttempt() {
        state.withLock { state in
            for (step, part) in state.parts {
                let earlier = part.earlier.merging(part.leftovers, uniquingKeysWith: Rest.larger)
                state.parts[step] = Part(earlier: earlier, kept: part.kept)
            }
        }
    }

    /// Takes what the step at work has left by now for good: an attempt that begins anew won't meet it.
    func keepLeftovers() {
        state.withLock { $0.parts[$0.step] = Part(kept: $0.parts[$0.step]?.all ?? [:]) }
    }

    /// The step that leaves what is left from now on; nil for none.
    package var step: Int64? {
        get { state.withLock { $0.step } }
        set { state.withLock { $0.step = newValue } }
    }

    /// The changes so far, sorted by collection and code.
    package var changes: [Change] {
        state.withLock { state in
            state.changes
                .map { Change(code: $0.key.code, collection: $0.key.collection, changed: $0.value) }
                .sorted { ($0.collection, $0.code) < ($1.collection, $1.code) }
        }
    }

    /// What was left so far, sorted by collection and code.
    package var leftovers: [Leftover] {
        Self.list(
            state.withLock { state in
                // In order, for the samples' sake.
                state.parts.sorted { ($0.key ?? 0) < ($1.key ?? 0) }.reduce(into: [:]) { all, part in
                    all.merge(part.value.all, uniquingKeysWith: +)
                }
            })
    }

    /// What one step has left so far.
    func leftovers(of step: Int64) -> [Leftover] { Self.list(state.withLock { $0.parts[step]?.all ?? [:] }) }

    private static func list(_ leftovers: [Key: Rest]) -> [Leftover] {
        bounded(leftovers).map {
            Leftover(
                code: $0.key.code, collection: $0.key.collection, field: $0.key.field, count: $0.value.count,
                reason: $0.key.reason, samples: $0.value.samples, isInJournal: $0.key.isInJournal)
        }.sorted {
            ($0.collection, $0.code, $0.field ?? "", $0.reason.description)
                < ($1.collection, $1.code, $1.field ?? "", $1.reason.description)
        }
    }

    /// The most common reasons, and the others together.
    private static func bounded(_ leftovers: [Key: Rest]) -> [Key: Rest] {
        guard leftovers.count > mostReasons else { return leftovers }
        let sorted = leftovers.sorted {
            ($1.value.count, $0.key.reason.description) < ($0.value.count, $1.key.reason.description)
        }
        var kept = Dictionary(uniqueKeysWithValues: sorted.prefix(mostReasons).map { ($0.key, $0.value) })
        for (key, rest) in sorted.dropFirst(mostReasons) {
            kept[key.withoutReason] = (kept[key.withoutReason] ?? Rest()) + rest
        }
        return kept
    }

    /// The number of changes so far.
    package var totalChanged: Int { state.withLock { $0.changes.values.reduce(0, +) } }
}
