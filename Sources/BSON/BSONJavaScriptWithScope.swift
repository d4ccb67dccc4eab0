/// The deprecated JavaScript code with a scope (<https://bsonspec.org/spec.html>).
///
/// Equality compares the code by its UTF-8 bytes and the scope by its bytes.
public struct BSONJavaScriptWithScope: Hashable, Sendable {
    /// The source text.
    public var code: String

    /// The variables the code sees.
    public var scope: BSONDocument

    /// Makes code with a scope.
    public init(code: String, scope: BSONDocument) {
        self.code = code
        self.scope = scope
    }

    /// Whether both have the same code and the same scope, byte by byte.
    public static func == (left: BSONJavaScriptWithScope, right: BSONJavaScriptWithScope) -> Bool {
        left.code.hasSameBytes(as: right.code) && left.scope == right.scope
    }
}
