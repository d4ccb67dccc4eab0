internal import CMongoC

/// Which members of a replica set may answer a read
/// (https://www.mongodb.com/docs/manual/core/read-preference/).
package enum ReadPreference: String, Sendable, CaseIterable {
    /// The primary alone.
    case primary
    /// The primary while there is one.
    case primaryPreferred
    /// A secondary alone.
    case secondary
    /// A secondary while there is one.
    case secondaryPreferred
    /// The member with the lowest latency.
    case nearest

    init(_ mode: mongoc_read_mode_t) {
        self = Self.allCases.first { $0.mode == mode } ?? .primary
    }

    private var mode: mongoc_read_mode_t {
        switch self {
        case .primary: MONGOC_READ_PRIMARY
        case .primaryPreferred: MONGOC_READ_PRIMARY_PREFERRED
        case .secondary: MONGOC_READ_SECONDARY
        case .secondaryPreferred: MONGOC_READ_SECONDARY_PREFERRED
        case .nearest: MONGOC_READ_NEAREST
        }
    }

    /// Lends libmongoc a preference, with the tags and the staleness that the connection string asks for; nil leaves it to
    /// the connection, which reads from the primary.
    static func withPointer<R>(
        _ preference: ReadPreference?, _ string: ConnectionString, _ body: (OpaquePointer?) throws -> R
    ) rethrows -> R {
        guard let preference, let pointer = mongoc_read_prefs_new(preference.mode) else { return try body(nil) }
        defer { mongoc_read_prefs_destroy(pointer) }
        if preference != .primary {
            if let tags = string.readTags { withBSON(tags) { mongoc_read_prefs_set_tags(pointer, $0) } }
            mongoc_read_prefs_set_max_staleness_seconds(pointer, string.maxStalenessSeconds)
        }
        return try body(pointer)
    }
}
