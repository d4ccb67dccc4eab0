public import BSON

/// What a run found and couldn't or mustn't change.
public struct Leftover: Sendable, Hashable {
    /// The finding's code.
    public let code: String
    /// The collection.
    public let collection: String
    /// The number of documents left.
    public let count: Int
    /// Why, in words.
    public let reason: String
    /// The `_id`s of at most five of them, where they are known.
    public let samples: [BSONValue]

    /// So many documents stand for all.
    public static let mostSamples = PlannedOperation.mostSamples

    /// Counts what was left.
    ///
    /// - Parameter samples: `_id`s; five of them are kept.
    public init(code: String, collection: String, count: Int, reason: String, samples: [BSONValue] = []) {
        self.code = code
        self.collection = collection
        self.count = count
        self.reason = reason
        self.samples = Array(samples.prefix(Self.mostSamples))
    }
}

extension Leftover {
    /// Reads a list of leftovers from a record; none where there is no list.
    static func list(_ value: BSONValue?) -> [Leftover] {
        (value?.array?.values ?? []).compactMap(\.document).map { left in
            Leftover(
                code: left["code"]?.string ?? "", collection: left["collection"]?.string ?? "",
                count: Int(left["count"]?.integer ?? 0), reason: left["reason"]?.string ?? "",
                samples: left["samples"]?.array?.values ?? [])
        }
    }

    var bson: BSONValue {
        var document: BSONDocument = [
            "code": .string(code), "collection": .string(collection), "count": .int64(Int64(count)),
            "reason": .string(reason),
        ]
        if !samples.isEmpty { document.append("samples", .array(BSONArray(samples))) }
        return .document(document)
    }
}
