package import BSON

/// One thing that the journal says was done to a document.
package struct DocumentEvent: Sendable {
    /// What was done.
    package enum Kind: String, Sendable {
        /// The document was inserted.
        case inserted
        /// It was deleted.
        case deleted
        /// Some fields, or the whole of it, got other values.
        case changed
        /// It got another `_id`.
        case moved
    }

    /// The run that did it; nil where its record is gone.
    package let run: RunHeading?
    /// The journal's entry.
    package let key: JournalKey
    /// The step of a migration that it belongs to.
    package let step: Int64?
    /// The finding that was mended, or the thing made.
    package let code: String
    /// What was done.
    package let kind: Kind
    /// The `_id` that it was done under.
    package let id: BSONValue
    /// The `_id` that it had after that.
    package let newID: BSONValue
    /// What was changed, as it was before: the changed fields, or the whole document; nil where there was none.
    package let before: BSONDocument?
    /// The same as it was after; nil where there was none, or where the journal doesn't hold it.
    package let after: BSONDocument?
    /// Where the entry stands.
    package let state: JournalEntry.State
    /// The run that has undone it.
    package let undoneBy: ObjectID?

    /// An entry, and which of its documents is meant.
    struct Name: Hashable {
        let key: JournalKey
        let id: BSONValue
    }

    var name: Name { Name(key: key, id: id) }

    /// Whether the document isn't under its `_id` any more after that.
    var isDeparture: Bool { kind == .moved || kind == .deleted }
}

extension DocumentEvent {
    /// What an entry says of the document with an `_id`.
    ///
    /// - Parameters:
    ///   - document: The entry, as the journal holds it.
    ///   - id: The `_id`.
    ///   - run: The run that wrote it.
    /// - Throws: ``StateError``.
    static func events(
        _ document: BSONDocument, of id: BSONValue, run: (ObjectID) -> RunHeading?
    ) throws(StateError) -> [DocumentEvent] {
        let fields = StateFields(StateCollection.journal, document)
        let entry = try JournalEntry(reading: document)
        let undoneBy = try fields.read("undone", .objectID)
        // Of an entry that was undone in part, what went back was done all the same.
        let restored = try fields.read("restored", .array) ?? []
        let partlyUndoneBy = try fields.read("left", .objectID)
        let isMissed = { (id: BSONValue) in entry.missed.contains(id) && !restored.contains(id) }
        func event(
            _ kind: Kind, _ id: BSONValue, _ newID: BSONValue? = nil, _ before: BSONDocument?, _ after: BSONDocument?
        ) -> DocumentEvent {
            DocumentEvent(
                run: run(entry.key.run), key: entry.key, step: entry.step, code: entry.code, kind: kind, id: id,
                newID: newID ?? id, before: before, after: after, state: entry.state,
                undoneBy: undoneBy ?? (restored.contains(id) ? partlyUndoneBy : nil))
        }
        switch entry.content {
        case .fields(let changes):
            return changes.filter { $0.id.isSameID(as: id) && !isMissed($0.id) }
                .map { event(.changed, $0.id, nil, $0.before, $0.after) }
        case .rekey(let move):
            guard move.oldID.isSameID(as: id) || move.newID.isSameID(as: id) else { return [] }
            return [event(.moved, move.oldID, move.newID, move.image, move.copy)]
        case .insert(let documents):
            return documents.filter { document in
                let found = document["_id"] ?? .null
                return found.isSameID(as: id) && !isMissed(found)
            }.map { event(.inserted, $0["_id"] ?? .null, nil, nil, $0) }
        case .range(let range):
            guard let found = id.objectID, (range.first...range.last).contains(found) else { return [] }
            return [event(.inserted, id, nil, nil, nil)]
        case .documents(let changes):
            return changes.filter { $0.id.isSameID(as: id) && !isMissed($0.id) && $0.after != .same }.map { change in
                let kind = change.before == nil ? Kind.inserted : .changed
                return switch change.after {
                case .absent: event(.deleted, change.id, nil, change.before, nil)
                case .document(let after): event(kind, change.id, nil, change.before, after)
                default: event(kind, change.id, nil, change.before, nil)
                }
            }
        case .validator, .indexes, .collection, .dropped: return []
        }
    }
}

extension BSONValue {
    /// Whether the server takes it for the same `_id`.
    fileprivate func isSameID(as other: BSONValue) -> Bool {
        comparisonKey == other.comparisonKey
    }
}
