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
    /// What an entry says of the documents with some `_id`s.
    static func events(
        _ entry: JournalEntry, of ids: Set<BSONValue>, run: RunHeading?, undoneBy: ObjectID?
    ) -> [DocumentEvent] {
        let missed = Set(entry.missed)
        func event(
            _ kind: Kind, _ id: BSONValue, _ newID: BSONValue? = nil, _ before: BSONDocument?, _ after: BSONDocument?
        ) -> DocumentEvent {
            DocumentEvent(
                run: run, key: entry.key, step: entry.step, code: entry.code, kind: kind, id: id, newID: newID ?? id,
                before: before, after: after, state: entry.state, undoneBy: undoneBy)
        }
        switch entry.content {
        case .fields(let changes):
            return changes.filter { ids.contains($0.id) && !missed.contains($0.id) }
                .map { event(.changed, $0.id, nil, $0.before, $0.after) }
        case .rekey(let move):
            guard ids.contains(move.oldID) || ids.contains(move.newID) else { return [] }
            return [event(.moved, move.oldID, move.newID, move.image, move.copy)]
        case .insert(let documents):
            return documents.filter { document in
                let id = document["_id"] ?? .null
                return ids.contains(id) && !missed.contains(id)
            }.map { event(.inserted, $0["_id"] ?? .null, nil, nil, $0) }
        case .documents(let changes):
            return changes.filter { ids.contains($0.id) && !missed.contains($0.id) && $0.after != .same }.map {
                change in
                switch change.after {
                case .absent: event(.deleted, change.id, nil, change.before, nil)
                case .document(let after):
                    event(change.before == nil ? .inserted : .changed, change.id, nil, change.before, after)
                default: event(change.before == nil ? .inserted : .changed, change.id, nil, change.before, nil)
                }
            }
        case .validator, .indexes, .collection, .dropped: return []
        }
    }
}
