internal import BSON

/// A session that is being made: what is true of it, and how it is stored.
struct DraftSession {
    /// How its `_id` is stored.
    enum StoredID {
        /// As the ObjectId that it is.
        case right
        /// As `""`.
        case empty
        /// As null.
        case null
        /// As the ObjectId's text.
        case text
        /// As the text of another session's ObjectId, so that it can't have that one.
        case takenText
    }

    /// Its true `_id`; for ``StoredID/takenText`` the other session's.
    var id: ObjectID
    /// Its owner: a position in the list of users.
    let owner: Int
    /// Its title, unlike any other's.
    let title: String
    /// In milliseconds since 1970.
    let createdAt: Int64
    /// How its `_id` is stored.
    var storedID = StoredID.right
    /// Whether all its messages are deleted.
    var isDeserted = false
    /// Another session's `_id` is this one's as text, so that only ObjectIds refer to it without doubt.
    var isShadowed = false
    /// What its messages amount to so far.
    var totals = SessionTally()

    /// Its `_id` as stored.
    var storedValue: BSONValue {
        switch storedID {
        case .right: .objectID(id)
        case .empty: ""
        case .null: .null
        case .text, .takenText: .string(id.hex)
        }
    }

    /// What its `_id` must become.
    var identity: ExpectedDocument.Identity {
        switch storedID {
        case .right: .unchanged
        case .empty, .null, .takenText: .fresh
        case .text: .exactly(id)
        }
    }
}
