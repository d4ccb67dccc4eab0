package import BSON

/// The name of a journal entry: its run, and its number within it.
package struct JournalKey: Hashable, Sendable {
    package let run: ObjectID
    package let number: Int64

    /// Far more entries than a run can write: there is always a next one.
    private static let largest: Int64 = 1 << 62

    package var value: BSONValue { ["r": .objectID(run), "n": .int64(number)] }

    /// Matches the names of all entries of a run.
    static func all(of run: ObjectID) -> BSONValue {
        [
            "$gte": JournalKey(run: run, number: 0).value, "$lte": JournalKey(run: run, number: .max).value,
        ]
    }

    init(run: ObjectID, number: Int64) {
        self.run = run
        self.number = number
    }

    package init?(_ value: BSONValue?) {
        guard let document = value?.document, let run = document["r"]?.objectID,
            let number = document["n"]?.integer, (0..<Self.largest).contains(number)
        else { return nil }
        self.init(run: run, number: number)
    }
}

/// One journalled change, written before the change is made.
package struct JournalEntry: Sendable {
    /// Where an entry stands. What isn't `done`, `abandoned` or `conflict` is finished by the next run.
    package enum State: String, Sendable, CaseIterable {
        /// Written; the change may or may not have been made.
        case planned
        /// A moved document: the original is being deleted, the copy stands.
        case deleting
        /// A moved document: the original is being deleted before the copy is inserted.
        case deletingFirst
        /// A moved document: it stands under its new `_id`; references still follow.
        case references
        /// Made.
        case done
        /// A moved document: the copy is being taken away again, and what followed it goes back.
        case withdrawing
        /// Given up before it had an effect.
        case abandoned
        /// Both the original and its copy were changed by others; both are kept.
        case conflict
    }

    /// What was changed.
    package enum Content: Sendable {
        /// Fields of documents.
        case fields([FieldChange])
        /// A document's `_id`.
        case rekey(RekeyMove)
        /// Documents that were inserted, as they were inserted.
        case insert([BSONDocument])
        /// Documents that were inserted under consecutive `_id`s.
        case range(InsertedRange)
        /// A collection's validator, level and action.
        case validator(before: BSONDocument, after: BSONDocument)
        /// Indexes that were created, as their specifications.
        case indexes([BSONDocument])
        /// A collection that was created.
        case collection
        /// Whole documents that were replaced or deleted.
        case documents([DocumentChange])
        /// A collection that was dropped, with its options and indexes; its documents are in the entries before.
        case dropped(options: BSONDocument, indexes: [BSONDocument])
    }

    package let key: JournalKey
    package let code: String
    package let collection: String
    package let content: Content
    package var state: State
    /// The step of a migration that it belongs to.
    package let step: Int64?
    /// The moved document that this change of references follows.
    package let parent: Int64?
    /// `_id`s of documents that an undo has nothing to do with: they had changed before the change could be made, or an
    /// undo has undone them while it left others.
    package var missed: [BSONValue] = []
    /// The other findings that the change mends in the same documents.
    package var also: [String] = []
    /// `_id`s of documents that had changed before they could be changed, and are to be looked at again.
    package var again: [BSONValue] = []
    /// Whether an undo has undone it.
    package var isUndone = false
    /// Whether it is about documents again that an entry before it is about.
    package var isRetry = false
    /// Which command of a step's file it belongs to, and which statement of it.
    package var position: Int64?
    /// Whether its changes are sent once, and never again. Others add to the same fields: a document that looks unchanged
    /// may have been changed, and rightly changed back.
    package var isOnce = false
    /// Whether nobody else wrote when it was made. Where nobody does now it may be sent again after all; what a run that has
    /// lost its lease still sends then meets what stands already.
    package var isOffline = false
    /// Whether what it inserts may be what a validator refuses.
    package var isUnvalidated = false
    /// What every document has to match still when it is changed, of an entry that sets the fields of all to the same values.
    package var filter: BSONDocument?
    /// The number of the entry, of the run that is undone, that this one undoes.
    package var undoes: Int64?
    /// What a moved document was before changes of the application's that were carried over to its copy.
    package var earlier: [BSONDocument] = []
}

extension JournalEntry {
    package var document: BSONDocument {
        var document: BSONDocument = [
            "_id": key.value, "kind": .string(content.kind), "state": .string(state.rawValue),
            "code": .string(code), "collection": .string(collection),
        ]
        if let step { document.append("step", .int64(step)) }
        if let parent { document.append("parent", .int64(parent)) }
        if let position { document.append("position", .int64(position)) }
        if isRetry { document.append("retry", true) }
        if isOnce { document.append("once", true) }
        if isOffline { document.append("offline", true) }
        if isUnvalidated { document.append("unvalidated", true) }
        if let filter { document.append("filter", .document(filter)) }
        if let undoes { document.append("undoes", .int64(undoes)) }
        if !also.isEmpty { document.append("also", .array(BSONArray(also.map { .string($0) }))) }
        for element in content.fields.rawElements { document.append(raw: element) }
        return document
    }

    /// Reads an entry.
    ///
    /// - Throws: ``StateError`` where it isn't as this tool writes them: half of what it speaks of would be passed over.
    package init(reading document: BSONDocument) throws(StateError) {
        let fields = StateFields(StateCollection.journal, document)
        let key = try fields.require("_id", .key)
        let content = try Content(fields)
        // A document that is undone has an entry that names another one whole; others name its number.
        var undoes: Int64?
        if case .rekey = content {} else { undoes = try fields.read("undoes", .number) }
        self.init(
            key: key, code: try fields.require("code", .text), collection: try fields.require("collection", .text),
            content: content, state: try fields.require("state", .word),
            step: try fields.read("step", .number), parent: try fields.read("parent", .number),
            missed: try fields.read("missed", .array) ?? [], also: try fields.read("also", .texts) ?? [],
            again: try fields.read("again", .array) ?? [], isUndone: try fields.read("undone", .objectID) != nil,
            isRetry: try fields.read("retry", .flag) ?? false, position: try fields.read("position", .number),
            isOnce: try fields.read("once", .flag) ?? false, isOffline: try fields.read("offline", .flag) ?? false,
            isUnvalidated: try fields.read("unvalidated", .flag) ?? false,
            filter: try fields.read("filter", .document), undoes: undoes,
            earlier: try fields.read("earlier", .documents) ?? [])
    }

    /// The kinds of entries that this version writes.
    static let kinds = [
        "fields", "rekey", "insert", "range", "validator", "indexes", "collection", "documents", "dropped",
    ]
}

extension JournalEntry.Content {
    package var kind: String {
        switch self {
        case .fields: "fields"
        case .rekey: "rekey"
        case .insert: "insert"
        case .range: "range"
        case .validator: "validator"
        case .indexes: "indexes"
        case .collection: "collection"
        case .documents: "documents"
        case .dropped: "dropped"
        }
    }

    fileprivate var fields: BSONDocument {
        switch self {
        case .fields(let changes): ["items": .array(BSONArray(changes.map { .document($0.document) }))]
        case .rekey(let move): move.document
        case .insert(let documents): ["documents": .array(BSONArray(documents.map { .document($0) }))]
        case .range(let range): range.document
        case .validator(let before, let after): ["before": .document(before), "after": .document(after)]
        case .indexes(let indexes): ["indexes": .array(BSONArray(indexes.map { .document($0) }))]
        case .collection: [:]
        case .documents(let changes): ["items": .array(BSONArray(changes.map { .document($0.document) }))]
        case .dropped(let options, let indexes):
            ["options": .document(options), "indexes": .array(BSONArray(indexes.map { .document($0) }))]
        }
    }

    fileprivate init(_ fields: StateFields) throws(StateError) {
        switch try fields.require("kind", .text) {
        case "fields": self = .fields(try Self.each(fields, FieldChange.init(reading:)))
        case "rekey": self = .rekey(try RekeyMove(reading: fields))
        case "insert": self = .insert(try fields.require("documents", .documents))
        case "range": self = .range(try InsertedRange(reading: fields))
        case "validator":
            self = .validator(
                before: try fields.require("before", .document), after: try fields.require("after", .document))
        case "indexes": self = .indexes(try fields.require("indexes", .documents))
        case "collection": self = .collection
        case "documents": self = .documents(try Self.each(fields, DocumentChange.init(reading:)))
        case "dropped":
            self = .dropped(
                options: try fields.require("options", .document), indexes: try fields.require("indexes", .documents))
        default:
            throw fields.fault("kind", "one that this version knows (\(JournalEntry.kinds.joined(separator: ", ")))")
        }
    }

    private static func each<T>(
        _ fields: StateFields, _ read: (StateFields) throws(StateError) -> T
    ) throws(StateError) -> [T] {
        guard fields.document["items"] != nil else { throw fields.fault("items", "an array") }
        var items: [T] = []
        for item in try fields.list("items") { items.append(try read(item)) }
        return items
    }
}
