package import BSON

/// An index as the server compares it with others: with the defaults that it fills in, and without what it passes over
/// (`hidden`, `background`, and the versions).
///
/// As seen on 4.4.2, 5.0.4, 6.0.5 and 6.0.27 with each pair of options (Tests/JournalTests).
package struct IndexShape {
    let name: String
    /// Whether it is the index on `_id`, which every collection has.
    let isOfID: Bool
    /// Whether it is a text index, of which a collection has one.
    let isText: Bool
    /// Whether it knows no collation but the simple one.
    let isSimple: Bool
    /// What no two indexes of a collection may share.
    let signature: BSONDocument
    /// What an index that is there already has to share with one that is asked for by its name.
    let whole: BSONDocument

    /// - Parameters:
    ///   - index: As `createIndexes` takes it, or as `listIndexes` describes it.
    ///   - collation: The collection's default collation.
    ///   - comparesMeaning: Whether options belong to the signature, and filters are compared by what they mean: from 5.0 on.
    init(_ index: BSONDocument, collation: BSONDocument?, comparesMeaning: Bool) {
        name = index["name"]?.string ?? ""
        let asked = index["key"]?.document ?? [:]
        let text = Self.text(asked, index["weights"]?.document)
        isText = text != nil
        isSimple = isText || asked.elements.contains { $0.value == "2d" }
        isOfID = asked.keys == ["_id"] && asked["_id"]?.number == 1
        var signature: BSONDocument = ["key": Self.comparable(.document(text?.key ?? asked))]
        signature.append("collation", Self.collation(index["collation"]?.document ?? collation))
        var options: BSONDocument = [
            "unique": .bool(Self.isTrue(index["unique"])), "sparse": .bool(Self.isTrue(index["sparse"])),
        ]
        if let filter = index["partialFilterExpression"]?.document {
            options.append(
                "filter", comparesMeaning ? IndexFilter.meaning(of: filter) : Self.comparable(.document(filter)))
        }
        if let projection = index["wildcardProjection"]?.document {
            options.append(
                "projection",
                comparesMeaning ? IndexFilter.meaning(ofProjection: projection) : Self.comparable(.document(projection))
            )
        }
        var whole = signature
        for element in options.elements {
            if comparesMeaning { signature.append(element.key, element.value) }
            whole.append(element.key, element.value)
        }
        for key in Self.compared {
            if let value = index[key] { whole.append(key, Self.comparable(value)) }
        }
        if let text {
            whole.append("weights", text.weights)
            whole.append("language", index["default_language"] ?? "english")
            whole.append("override", index["language_override"] ?? "language")
        }
        self.signature = signature
        self.whole = whole
    }

    /// Options that are compared as they are, where two indexes have one name.
    private static let compared = [
        "expireAfterSeconds", "storageEngine", "bits", "min", "max", "finestIndexedLevel", "coarsestIndexedLevel",
        "bucketSize",
    ]

    package static func isTrue(_ value: BSONValue?) -> Bool { value?.bool ?? value.map { $0.number != 0 } ?? false }

    /// A text index's key and weights, as the server stores them; nil for any other.
    private static func text(_ key: BSONDocument, _ given: BSONDocument?) -> (key: BSONDocument, weights: BSONValue)? {
        guard key.elements.contains(where: { $0.value == "text" }) else { return nil }
        var weights = Dictionary(
            (given ?? [:]).elements.map { ($0.key, comparable($0.value)) }, uniquingKeysWith: { $1 })
        var stored: BSONDocument = [:]
        for element in key.elements {
            if element.value == "text", element.key != "_fts" {
                if weights[element.key] == nil { weights[element.key] = .int64(1) }
                if stored["_fts"] == nil {
                    stored.append("_fts", "text")
                    stored.append("_ftsx", .int64(1))
                }
            } else {
                stored.append(element.key, element.value)
            }
        }
        return (stored, .document(BSONDocument(weights.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })))
    }

    /// A collation with the defaults that the server writes out; null for the simple one.
    private static func collation(_ given: BSONDocument?) -> BSONValue {
        guard let given, let locale = given["locale"]?.string, locale != "simple" else { return .null }
        let isThai = locale == "th"
        let defaults: [(String, BSONValue)] = [
            ("caseLevel", false), ("caseFirst", ["da", "mt"].contains(locale) ? "upper" : "off"), ("strength", 3),
            ("numericOrdering", false), ("alternate", isThai ? "shifted" : "non-ignorable"), ("maxVariable", "punct"),
            ("normalization", .bool(isThai)), ("backwards", .bool(locale == "fr_CA")),
        ]
        return comparable(
            .document(BSONDocument([("locale", .string(locale))] + defaults.map { ($0.0, given[$0.0] ?? $0.1) })))
    }

    /// A value in which numbers that are equal are one value, whatever type they have.
    static func comparable(_ value: BSONValue) -> BSONValue {
        switch value {
        case .document(let document):
            .document(BSONDocument(document.elements.map { ($0.key, comparable($0.value)) }))
        case .array(let array): .array(BSONArray(array.values.map(comparable)))
        case .int32(let number): .int64(Int64(number))
        case .double(let number): Int64(exactly: number).map { .int64($0) } ?? value
        default: value
        }
    }
}

/// What filters and projections of indexes mean, so that two ways to say one thing are one value. Servers from 5.0 on
/// compare them so.
enum IndexFilter {
    /// Conditions in no particular order.
    static func meaning(of filter: BSONDocument) -> BSONValue { list(conditions(filter)) }

    /// Paths in no particular order. That `_id` isn't among them is understood; 5.0 says so all the same.
    static func meaning(ofProjection projection: BSONDocument) -> BSONValue {
        let own = projection.keys.count > 1 ? projection.removingFalseID : projection
        return list(paths(own, under: ""))
    }

    private static func list(_ values: [BSONValue]) -> BSONValue {
        // By their bytes: any order will do, if it is always the same.
        let keyed = values.map { (bytes: BSONDocument([("", $0)]).bytes, value: $0) }
        return .array(BSONArray(keyed.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }.map(\.value)))
    }

    private static func conditions(_ filter: BSONDocument) -> [BSONValue] {
        filter.elements.flatMap { element -> [BSONValue] in
            if element.key == "$and" {
                return (element.value.array?.values ?? []).flatMap { $0.document.map(conditions) ?? [$0] }
            }
            if element.key.hasPrefix("$"), let branches = element.value.array {
                return [
                    .document([element.key: list(branches.values.map { $0.document.map { meaning(of: $0) } ?? $0 })])
                ]
            }
            guard let operators = element.value.document, operators.keys.first?.hasPrefix("$") ?? false else {
                return [condition(element.key, "$eq", element.value)]
            }
            return operators.elements.map { condition(element.key, $0.key, $0.value) }
        }
    }

    private static func condition(_ path: String, _ name: String, _ value: BSONValue) -> BSONValue {
        let meaning: BSONValue =
            switch name {
            case "$exists": .bool(value.bool ?? (value.number != 0))
            case "$type": list((value.array?.values ?? [value]).map(type))
            default: IndexShape.comparable(value)
            }
        return .document([path: .document([name: meaning])])
    }

    private static func type(_ value: BSONValue) -> BSONValue {
        guard let number = value.number.flatMap(UInt8.init(exactly:)), let type = BSONType(rawValue: number) else {
            return value
        }
        return .string(type.alias)
    }

    private static func paths(_ projection: BSONDocument, under prefix: String) -> [BSONValue] {
        projection.elements.flatMap { element -> [BSONValue] in
            if let inner = element.value.document { return paths(inner, under: prefix + element.key + ".") }
            return [.array([.string(prefix + element.key), .bool(element.value.bool ?? (element.value.number != 0))])]
        }
    }
}

extension BSONDocument {
    fileprivate var removingFalseID: BSONDocument {
        guard let id = self["_id"], id.bool == false || id.number == 0 else { return self }
        return removing("_id")
    }
}
