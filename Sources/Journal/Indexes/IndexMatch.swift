package import BSON

/// Which index can stand in for another.
package enum IndexMatch {
    /// Whether an index that is there does what a wanted one would do: the same keys in the same order, unique if that
    /// is wanted, and over all documents, or at least those that the wanted one covers. A sparse one covers those whose
    /// field is there.
    ///
    /// - Parameters:
    ///   - present: The index that is there, as `listIndexes` describes it.
    ///   - wanted: The index that is wanted.
    ///   - collation: The collection's default collation, which every index made without one has.
    package static func serves(
        _ present: BSONDocument, _ wanted: BSONDocument, collation: BSONDocument?
    ) -> Bool {
        guard sameKey(present, wanted), present["collation"]?.document == collation,
            (present["unique"]?.bool ?? false) == (wanted["unique"]?.bool ?? false)
        else { return false }
        guard let condition = wanted["partialFilterExpression"]?.document else {
            return present["partialFilterExpression"] == nil && !(present["sparse"]?.bool ?? false)
        }
        guard let own = present["partialFilterExpression"]?.document else { return true }
        return own.elements.allSatisfy { isImplied($0, by: condition) }
    }

    /// Whether every document that a condition of an index covers is covered by a part of another's.
    private static func isImplied(_ part: BSONElement, by condition: BSONDocument) -> Bool {
        guard let wanted = condition[part.key] else { return false }
        let meaning = IndexFilter.meaning(of: [part.key: part.value])
        if meaning == IndexFilter.meaning(of: [part.key: wanted]) { return true }
        guard isText(wanted) else { return false }
        // A field that is text is there.
        return isText(part.value) || meaning == IndexFilter.meaning(of: [part.key: ["$exists": true]])
    }

    /// Whether a condition is that a field is text, said in either of two ways.
    private static func isText(_ condition: BSONValue) -> Bool {
        condition == ["$type": "string"] || condition == ["$gte": ""]
    }

    /// Whether an index is one that was asked for, or stands for it in every respect.
    static func stands(_ present: BSONDocument, for asked: BSONDocument, collation: BSONDocument?) -> Bool {
        serves(present, asked, collation: collation)
            && present["partialFilterExpression"]?.document.map(IndexFilter.meaning(of:))
                == asked["partialFilterExpression"]?.document.map(IndexFilter.meaning(of:))
            && !(present["sparse"]?.bool ?? false)
    }

    /// Whether an index that is there is what the server makes of a specification: it adds versions and defaults.
    static func isMade(_ present: BSONDocument, of specification: BSONDocument) -> Bool {
        let asked = specification.elements.filter { $0.key != "key" && !byServer.contains($0.key) }
        return sameKey(present, specification)
            && asked.allSatisfy { present[$0.key] == $0.value }
            && present.keys.allSatisfy { byServer.contains($0) || specification[$0] != nil }
    }

    /// What a server before 5.0 adds to an index, or leaves out, by itself.
    private static let byServer: Set<String> = [
        "v", "ns", "background", "2dsphereIndexVersion", "textIndexVersion", "weights", "default_language",
        "language_override",
    ]

    /// Whether two indexes have the same fields in the same order and direction, whatever number type says so.
    package static func sameKey(_ first: BSONDocument, _ second: BSONDocument) -> Bool {
        guard let first = first["key"]?.document, let second = second["key"]?.document else { return false }
        return first.keys == second.keys
            && first.keys.allSatisfy { key in
                // The direction is a number, or the kind of index is text.
                first[key]?.number.map { $0 == second[key]?.number } ?? (first[key] == second[key])
            }
    }
}
