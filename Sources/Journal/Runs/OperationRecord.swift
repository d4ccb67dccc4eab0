package import BSON
internal import MongoDriver
internal import Synchronization

/// One thing that a run did, for its record: what `runs show` tells.
package struct OperationRecord: Sendable {
    /// The step that it belongs to.
    package let step: Int64?
    /// The collection; empty where it is about none.
    package let collection: String
    /// What was done, in a few words.
    package let operation: String
    /// Which documents it was about; nil where no filter says so.
    package let filter: BSONDocument?
    /// How many documents it changed.
    package let changed: Int
    /// How long it took, in milliseconds.
    package let durationMS: Int64

    private static let longestOperation = 1000

    init(
        step: Int64?, collection: String, operation: String, filter: BSONDocument?, changed: Int, duration: Duration
    ) {
        self.step = step
        self.collection = collection
        self.operation = operation.excerpt(maximumCharacters: Self.longestOperation)
        self.filter = filter
        self.changed = changed
        durationMS = duration.milliseconds
    }

    init(reading fields: StateFields) throws(StateError) {
        step = try fields.read("step", .number)
        collection = try fields.require("collection", .text)
        operation = try fields.require("operation", .text)
        // Earlier versions stored it as it is.
        filter = try fields.read("filter", .filter)
        changed = Int(try fields.require("changed", .count))
        durationMS = try fields.require("durationMS", .count)
    }

    var document: BSONDocument {
        var document: BSONDocument = [
            "collection": .string(collection), "operation": .string(operation), "changed": .int64(Int64(changed)),
            "durationMS": .int64(durationMS),
        ]
        if let step { document.append("step", .int64(step)) }
        // As text: servers before 5.0 refuse an update that stores a field whose name begins with a dollar.
        if let filter, let text = try? ExtendedJSON.canonical(filter) { document.append("filter", .string(text)) }
        return document
    }
}

extension StateField where T == BSONDocument {
    /// A filter, as a document or as Extended JSON.
    fileprivate static var filter: StateField {
        StateField(words: "a filter") { $0.document ?? $0.string.flatMap { try? ExtendedJSON.document($0) } }
    }
}

extension Run {
    /// A longer filter, such as a list of ids, isn't kept.
    private static let longestFilter = 2048

    /// Does a piece of the run's work, and records what it was, how much it changed and how long it took.
    ///
    /// - Parameters:
    ///   - operation: What is done, in a few words.
    ///   - collection: The collection; empty where it is about none.
    ///   - filter: Which documents it is about.
    ///   - isRepeated: Whether it is one look of several, and not worth a record where it changed nothing.
    ///   - body: The work.
    package func recording<R>(
        _ operation: String, in collection: String, filter: BSONDocument? = nil, isRepeated: Bool = false,
        _ body: () async throws -> R
    ) async throws -> R {
        let recorded = beginRecording(operation, in: collection, filter: filter, isRepeated: isRepeated)
        let result = try await body()
        recorded()
        return result
    }

    /// Begins what ``recording(_:in:filter:isRepeated:_:)`` records, for work that has no closure of its own.
    ///
    /// - Returns: What to call when it is done.
    package func beginRecording(
        _ operation: String, in collection: String, filter: BSONDocument? = nil, isRepeated: Bool = false
    ) -> @Sendable () -> Void {
        let (start, before) = (ContinuousClock.now, totals.totalChanged)
        return { [self] in
            let operation = OperationRecord(
                step: totals.step, collection: collection, operation: operation,
                filter: filter.flatMap { $0.byteCount <= Self.longestFilter ? $0 : nil },
                changed: totals.totalChanged - before, duration: ContinuousClock.now - start)
            if !isRepeated || operation.changed > 0 { record.add(operation) }
        }
    }
}
