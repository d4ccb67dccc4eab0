extension BSONError {
    /// The stable codes of errors.
    public enum Kind: String, Hashable, CaseIterable, Sendable {
        /// The bytes end before the value does.
        case truncated = "truncated"
        /// A length is negative, too small for its value, or not the one of the surrounding value.
        case invalidLength = "invalid-length"
        /// A string, a key or a document lacks its NUL byte, or has it too early.
        case invalidTerminator = "invalid-terminator"
        /// A type byte is none of the specification's.
        case unknownType = "unknown-type"
        /// A truth value is neither 0 nor 1.
        case invalidBool = "invalid-bool"
        /// Documents are nested deeper than ``BSONDocument/maximumDepth``.
        case tooDeep = "too-deep"
        /// There are bytes after the end of the document.
        case trailingBytes = "trailing-bytes"
    }
}
