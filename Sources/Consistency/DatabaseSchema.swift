package import BSON

/// What a database looks like when it is right: its collections, references, counters and keys, as one value.
///
/// Checks and repairs work from this declaration and never name a collection themselves.
package struct DatabaseSchema: Sendable {
    /// The collections, in no particular order.
    package let collections: [CollectionSchema]

    /// Declares a schema.
    package init(_ collections: [CollectionSchema]) { self.collections = collections }

    /// The declaration of a collection.
    package func collection(_ name: String) -> CollectionSchema? { collections.first { $0.name == name } }

    /// The references that name documents of a collection, with the collections that hold them.
    package func references(to target: String) -> [(holder: CollectionSchema, reference: Reference)] {
        collections.flatMap { holder in
            holder.references.filter { $0.target == target }.map { (holder, $0) }
        }
    }

    /// The collections, those that refer before those that are referred to.
    var referringFirst: [CollectionSchema] {
        collections.sorted { (depth($0, 0), $1.name) > (depth($1, 0), $0.name) }
    }

    private func depth(_ collection: CollectionSchema, _ level: Int) -> Int {
        // A cycle of references ends where there are more levels than collections.
        guard level <= collections.count else { return level }
        let targets = collection.references.compactMap { self.collection($0.target) }
        return targets.map { depth($0, level + 1) + 1 }.max() ?? 0
    }
}

/// What is known of one collection. Its `_id`s are ObjectIds.
package struct CollectionSchema: Sendable {
    /// The collection's name.
    package let name: String
    /// What people call its documents.
    package let plural: String
    /// The field that holds a document's time of creation, a date or ISO 8601 text; it never changes.
    package let createdField: String
    /// The field that names a document's owner, if it has one.
    package let ownerField: String?
    /// The fields that name documents of other collections.
    package let references: [Reference]
    /// The fields that count documents of other collections.
    package let counters: [Counter]
    /// Fields that no two documents may share. Where two differ in case alone it is a warning.
    package let uniqueFields: [String]
    /// What other fields must hold.
    package let fields: [FieldRule]
    /// The field that must hold a password hash, if there is one.
    package let passwordField: PasswordField?
    /// The indexes that the application, or this tool, reads by.
    package let indexes: [IndexSpecification]
    /// The fields that may be shown in samples beside `_id` and references: names, never contents.
    package let sampleFields: [String]

    /// Declares a collection.
    package init(
        name: String, plural: String? = nil, createdField: String, ownerField: String? = nil,
        references: [Reference] = [],
        counters: [Counter] = [], uniqueFields: [String] = [], fields: [FieldRule] = [],
        passwordField: PasswordField? = nil, indexes: [IndexSpecification] = [], sampleFields: [String] = []
    ) {
        self.name = name
        self.plural = plural ?? name
        self.createdField = createdField
        self.ownerField = ownerField
        self.references = references
        self.counters = counters
        self.uniqueFields = uniqueFields
        self.fields = fields
        self.passwordField = passwordField
        self.indexes = indexes
        self.sampleFields = sampleFields
    }
}

extension CollectionSchema {
    /// The same collection, of which nothing but one reference is looked at.
    func referring(by reference: Reference) -> CollectionSchema {
        CollectionSchema(
            name: name, plural: plural, createdField: createdField, ownerField: nil, references: [reference])
    }
}

/// A field that holds another document's `_id`.
package struct Reference: Sendable {
    /// The field, top-level.
    package let field: String
    /// The collection whose documents it names.
    package let target: String
    /// Whether a document without it is wrong.
    package let isRequired: Bool
    /// Whether the document and the one it names must have the same owner, each in its owner field.
    package let sharesOwner: Bool
    /// Whether the application deletes such targets for good and leaves behind what refers to them. Then a reference to
    /// none is a warning.
    package let outlivesTarget: Bool

    /// Declares a reference.
    package init(
        field: String, target: String, isRequired: Bool = true, sharesOwner: Bool = false, outlivesTarget: Bool = false
    ) {
        self.field = field
        self.target = target
        self.isRequired = isRequired
        self.sharesOwner = sharesOwner
        self.outlivesTarget = outlivesTarget
    }
}

/// A field that counts the documents which refer to its document, and one that tells the newest of them.
package struct Counter: Sendable {
    /// The field that holds the number.
    package let field: String
    /// The field that holds the time of the newest counted document.
    package let latestField: String
    /// The collection whose documents are counted.
    package let counted: String
    /// The counted documents' field that names the counting document.
    package let reference: String
    /// The counted documents' field that is exactly false in those that are live, which alone are counted.
    package let deletedField: String
    /// The counted documents' time of creation, a date.
    package let createdField: String
    /// How much later than the newest document of any kind the latest field may be, in milliseconds.
    package let toleranceMS: Int64

    /// Declares a counter.
    package init(
        field: String, latestField: String, counted: String, reference: String, deletedField: String,
        createdField: String, toleranceMS: Int64
    ) {
        self.field = field
        self.latestField = latestField
        self.counted = counted
        self.reference = reference
        self.deletedField = deletedField
        self.createdField = createdField
        self.toleranceMS = toleranceMS
    }
}

/// A field that must hold a password hash.
package struct PasswordField: Sendable {
    /// The field, top-level.
    package let field: String
    /// A regular expression (PCRE, as the server reads it) that a recognisable hash matches.
    package let pattern: String

    /// Declares a password field.
    package init(field: String, pattern: String) {
        self.field = field
        self.pattern = pattern
    }
}

/// An index to be there.
package struct IndexSpecification: Sendable {
    /// Its name: the server's default one, so that the application's own `create_index` finds it.
    package let name: String
    /// Its fields, each with 1 or -1.
    package let key: BSONDocument
    /// Whether no two documents may share its key.
    package let isUnique: Bool
    /// Whether it is about documents alone whose fields, each of them, are text: what isn't there, and null, may be shared.
    package let isOfText: Bool

    /// Declares an index.
    package init(key: BSONDocument, isUnique: Bool = false, isOfText: Bool = false) {
        self.key = key
        self.isUnique = isUnique
        self.isOfText = isOfText
        name = key.elements.map { "\($0.key)_\($0.value.integer ?? 1)" }.joined(separator: "_")
    }

    /// The index as `createIndexes` takes it.
    package var document: BSONDocument {
        var document: BSONDocument = ["key": .document(key), "name": .string(name)]
        if isUnique { document.append("unique", true) }
        if isOfText {
            // Comparisons stay within a type, and no text comes before the empty one. Unlike `$type` this lets the server look
            // a text up in the index: {username: "alice"} is within {$gte: ""}.
            let condition = BSONDocument(key.keys.map { ($0, ["$gte": ""]) })
            document.append("partialFilterExpression", .document(condition))
        }
        return document
    }
}
