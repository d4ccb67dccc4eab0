internal import BSON
internal import MigrationEngine
internal import MongoDriver

/// Compares every counter with what it counts, in one pass over each collection.
///
/// The server groups the counted documents and sorts the groups; the counting documents are read in the order of their
/// `_id` index; the two streams are merged here, so that memory stays flat however many there are.
struct CounterScan: Sendable {
    let database: Database
    let collection: CollectionSchema
    let counter: Counter

    /// Hands over the counters that are wrong, in batches.
    ///
    /// - Returns: The numbers of counting and of counted documents looked at.
    func forEachDrift(
        _ body: ([CounterObservation]) async throws -> Void
    ) async throws -> (documents: Int, counted: Int) {
        var groups = GroupStream(
            client: database.client,
            cursor: try await database.client.aggregate(
                database.namespace(counter.counted),
                pipeline: [["$match": .document([counter.reference: Self.mergedTypes])]] + pipeline
                    + [["$sort": ["_id": 1]]],
                options: [
                    "allowDiskUse": true, "collation": .document(ExactMatch.collation),
                    "batchSize": .int32(Int32(Self.batchSize)),
                ],
                readPreference: database.readPreference))
        var scanned = (documents: 0, counted: 0)
        do {
            let documents = try await database.client.find(
                database.namespace(collection.name), filter: ["_id": Self.mergedTypes],
                options: [
                    "sort": ["_id": 1], "projection": .document(projection), "allowDiskUse": true,
                    "collation": .document(ExactMatch.collation), "batchSize": .int32(Int32(Self.batchSize)),
                ],
                readPreference: database.readPreference)
            try await database.client.forEachBatch(of: documents, maximum: Self.batchSize) { batch in
                scanned.documents += batch.count
                var drifts: [CounterObservation] = []
                for document in batch {
                    let truth = try await groups.truth(of: document["_id"] ?? .null)
                    scanned.counted += Int(truth.total)
                    appendDrift(document, truth, to: &drifts)
                }
                try await body(drifts)
            }
        } catch {
            await groups.close()
            throw error
        }
        await groups.close()
        scanned.documents += try await scanForeign(body)
        return scanned
    }

    /// Looks at some documents' counters: first the counter, then what it counts.
    ///
    /// In this order a document inserted in between is counted without its increment having been seen, which makes
    /// the next comparison fail rather than a wrong number succeed.
    func observe(_ ids: [BSONValue]) async throws -> [CounterObservation] {
        let list = BSONValue.array(BSONArray(ids))
        let documents = try await database.findAll(
            collection.name, filter: ["_id": ["$in": list]], options: ["projection": .document(projection)])
        let groups = try await database.aggregateAll(
            counter.counted, [["$match": .document([counter.reference: ["$in": list]])]] + pipeline)
        let truths = Dictionary(
            groups.map { ($0["_id"] ?? .null, CountedTruth($0)) }, uniquingKeysWith: { first, _ in first })
        return documents.map { document in
            let id = document["_id"] ?? .null
            return CounterObservation(
                id: id, count: document[counter.field], latest: document[counter.latestField],
                truth: truths[id] ?? CountedTruth())
        }
    }

    /// So many rows cross the wire together; by itself the server would send up to 16 MB.
    fileprivate static let batchSize = 5000

    /// The types of `_id` that the streams are merged over; others are rare and looked at one by one.
    ///
    /// `$type` looks into arrays; an array is no reference.
    private static let mergedTypes: BSONValue = ["$type": ["string", "objectId"], "$not": ["$type": "array"]]

    private var projection: BSONDocument { [counter.field: 1, counter.latestField: 1] }

    private func appendDrift(
        _ document: BSONDocument, _ truth: CountedTruth, to drifts: inout [CounterObservation]
    ) {
        let observation = CounterObservation(
            id: document["_id"] ?? .null, count: document[counter.field], latest: document[counter.latestField],
            truth: truth)
        if !observation.codes(toleranceMS: counter.toleranceMS).isEmpty { drifts.append(observation) }
    }

    /// Groups the counted documents as the application sees them.
    private var pipeline: [BSONDocument] {
        let deleted: BSONValue = .string("$" + counter.deletedField)
        let created: BSONValue = .string("$" + counter.createdField)
        let isLive: BSONValue = ["$ne": [deleted, true]]
        // Only dates take part: text sorts before dates, and would otherwise hide in `$max`.
        let date: BSONValue = ["$cond": [["$eq": [["$type": created], "date"]], created, .null]]
        return [
            [
                "$group": [
                    "_id": .string("$" + counter.reference),
                    "live": ["$sum": ["$cond": [isLive, 1, 0]]],
                    "total": ["$sum": 1],
                    "newestLive": ["$max": ["$cond": [isLive, date, .null]]],
                    "newest": ["$max": date],
                    "smallest": ["$min": "$_id"],
                    "largest": ["$max": "$_id"],
                ]
            ]
        ]
    }

    private func scanForeign(_ body: ([CounterObservation]) async throws -> Void) async throws -> Int {
        var scanned = 0
        try await IdentityScan(database: database).forEachBatch(collection.name) { ids in
            let others = ids.filter { $0.type != .string }
            scanned += others.count
            let drifts = try await observe(others).filter { !$0.codes(toleranceMS: counter.toleranceMS).isEmpty }
            try await body(drifts)
        }
        return scanned
    }
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
    mutating func truth(of id: BSONValue) async throws -> CountedTruth {
        while let group = try await first(), let key = group["_id"] {
            if key == id {
                batch = batch.dropFirst()
                return CountedTruth(group)
            }
            guard Self.precedes(key, id) else { break }
            batch = batch.dropFirst()
        }
        return CountedTruth()
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
        case (.string(let first), .string(let second)): first.utf8.lexicographicallyPrecedes(second.utf8)
        case (.objectID(let first), .objectID(let second)): first < second
        case (.string, .objectID): true
        case (.objectID, .string): false
        // No group has a key of another type; if one had, it would be nobody's.
        default: true
        }
    }
}
