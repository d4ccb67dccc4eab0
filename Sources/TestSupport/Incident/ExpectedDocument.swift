internal import BSON

/// What must become of one document of a damaged database.
struct ExpectedDocument: Sendable {
    /// What its `_id` must be after the repair.
    enum Identity: Sendable {
        /// What it was.
        case unchanged
        /// This one.
        case exactly(ObjectID)
        /// A new ObjectId with `created_at` as its timestamp.
        case fresh
    }

    /// What tells it from the others of its collection, whatever its `_id`: see ``IncidentTruth/naturalKeys``.
    let key: String
    /// The document before the repair.
    let original: BSONDocument
    /// Its `_id` afterwards.
    var identity = Identity.unchanged
    /// The key of the session it belongs to, whose `_id` its `session_id` must then equal; nil when the reference may
    /// not be touched.
    var session: String?
    /// Its owner, when `user_id` must become this ObjectId; nil when the reference may not be touched.
    var user: ObjectID?

    /// Its `created_at`, in milliseconds since 1970.
    var createdAt: Int64? { original["created_at"]?.date }

    /// Whether the application shows it: it asks for documents whose `deleted` is false.
    var isLive: Bool { original["deleted"] == .bool(false) }

    /// Whether a repair of fields has something to fill in: where `deleted` is absent it becomes false.
    var lacksDeleted: Bool { original["deleted"] == nil }
}
