package import BSON

/// A change of one whole document: replaced, deleted, or left by a command in a state that is known by its digest.
package struct DocumentChange: Sendable, Equatable {
    /// What the change makes of the document.
    package enum Outcome: Sendable, Equatable {
        /// This document.
        case document(BSONDocument)
        /// None.
        case absent
        /// A document with this SHA-256, which a command of the server made.
        case digest([UInt8])
        /// Whatever a command of the server makes of it: not looked at yet.
        case unknown
        /// What it was.
        case same
    }

    /// The document's `_id`.
    package let id: BSONValue
    /// The document before; nil where there was none.
    package let before: BSONDocument?
    /// The document after.
    package let after: Outcome

    package init(id: BSONValue, before: BSONDocument?, after: Outcome) {
        self.id = id
        self.before = before
        self.after = after
    }
}

extension DocumentChange {
    package var document: BSONDocument {
        var document: BSONDocument = ["id": id]
        if let before { document.append("before", .document(before)) }
        switch after {
        case .document(let after): document.append("after", .document(after))
        case .absent: document.append("absent", true)
        case .digest(let digest): document.append("digest", .binary(BSONBinary(subtype: 0, bytes: digest)))
        case .same: document.append("same", true)
        case .unknown: break
        }
        return document
    }

    init(reading fields: StateFields) throws(StateError) {
        guard let id = fields.document["id"] else { throw fields.fault("id", "there") }
        let document = try fields.read("after", .document)
        let isAbsent = try fields.read("absent", .flag) ?? false
        let digest = try fields.read("digest", .binary)
        let isSame = try fields.read("same", .flag) ?? false
        let after: Outcome =
            if let document {
                .document(document)
            } else if isAbsent {
                .absent
            } else if let digest {
                .digest(digest.bytes)
            } else if isSame {
                .same
            } else {
                .unknown
            }
        self.init(id: id, before: try fields.read("before", .document), after: after)
    }
}
