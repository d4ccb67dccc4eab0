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

/// What a run found and couldn't or mustn't change.
public struct Leftover: Sendable, Codable, Hashable {
    /// The finding's code.
    public let code: String
    /// The collection.
    public let collection: String
    /// The number of documents left.
    public let count: Int
    /// Why, in words.
    public let reason: String

    /// Counts what was left.
    public init(code: String, collection: String, count: Int, reason: String) {
        self.code = code
        self.collection = collection
        self.count = count
        self.reason = reason
    }
}

/// Adds up the changes of a run, from whichever task makes them.
public final class Tally: Sendable {
    private struct Key: Hashable {
        let code: String
        let collection: String
        let reason: String
    }

    private struct State {
        var changes: [Key: Int] = [:]
        var leftovers: [Key: Int] = [:]
        /// What earlier attempts of the same run had left, at most.
        var earlierLeftovers: [Key: Int] = [:]
        var timesLeft = 0
    }

    private let state = Mutex(State())

    /// Nothing counted.
    public init() {}

    /// Counts changes made.
    public func changed(_ code: String, _ collection: String, _ count: Int) {
        guard count != 0 else { return }
        state.withLock { $0.changes[Key(code: code, collection: collection, reason: ""), default: 0] += count }
    }

    /// Counts what was left, with the reason.
    public func left(_ code: String, _ collection: String, _ count: Int, reason: String) {
        guard count != 0 else { return }
        state.withLock { state in
            state.leftovers[Key(code: code, collection: collection, reason: reason), default: 0] += count
            state.timesLeft += 1
        }
    }

    /// How often something was left: a number that only grows, to tell whether a piece of work left anything.
    public var timesLeft: Int { state.withLock { $0.timesLeft } }

    /// Begins to count anew what is left, because everything is looked at again; what is met again isn't counted twice.
    public func beginAttempt() {
        state.withLock { state in
            state.earlierLeftovers.merge(state.leftovers) { max($0, $1) }
            state.leftovers = [:]
        }
    }

    /// The changes so far, sorted by collection and code.
    public var changes: [Change] {
        state.withLock { state in
            state.changes
                .map { Change(code: $0.key.code, collection: $0.key.collection, changed: $0.value) }
                .sorted { ($0.collection, $0.code) < ($1.collection, $1.code) }
        }
    }

    /// What was left so far, sorted by collection and code.
    public var leftovers: [Leftover] {
        state.withLock { state in
            state.earlierLeftovers.merging(state.leftovers) { max($0, $1) }
                .map {
                    Leftover(
                        code: $0.key.code, collection: $0.key.collection, count: $0.value, reason: $0.key.reason)
                }
                .sorted { ($0.collection, $0.code, $0.reason) < ($1.collection, $1.code, $1.reason) }
        }
    }

    /// The number of changes so far.
    public var totalChanged: Int { state.withLock { $0.changes.values.reduce(0, +) } }
}
