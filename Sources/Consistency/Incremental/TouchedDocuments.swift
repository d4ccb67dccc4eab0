package import BSON

/// The documents that have changed since a moment, and what of others hangs on them.
package struct TouchedDocuments: Sendable {
    /// Documents that have come, changed or gone, by their collection.
    package private(set) var ids: [String: Set<BSONValue>] = [:]
    /// Of these, those on which it hangs whether what refers to them is right: they have come or gone, or have another
    /// owner.
    private(set) var moved: [String: Set<BSONValue>] = [:]
    /// Collections of which documents are gone, or no longer refer to what they referred to: what that was isn't known.
    private(set) var departed: Set<String> = []
    /// Collections of which documents are gone, so that what refers to them may be wrong.
    private(set) var gone: Set<String> = []
    /// Collections that documents have come to, so that what refers to them may be right.
    private(set) var arrived: Set<String> = []
    /// Parts of the collections that are looked at besides.
    package var slices: [String: SliceRange] = [:]

    /// Whether these are all that have changed: what isn't among them is as it was.
    package let isComplete: Bool

    /// Nothing yet.
    package init(isComplete: Bool) { self.isComplete = isComplete }

    /// Whether nothing has changed in a collection.
    package func leaves(_ collection: String) -> Bool { isComplete && ids[collection, default: []].isEmpty }

    /// How many documents there are.
    package var count: Int { ids.values.reduce(0) { $0 + $1.count } }

    /// Adds a document of which no more is known than that it may have changed.
    mutating func add(_ id: BSONValue, in collection: String, isMoved: Bool = true) {
        ids[collection, default: []].insert(id)
        if isMoved { moved[collection, default: []].insert(id) }
    }

    /// Adds a document that has come.
    mutating func addArrived(_ id: BSONValue, in collection: String) {
        add(id, in: collection)
        arrived.insert(collection)
    }

    /// Adds a document that is gone.
    ///
    /// - Parameter isNew: Whether it had come since the moment, too.
    mutating func addGone(_ id: BSONValue, in collection: String, isNew: Bool) {
        add(id, in: collection)
        gone.insert(collection)
        if !isNew { departed.insert(collection) }
    }

    /// Adds a document that may have referred to others before.
    mutating func addDeparted(_ id: BSONValue, in collection: String, isMoved: Bool) {
        add(id, in: collection, isMoved: isMoved)
        departed.insert(collection)
    }
}

/// A part of a collection, by the order of its `_id`s, whatever type they are.
package struct SliceRange: Sendable, Equatable {
    /// The first `_id`; nil for the smallest there is.
    package let lower: BSONValue?
    /// The first `_id` that isn't a part of it; nil for none.
    package let upper: BSONValue?
    /// How many documents there were, about.
    package let count: Int

    /// The bounds as a query takes them: comparisons stay within a type, an index's bounds don't.
    var options: BSONDocument {
        var options: BSONDocument = ["hint": ["_id": 1]]
        if let lower { options.append("min", ["_id": lower]) }
        if let upper { options.append("max", ["_id": upper]) }
        return options
    }

    /// Whether an `_id` is within it.
    func contains(_ id: BSONValue) -> Bool {
        if let lower, id.precedes(lower) { return false }
        return upper.map { id.precedes($0) } ?? true
    }
}
