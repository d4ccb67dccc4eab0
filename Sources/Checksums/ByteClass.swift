/// What a byte of Swift source may be the start of.
enum ByteClass: Sendable {
    /// White space other than a line break.
    case blank
    /// LF or CR.
    case lineBreak
    /// One of the characters that ASCII operators are made of.
    case operatorCharacter
    /// `(`, `[`, `{`.
    case opening
    /// `)`, `]`, `}`.
    case closing
    /// `,`
    case comma
    /// `;`, `:`, `\` and `'`, tokens by themselves.
    case punctuation
    /// `"`
    case quote
    /// The quote of identifiers.
    case backtick
    /// `#`, in front of directives, macros and delimiters.
    case hash
    /// `@`
    case at
    /// Everything else: letters, digits, `_`, `$`, bytes outside of ASCII and control characters.
    case word

    /// The class of a byte, by its value. A table, for the scanner asks several times for each byte.
    private static let table: [ByteClass] = (UInt8.min...UInt8.max).map(classify)

    /// The class of `byte`.
    static func of(_ byte: UInt8) -> ByteClass {
        table[Int(byte)]
    }

    private static func classify(_ byte: UInt8) -> ByteClass {
        switch Unicode.Scalar(byte) {
        case " ", "\t", "\u{B}", "\u{C}": .blank
        case "\n", "\r": .lineBreak
        case "/", "=", "-", "+", "!", "*", "%", "<", ">", "&", "|", "^", "~", "?", ".": .operatorCharacter
        case "(", "[", "{": .opening
        case ")", "]", "}": .closing
        case ",": .comma
        case ";", ":", "\\", "'": .punctuation
        case "\"": .quote
        case "`": .backtick
        case "#": .hash
        case "@": .at
        default: .word
        }
    }
}
