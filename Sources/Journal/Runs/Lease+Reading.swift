internal import BSON
internal import MongoDriver

extension Lease {
    /// A lease that this tool has written. Another one is looked at, and named, by whoever doesn't get it.
    static let isReadable: BSONDocument = [
        "token": [
            "$type": ["int", "long"], "$gte": .int64(-StateField<Int64>.largestToken),
            "$lte": .int64(StateField<Int64>.largestToken),
        ], "expiresAt": ["$type": "date"],
    ]

    /// - Throws: ``StateError`` where a lease isn't as this tool writes it.
    static func check(_ document: BSONDocument) throws(StateError) {
        let fields = StateFields(StateCollection.lease, document)
        _ = try fields.require("token", .token)
        _ = try fields.require("expiresAt", .date)
        _ = try fields.read("released", .flag)
    }

    /// The largest token that runs, steps and open entries of the journal carry.
    ///
    /// - Throws: ``StateError`` where it is so large that none is larger.
    static func largestToken(_ client: MongoClient, _ database: String) async throws -> Int64? {
        let largestOf = { (collection: String, condition: BSONDocument) -> [BSONDocument] in
            var filter = condition
            filter.append("token", ["$type": "long"])
            return [
                ["$match": .document(filter)], ["$sort": ["token": -1]], ["$limit": 1],
                ["$project": ["token": 1, "collection": ["$literal": .string(collection)]]],
            ]
        }
        let others: [(String, BSONDocument)] = [
            (StateCollection.migrations, [:]), (StateCollection.journal, ["open": true]),
        ]
        let pipeline =
            largestOf(StateCollection.runs, [:])
            + others.map { collection, condition in
                let inner = BSONArray(largestOf(collection, condition).map { .document($0) })
                return ["$unionWith": ["coll": .string(collection), "pipeline": .array(inner)]]
            }
        var largest: Int64?
        for document in try await client.all(
            client.aggregate(Namespace(database, StateCollection.runs), pipeline: pipeline, options: [:]))
        {
            let fields = StateFields(document["collection"]?.string ?? "", document.removing("collection"))
            // The next ones have to be larger, and be tokens.
            let token = try fields.read("token", .token) ?? 0
            guard token < StateField<Int64>.largestToken / 2 else {
                throw fields.fault("token", "small enough for others to follow")
            }
            largest = max(largest ?? token, token)
        }
        return largest
    }
}
