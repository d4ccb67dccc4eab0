/// What a token is, as far as the separators around it depend on that.
enum TokenKind: Sendable {
    /// A name, a number or a literal.
    case operand
    /// A word behind which an operand may start on the next line.
    case keyword
    /// An opening bracket.
    case opening
    /// A closing bracket; the end of an operand.
    case closing
    /// An operator without white space between itself and the operand behind it, but with some before it.
    case prefixOperator
    /// An operator without white space between itself and the operand before it, but with some behind it.
    case postfixOperator
    /// Any other operator or punctuation.
    case other

    /// Whether `(` and `[` would continue an expression that ends with this token.
    var endsOperand: Bool {
        switch self {
        case .operand, .closing, .postfixOperator: true
        case .keyword, .opening, .prefixOperator, .other: false
        }
    }

    /// Words behind which `(` and `[` mean the same on the same and on the next line.
    ///
    /// Formatters break lines behind some of them, `in` above all.
    private static let keywords: Set<String> = [
        "any", "as", "async", "await", "borrowing", "case", "consume", "consuming", "copy", "else", "for", "guard",
        "if", "in", "inout", "is", "let", "repeat", "rethrows", "return", "sending", "some", "switch", "throw",
        "throws", "try", "unsafe", "var", "where", "while",
    ]

    /// The kind of a word: an attribute is followed by what it applies to, like a keyword.
    static func word(_ bytes: ArraySlice<UInt8>) -> TokenKind {
        if bytes.first == UInt8(ascii: "@") { return .keyword }
        return keywords.contains(String(decoding: bytes, as: UTF8.self)) ? .keyword : .operand
    }
}
