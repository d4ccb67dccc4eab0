internal import BSON
internal import Journal
internal import MongoDriver

/// Counting without an index: one pass over each collection.
///
/// The server groups the counted documents and sorts the groups; the counting documents are read in the order of their
/// `_id` index; the two streams are merged here.
extension CounterScan {
    /// Hands over the counters that are wrong, in batches.
    ///
    /// - Returns: The number of counting documents looked at.
    func onePass(
        _ run: Run?, fingerprints: Bool, _ body: ([CounterObservation], _ scanned: Int) async throws -> Void
    ) async throws -> Int {
        var groups = GroupStream(
            client: database.client,
            cursor: try await database.client.aggregate(
                database.namespace(counter.counted),
                pipeline: [["$match": .document([counter.reference: Self.mergedTypes])]]
                    + CountedValues.pipeline(counter, fingerprints: fingerprints) + [["$sort": ["_id": 1]]],
                options: database.committed([
                    "allowDiskUse": true, "collation": .document(ExactMatch.collation),
                    "batchSize": .int32(Int32(Self.batchSize)),
                ]),
                readPreference: database.readPreference))
        var scanned = 0
        do {
            let documents = try await database.client.find(
                database.namespace(collection.name), filter: ["_id": Self.mergedTypes],
                options: database.committed([
                    "sort": ["_id": 1], "projection": .document(projection), "allowDiskUse": true,
                    "collation": .document(ExactMatch.collation), "batchSize": .int32(Int32(Self.batchSize)),
                ]),
                readPreference: database.readPreference)
            try await database.client.forEachBatch(of: documents, maximum: Self.batchSize) { batch in
                try await run?.breathe()
                scanned += batch.count
                var observations: [CounterObservation] = []
                for document in batch {
                    let id = document["_id"] ?? .null
                    observations.append(
                        CounterObservation(
                            id: id, count: document[counter.field], latest: document[counter.latestField],
                            truth: try await groups.truth(of: id)))
                }
                try await body(wrong(observations), batch.count)
            }
        } catch {
            await groups.close()
            throw error
        }
        await groups.close()
        let others = try await scanOthers(excluding: [.objectID, .string], fingerprints: fingerprints) {
            try await body($0, $1)
        }
        return scanned + others
    }

    /// The types of `_id` that the streams are merged over; others are rare and looked at one by one.
    ///
    /// `$type` looks into arrays; an array is no reference.
    private static let mergedTypes: BSONValue = ["$type": ["string", "objectId"], "$not": ["$type": "array"]]
}

/// The sorted groups of counted documents, read on as far as the counting document at hand.
private struct GroupStream {
    let client: MongoClient
    let cursor: MongoCursor
    private var batch: ArraySlice<BSONDocument> = []
    private var isAtEnd = false

    init(client: MongoClient, cursor: MongoCursor) {
        self.client = client
        self.cursor = cursor
    }

    /// The group of one counting document; documents must be asked for in the order of their `_id`s.
    mutating func truth(of id: BSONValue) async throws -> CountedValues {
        while let group = try await first(), let key = group["_id"] {
            if key == id {
                batch = batch.dropFirst()
                return CountedValues(group)
            }
            guard Self.precedes(key, id) else { break }
            batch = batch.dropFirst()
        }
        return CountedValues()
    }

    func close() async { await cursor.close() }

    private mutating func first() async throws -> BSONDocument? {
        if batch.isEmpty, !isAtEnd {
            batch = try await cursor.nextBatch(maximum: CounterScan.batchSize)[...]
            isAtEnd = batch.isEmpty
        }
        return batch.first
    }

    /// The server's order over text and ObjectIds: text first, by its bytes.
    private static func precedes(_ first: BSONValue, _ second: BSONValue) -> Bool {
        switch (first, second) {
        case (.string(let first), .string(let second)): return first.utf8.lexicographicallyPrecedes(second.utf8)
        case (.objectID(let first), .objectID(let second)): return first < second
        case (.objectID, _) where second.type == .string: return false
        // No group has a key of another type; if one had, it would be nobody's.
        default:
            if let first = first.textBytes, let second = second.textBytes {
                return first.lexicographicallyPrecedes(second)
            }
            return true
        }
    }
}
