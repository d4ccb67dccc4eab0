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
        let open: BSONDocument = ["open": true]
        let places: [(collection: String, filter: BSONDocument)] = [
            (StateCollection.runs, BSONDocument()), (StateCollection.migrations, BSONDocument()),
            (StateCollection.journal, open),
        ]
        var largest: Int64?
        for (collection, condition) in places {
            var filter = condition
            filter.append("token", ["$type": "long"])
            let found = try await client.all(
                client.find(
                    Namespace(database, collection), filter: filter,
                    options: ["sort": ["token": -1], "limit": 1, "projection": ["token": 1]]))
            if let document = found.first {
                let fields = StateFields(collection, document)
                // The next ones have to be larger, and be tokens.
                let token = try fields.read("token", .token) ?? 0
                guard token < StateField<Int64>.largestToken / 2 else {
                    throw fields.fault("token", "small enough for others to follow")
                }
            }
            largest = [largest, found.first?["token"]?.integer].compactMap { $0 }.max()
        }
        return largest
    }
}
