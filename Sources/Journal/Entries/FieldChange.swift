public import BSON

/// A change of some top-level fields of one document.
public struct FieldChange: Sendable, Equatable {
    /// The document's `_id`.
    public let id: BSONValue
    /// The fields as they were observed; one that is in ``after`` alone was absent.
    public let before: BSONDocument
    /// The fields as they shall be; one that is in ``before`` alone is removed.
    public let after: BSONDocument

    /// Describes a change.
    public init(id: BSONValue, before: BSONDocument, after: BSONDocument) {
        self.id = id
        self.before = before
        self.after = after
    }

    /// The change that undoes this one.
    public var reversed: FieldChange { FieldChange(id: id, before: after, after: before) }

    /// The names of all fields concerned.
    var names: [String] { after.keys + before.keys.filter { after[$0] == nil } }

    /// The field, where it is one alone.
    var field: String? { names.count == 1 ? names.first : nil }

    /// Matches the document while its fields are as they were observed.
    var filter: BSONDocument { ExactMatch.fields(id: id, names.map { ($0, before[$0]) }) }

    /// The update's operators.
    var update: BSONDocument { Self.update(of: names, to: after) }

    /// The operators that give fields their values, and take those away that have none.
    static func update(of names: [String], to values: BSONDocument) -> BSONDocument {
        var update: BSONDocument = [:]
        if !values.isEmpty { update.append("$set", .document(values)) }
        let removed = names.filter { values[$0] == nil }
        if !removed.isEmpty {
            update.append("$unset", .document(BSONDocument(removed.map { ($0, BSONValue.string("")) })))
        }
        return update
    }

    /// Whether a document's fields are as they were observed.
    package func isBefore(_ document: BSONDocument) -> Bool { names.allSatisfy { document[$0] == before[$0] } }

    /// Whether a document's fields are as they shall be.
    func isAfter(_ document: BSONDocument) -> Bool { names.allSatisfy { document[$0] == after[$0] } }

    var document: BSONDocument { ["id": id, "before": .document(before), "after": .document(after)] }

    init(reading fields: StateFields) throws(StateError) {
        guard let id = fields.document["id"] else { throw fields.fault("id", "there") }
        self.init(
            id: id, before: try fields.require("before", .document), after: try fields.require("after", .document))
    }
}
