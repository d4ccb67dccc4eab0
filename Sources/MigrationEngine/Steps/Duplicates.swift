public import BSON
internal import MongoDriver

/// Values that more than one document has, which a unique index would refuse.
public enum Duplicates {
    /// So many values are named; the rest is counted.
    private static let named = 5

    /// Looks for duplicates, compared as the index will compare them: a missing field is null.
    ///
    /// - Parameters:
    ///   - index: The index, as `createIndexes` takes it; `key` and `name` are read, and what limits or bends it.
    ///   - collection: The collection.
    ///   - database: The database.
    /// - Returns: A sentence for each value that is shared; empty where the index can be built.
    /// - Throws: `MongoError`.
    public static func sentences(
        _ index: BSONDocument, in collection: String, _ database: Database
    ) async throws -> [String] {
        let fields = index["key"]?.document?.keys ?? []
        // A key's path may have dots, which a group's key may not.
        let key = BSONDocument(
            fields.enumerated().map { ("\($0.offset)", ["$ifNull": [.string("$" + $0.element), .null]]) })
        var stages: [BSONDocument] = []
        if let partial = index["partialFilterExpression"]?.document { stages.append(["$match": .document(partial)]) }
        if index["sparse"]?.bool == true {
            stages.append(["$match": ["$or": .array(BSONArray(fields.map { [$0: ["$exists": true]] }))]])
        }
        var options: BSONDocument = ["allowDiskUse": true]
        if let collation = index["collation"]?.document { options.append("collation", .document(collation)) }
        let groups = try await database.aggregateAll(
            collection,
            stages + [
                ["$group": ["_id": .document(key), "n": ["$sum": 1], "a": ["$min": "$_id"], "b": ["$max": "$_id"]]],
                ["$match": ["n": ["$gt": 1]]],
                ["$sort": ["_id": 1]],
                [
                    "$facet": [
                        "all": [["$count": "n"]],
                        "named": [["$limit": .int32(Int32(Self.named))]],
                    ]
                ],
            ], options: options)
        guard let facets = groups.first else { return [] }
        let total = Int(facets["all"]?.array?.values.first?.document?["n"]?.integer ?? 0)
        let shown = (facets["named"]?.array?.values ?? []).compactMap(\.document).map {
            (group: BSONDocument) -> String in
            let values = zip(fields, (group["_id"]?.document ?? [:]).elements.map(\.value))
            let shared = values.map { "\($0) \(text($1))" }.joined(separator: ", ")
            let ids = [group["a"], group["b"]].compactMap { $0.map(Self.text) }.joined(separator: " and ")
            return "\(collection): \(group["n"]?.integer ?? 0) documents share \(shared) (such as _id \(ids))"
        }
        let rest = total - shown.count
        let name = index["name"]?.string ?? "the index"
        return shown + (rest > 0 ? ["\(collection): \(rest) more values of \(name) are shared"] : [])
    }

    private static func text(_ value: BSONValue) -> String {
        switch value {
        case .string(let text): "\"\(text)\""
        case .objectID(let id): id.hex
        case .null: "null"
        case .int32(let number): "\(number)"
        case .int64(let number): "\(number)"
        default: "a value of type \(value.type.alias)"
        }
    }
}
