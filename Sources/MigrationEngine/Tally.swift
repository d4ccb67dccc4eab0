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
        state.withLock { $0.leftovers[Key(code: code, collection: collection, reason: reason), default: 0] += count }
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
            state.leftovers
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
