package import BSON
internal import MongoDriver

/// Filters that match a document, or some of its fields, only as they were observed: the compare of every
/// compare-and-set.
///
/// They compare within `$expr`, which doesn't look into arrays, doesn't take null for missing, and, with the `simple`
/// collation, compares text by its bytes. `$type` tells an int from a double of the same value, which `$eq` doesn't.
package enum ExactMatch {
    /// The collation that every one of these filters must be sent with.
    package static let collation: BSONDocument = ["locale": "simple"]

    /// Matches the document with this `_id` while its fields are as given.
    ///
    /// - Parameters:
    ///   - id: The document's `_id`.
    ///   - fields: Each field's name and its value, nil where it must be absent. Names are top-level.
    package static func fields(id: BSONValue, _ fields: [(name: String, value: BSONValue?)]) -> BSONDocument {
        var conditions = fields.flatMap { name, value -> [BSONValue] in
            let path: BSONValue = .string("$" + name)
            let type: BSONValue = .document(["$type": path])
            guard let value else { return [["$eq": [type, "missing"]]] }
            return [
                ["$eq": [type, .string(value.type.alias)]],
                ["$eq": [path, ["$literal": value]]],
            ]
        }
        conditions.append(once(fields.map(\.name)))
        return ["_id": ["$eq": id], "$expr": ["$and": .array(BSONArray(conditions))]]
    }

    /// Holds for a document in which each of these fields stands once, or not at all. The server and some drivers read the
    /// first of several, other drivers the last, and an update changes one of them.
    ///
    /// - Parameter names: Top-level names.
    static func once(_ names: [String]) -> BSONValue {
        let all: BSONValue = ["$map": ["input": ["$objectToArray": "$$ROOT"], "in": "$$this.k"]]
        let found: BSONValue = [
            "$filter": [
                "input": all, "cond": ["$in": ["$$this", ["$literal": .array(BSONArray(names.map { .string($0) }))]]],
            ]
        ]
        return ["$eq": [["$size": ["$setUnion": [found, []]]], ["$size": found]]]
    }

    /// Deletes documents while the whole of each is as given, many by one statement.
    ///
    /// As ``document(_:)``, `$eq` ignores the types of numbers, and the size of a document tells most of them apart.
    static func deleting(_ documents: [BSONDocument]) -> [WriteModel] {
        stride(from: 0, to: documents.count, by: comparedTogether).map { start in
            let some = documents[start..<min(start + comparedTogether, documents.count)]
            let images = BSONArray(some.map { [.document($0), .int32(Int32($0.byteCount))] })
            return .deleteMany(filter: [
                "_id": ["$in": .array(BSONArray(some.map { $0["_id"] ?? .null }))],
                "$expr": ["$in": [["$$ROOT", ["$bsonSize": "$$ROOT"]], ["$literal": .array(images)]]],
            ])
        }
    }

    /// So many documents are deleted by one statement: it compares each with all of them.
    private static let comparedTogether = 100

    /// Matches a document while the whole of it is as given.
    ///
    /// `$eq` ignores the types of numbers; the size of the document tells most of them apart, and the types of the numbers
    /// among its own fields the rest. The documents are compared within arrays, because servers before 6.0 take a bare
    /// `$$ROOT` beside a literal for a path and fail ("FieldPath::tail() called on single element path").
    package static func document(_ image: BSONDocument) -> BSONDocument {
        var conditions: [BSONValue] = [
            ["$eq": [["$$ROOT"], [["$literal": .document(image)]]]],
            ["$eq": [["$bsonSize": "$$ROOT"], .int32(Int32(image.byteCount))]],
        ]
        let numbers = image.elements.filter { element in
            element.key != "_id" && [.double, .int64].contains(element.value.type) && isPath(element.key)
        }
        if !numbers.isEmpty {
            let types = BSONArray(numbers.map { ["$type": .string("$" + $0.key)] })
            let expected = BSONArray(numbers.map { .string($0.value.type.alias) })
            conditions.append(["$eq": [.array(types), ["$literal": .array(expected)]]])
        }
        return ["_id": ["$eq": image["_id"] ?? .null], "$expr": ["$and": .array(BSONArray(conditions))]]
    }

    /// Puts a document in the place of another while the whole of that is as given.
    static func replacing(_ image: BSONDocument, by replacement: BSONDocument) -> WriteModel {
        let filter = document(image)
        // "The dollar ($) prefixed field … is not allowed in the context of an update's replacement document. Consider
        // using an aggregation pipeline with $replaceWith" (MongoDB 6.0).
        guard replacement.keys.contains(where: { $0.hasPrefix("$") }) else {
            return .replaceOne(filter: filter, replacement: replacement)
        }
        return .updateOne(filter: filter, update: ["0": ["$replaceWith": ["$literal": .document(replacement)]]])
    }

    /// Whether a field's name can stand in a path.
    package static func isPath(_ name: String) -> Bool {
        !name.isEmpty && !name.contains(".") && !name.hasPrefix("$")
    }
}
