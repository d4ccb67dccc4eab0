package import BSON
internal import MongoDriver

/// Values that more than one document has, which a unique index would refuse.
package enum Duplicates {
    /// So many values are named; the rest is counted.
    private static let named = 5

    /// Looks for duplicates, compared as the index will compare them: a missing field is null, and each element of an array
    /// is a value of its own. What no index can be built over is named too, whether it is unique or not.
    ///
    /// - Parameters:
    ///   - index: The index, as `createIndexes` takes it; `key` and `name` are read, and what limits or bends it.
    ///   - collection: The collection.
    ///   - database: The database.
    /// - Returns: A sentence for each value that is shared; empty where the index can be built.
    /// - Throws: `MongoError`.
    package static func sentences(
        _ index: BSONDocument, in collection: String, _ database: Database
    ) async throws -> [String] {
        let isSparse = IndexShape.isTrue(index["sparse"])
        guard let keys = IndexKeys(index["key"]?.document ?? [:], isSparse: isSparse) else { return [] }
        let isUnique = IndexShape.isTrue(index["unique"])
        guard isUnique || keys.mayBeImpossible else { return [] }
        var covered: [BSONDocument] = []
        if let partial = index["partialFilterExpression"]?.document { covered.append(["$match": .document(partial)]) }
        var options: BSONDocument = ["allowDiskUse": true]
        if let collation = index["collation"]?.document { options.append("collation", .document(collation)) }
        let arrays = try await database.aggregateAll(
            collection, covered + [["$match": .document(keys.arrays)], ["$limit": 1], ["$project": ["_id": 1]]],
            options: options)
        if arrays.isEmpty, !keys.hasDollars {
            guard isUnique else { return [] }
            if isSparse {
                covered.append(["$match": ["$or": .array(BSONArray(keys.fields.map { [$0: ["$exists": true]] }))]])
            }
            return try await sentences(keys, index, collection, covered + [Self.plain(keys)], options, database)
        }
        let stages = covered + keys.stages
        let impossible = try await database.aggregateAll(
            collection,
            stages + [
                ["$match": .document(IndexKeys.impossible)], ["$limit": 1],
                ["$project": ["_id": 1, "k.ambiguous": 1]],
            ], options: options)
        if let document = impossible.first {
            let isAmbiguous = document["k"]?.document?["ambiguous"] == true
            return [
                "\(collection): a document has "
                    + (isAmbiguous
                        ? "an array in which a position of \(keys.fields.joined(separator: ", ")) is a field's name too"
                        : "two arrays side by side in \(keys.fields.joined(separator: ", "))")
                    + ", which no index can hold (_id \(text(document["_id"] ?? .null)))"
            ]
        }
        guard isUnique else { return [] }
        return try await sentences(keys, index, collection, stages, options, database)
    }

    /// The keys of documents in which no array is on the way.
    private static func plain(_ keys: IndexKeys) -> BSONDocument {
        // A key's path may have dots, which a field's name may not.
        let values = keys.fields.enumerated().map { field in
            ("f\(field.offset)", BSONValue.document(["v": ["$ifNull": [.string("$" + field.element), .null]]]))
        }
        return ["$project": .document(["k": .document(BSONDocument(values))])]
    }

    private static func sentences(
        _ keys: IndexKeys, _ index: BSONDocument, _ collection: String, _ stages: [BSONDocument],
        _ options: BSONDocument, _ database: Database
    ) async throws -> [String] {
        let groups = try await database.aggregateAll(
            collection,
            stages + [
                ["$group": ["_id": keys.group, "n": ["$sum": 1], "a": ["$min": "$_id"], "b": ["$max": "$_id"]]],
                ["$match": ["n": ["$gt": 1]]],
                ["$sort": ["_id": 1]],
                [
                    "$facet": [
                        "all": [["$count": "n"]],
                        "named": [["$limit": .int32(Int32(Self.named))], ["$project": .document(Self.shown)]],
                    ]
                ],
            ], options: options)
        guard let facets = groups.first else { return [] }
        let total = Int(facets["all"]?.array?.values.first?.document?["n"]?.integer ?? 0)
        let shown = (facets["named"]?.array?.values ?? []).compactMap(\.document).map {
            (group: BSONDocument) -> String in
            let values = (group["_id"]?.document ?? [:]).elements.map { $0.value.document?["v"] }
            let shared = zip(keys.fields, values).map { "\($0) \($1.map(text) ?? "[]")" }.joined(separator: ", ")
            let what = values.isEmpty ? "a large value of \(keys.fields.joined(separator: ", "))" : shared
            let ids = [group["a"], group["b"]].compactMap { $0.map(Self.text) }.joined(separator: " and ")
            return "\(collection): \(group["n"]?.integer ?? 0) documents share \(what) (such as _id \(ids))"
        }
        let rest = total - shown.count
        let name = index["name"]?.string ?? "the index"
        return shown + (rest > 0 ? ["\(collection): \(rest) more values of \(name) are shared"] : [])
    }

    /// A group with its key where that is short: a few long ones would fill the reply (16 MB).
    private static let shown: BSONDocument = [
        "n": 1, "a": 1, "b": 1, "_id": ["$cond": [["$lt": [["$bsonSize": "$$ROOT"], 10_000]], "$_id", [:]]],
    ]

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
