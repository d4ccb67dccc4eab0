package import BSON

/// A field of a collection that holds other documents' `_id`s.
package struct Referrer: Sendable, Hashable {
    /// The collection whose documents refer.
    package let collection: String
    /// The field, top-level.
    package let field: String

    /// Names a referring field.
    package init(collection: String, field: String) {
        self.collection = collection
        self.field = field
    }
}

/// A document that gets another `_id`.
package struct RekeyMove: Sendable {
    /// The `_id` it has.
    package let oldID: BSONValue
    /// The `_id` it gets.
    package let newID: BSONValue
    /// The document as it was observed, its old `_id` included.
    package var image: BSONDocument
    /// The fields that refer to documents of its collection.
    package let referrers: [Referrer]
    /// How many references to the new `_id` there were before it existed; only a text `_id` has such.
    package let earlierReferences: Int
    /// Whether its copy may stand already: made by a move that the journal doesn't know of any more, or that it calls done
    /// while the original is there again, as after a restore.
    package var isRepeated = false
    /// The references to the old `_id` that stay behind, for an undo: they were there before the document had it.
    package var staying: [Referrer: Set<BSONValue>] = [:]
    /// The journal entry that this move undoes, for an undo.
    package let undoes: JournalKey?

    /// Describes a move.
    package init(
        oldID: BSONValue, newID: BSONValue, image: BSONDocument, referrers: [Referrer], earlierReferences: Int = 0,
        isRepeated: Bool = false
    ) {
        self.init(
            oldID: oldID, newID: newID, image: image, referrers: referrers, earlierReferences: earlierReferences,
            undoes: nil)
        self.isRepeated = isRepeated
    }

    init(
        oldID: BSONValue, newID: BSONValue, image: BSONDocument, referrers: [Referrer], earlierReferences: Int,
        undoes: JournalKey?
    ) {
        self.oldID = oldID
        self.newID = newID
        self.image = image
        self.referrers = referrers
        self.earlierReferences = earlierReferences
        self.undoes = undoes
    }

    /// The document as it shall be: every other byte the same.
    package var copy: BSONDocument { image.replacing("_id", with: newID) }

    var document: BSONDocument {
        var document: BSONDocument = [
            "oldId": oldID, "newId": newID, "before": .document(image),
            "referrers": .array(
                BSONArray(referrers.map { ["collection": .string($0.collection), "field": .string($0.field)] })),
            "earlierReferences": .int64(Int64(earlierReferences)),
        ]
        if let undoes { document.append("undoes", undoes.value) }
        if !staying.isEmpty {
            let lists = staying.map { referrer, ids -> BSONValue in
                [
                    "collection": .string(referrer.collection), "field": .string(referrer.field),
                    "ids": .array(BSONArray(ids)),
                ]
            }
            document.append("staying", .array(BSONArray(lists)))
        }
        return document
    }

    /// Reads the references that stay behind from an undo's entry.
    static func staying(_ fields: StateFields) throws(StateError) -> [Referrer: Set<BSONValue>] {
        var staying: [Referrer: Set<BSONValue>] = [:]
        for list in try fields.list("staying") {
            staying[try Referrer(list)] = Set(try list.require("ids", .array))
        }
        return staying
    }

    init(reading fields: StateFields) throws(StateError) {
        guard let oldID = fields.document["oldId"] else { throw fields.fault("oldId", "there") }
        guard let newID = fields.document["newId"] else { throw fields.fault("newId", "there") }
        let image = try fields.require("before", .document)
        guard image["_id"] == oldID else { throw fields.fault("before._id", "what `oldId` says") }
        var referrers: [Referrer] = []
        for referrer in try fields.list("referrers") { referrers.append(try Referrer(referrer)) }
        self.init(
            oldID: oldID, newID: newID, image: image, referrers: referrers,
            earlierReferences: Int(try fields.read("earlierReferences", .count) ?? 0),
            undoes: try fields.read("undoes", .key))
        staying = try Self.staying(fields)
    }
}

extension Referrer {
    fileprivate init(_ fields: StateFields) throws(StateError) {
        self.init(collection: try fields.require("collection", .text), field: try fields.require("field", .text))
    }
}
