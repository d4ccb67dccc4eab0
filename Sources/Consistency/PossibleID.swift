internal import BSON

extension BSONValue {
    /// Whether a document that a reference names can have it as its `_id`. Null names nothing.
    ///
    /// The server refuses arrays, regular expressions, undefined, and documents with a key that begins with `$`. Within
    /// `$in` it would read most of these as something else, or refuse the query ("cannot nest $ under $in").
    var canBeID: Bool {
        switch self {
        case .array, .regularExpression, .undefined, .null: false
        case .document(let document): !document.keys.contains { $0.hasPrefix("$") }
        default: true
        }
    }
}
