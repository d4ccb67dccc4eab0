internal import BSON
internal import Journal

/// Values that an update gives to fields of every document alike: what it makes of a document is known without asking the
/// server. (Fields that it takes away aren't among them: only an image of the whole document tells where they stood.)
struct PlainValues {
    private let fields: BSONDocument

    /// Larger changes go with their whole documents.
    private static let largestChange = 8 << 10

    /// - Parameter fields: What `$set` is followed by.
    /// - Returns: nil where a name is a path, or stands twice.
    init?(_ fields: BSONDocument) {
        let names = fields.keys
        guard !names.isEmpty, Set(names).count == names.count,
            names.allSatisfy({ $0 != "_id" && ExactMatch.isPath($0) })
        else { return nil }
        self.fields = fields
    }

    /// Whether they can be set in a document together with others: it isn't too large, and has none of the fields twice.
    func canBeSet(in document: BSONDocument) -> Bool {
        let names = document.keys
        return fields.keys.allSatisfy { name in names.count { $0 == name } <= 1 }
            && before(document).byteCount + fields.byteCount <= Self.largestChange
    }

    /// What setting them changes in a document; nil where it has them already.
    func change(of document: BSONDocument) -> FieldChange? {
        let before = before(document)
        return before == fields ? nil : FieldChange(id: document["_id"] ?? .null, before: before, after: fields)
    }

    private func before(_ document: BSONDocument) -> BSONDocument {
        BSONDocument(fields.keys.compactMap { name in document[name].map { (name, $0) } })
    }
}

extension ChangeStatement {
    private static let largestFilter = 16 << 10

    /// What it sets in every document that matches, where it does nothing else.
    var plainValues: PlainValues? {
        // Every statement repeats the filter, and every entry keeps it.
        guard filter.byteCount <= Self.largestFilter, isMulti, collation == nil, variables == nil, rest.isEmpty,
            let update = update?.document,
            update.keys == ["$set"], let fields = update["$set"]?.document
        else { return nil }
        return PlainValues(fields)
    }
}
