public import BSON

/// What a run found and couldn't or mustn't change.
public struct Leftover: Sendable, Hashable {
    /// The finding's code.
    public let code: String
    /// The collection.
    public let collection: String
    /// The field that it is about, where there is one and it is known.
    package let field: String?
    /// The number of documents left.
    public let count: Int
    /// Why, in words.
    public let reason: Sentence
    /// The `_id`s of at most five of them, where they are known; large ones by their beginning (`BSONValue.excerpt`).
    public let samples: [BSONValue]
    /// Whether the journal says it too, from where the next run has it.
    let isInJournal: Bool

    /// So many documents stand for all.
    public static let mostSamples = PlannedOperation.mostSamples

    /// Counts what was left.
    ///
    /// - Parameters:
    ///   - code: The finding's code.
    ///   - collection: The collection.
    ///   - count: The number of documents left.
    ///   - reason: Why, in words.
    ///   - samples: `_id`s; five of them are kept.
    public init(code: String, collection: String, count: Int, reason: Sentence, samples: [BSONValue] = []) {
        self.init(
            code: code, collection: collection, field: nil, count: count, reason: reason, samples: samples)
    }

    package init(
        code: String, collection: String, field: String?, count: Int, reason: Sentence, samples: [BSONValue] = []
    ) {
        self.init(
            code: code, collection: collection, field: field, count: count, reason: reason, samples: samples,
            isInJournal: false)
    }

    init(
        code: String, collection: String, field: String?, count: Int, reason: Sentence, samples: [BSONValue],
        isInJournal: Bool
    ) {
        self.field = field
        self.isInJournal = isInJournal
        self.code = code
        self.collection = collection
        self.count = count
        self.reason = reason.excerpt(maximumCharacters: Self.longestReason)
        self.samples = samples.prefix(Self.mostSamples).map { $0.excerpt() }
    }

    /// A reason may hold a server's words, and those a value.
    static let longestReason = 1000
}

extension Leftover {
    /// Reads a list of leftovers; none where there is no list.
    package static func list(_ fields: StateFields, _ name: String) throws(StateError) -> [Leftover] {
        var leftovers: [Leftover] = []
        for left in try fields.list(name) {
            leftovers.append(
                Leftover(
                    code: try left.require("code", .text), collection: try left.require("collection", .text),
                    field: try left.read("field", .text), count: Int(try left.require("count", .count)),
                    reason: Sentence(try left.require("reason", .text)),
                    samples: try left.read("samples", .array) ?? []))
        }
        return leftovers
    }

    /// The same from a document that was read strictly before.
    package static func list(_ value: BSONValue?) -> [Leftover] {
        (value?.array?.values ?? []).compactMap(\.document).map { left in
            Leftover(
                code: left["code"]?.string ?? "", collection: left["collection"]?.string ?? "",
                field: left["field"]?.string, count: Int(left["count"]?.integer ?? 0),
                reason: Sentence(left["reason"]?.string ?? ""),
                samples: left["samples"]?.array?.values ?? [])
        }
    }

    /// What was left, as records keep it.
    ///
    /// - Parameter words: Puts the reason's advice into words.
    package func bson(_ words: (any Advice) -> String = { $0.words }) -> BSONValue {
        var document: BSONDocument = [
            "code": .string(code), "collection": .string(collection), "count": .int64(Int64(count)),
            "reason": .string(reason.text(words).excerpt(maximumCharacters: Self.longestReason)),
        ]
        if let field { document.append("field", .string(field)) }
        if !samples.isEmpty { document.append("samples", .array(BSONArray(samples))) }
        return .document(document)
    }
}
