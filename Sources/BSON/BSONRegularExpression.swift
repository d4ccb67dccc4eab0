/// A regular expression: a pattern and its options.
///
/// Both are stored as NUL-terminated strings (<https://bsonspec.org/spec.html>), so neither may hold a NUL
/// character: writing one that does is a precondition failure. Equality compares UTF-8 bytes.
public struct BSONRegularExpression: Hashable, Sendable {
    /// The pattern, without slashes around it.
    public var pattern: String

    /// The option letters. The specification wants them in alphabetical order; they are kept as they are.
    public var options: String

    /// Makes a regular expression.
    public init(pattern: String, options: String = "") {
        self.pattern = pattern
        self.options = options
    }

    /// Whether both have the same pattern and the same options, byte by byte.
    public static func == (left: BSONRegularExpression, right: BSONRegularExpression) -> Bool {
        left.pattern.hasSameBytes(as: right.pattern) && left.options.hasSameBytes(as: right.options)
    }
}
