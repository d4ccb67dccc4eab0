internal import BSON

/// How deeply documents are nested.
enum Nesting {
    /// Whether a document has more levels than a limit, itself included.
    static func exceeds(_ document: BSONDocument, _ limit: Int) -> Bool {
        guard limit > 0 else { return true }
        return document.rawElements.contains { element in
            switch element.value {
            case .document(let inner): exceeds(inner, limit - 1)
            case .array(let inner): exceeds(inner.document, limit - 1)
            case .javascriptWithScope(let code): exceeds(code.scope, limit - 1)
            default: false
            }
        }
    }
}
