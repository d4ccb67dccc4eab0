/// Reads Swift source once, from front to back, and writes its tokens.
///
/// What literals and interpolations are nested in is kept in a list and not on the call stack, so that no depth of
/// nesting ends the program.
struct SwiftScanner {
    /// What the scanner is inside of.
    enum Context {
        /// Code, with the number of parentheses that are open in it.
        case code(openParentheses: Int)
        /// A string literal.
        case string(StringLiteral)
    }

    /// What ends a string literal.
    struct StringLiteral {
        /// The number of `#` in each of its delimiters.
        let hashes: Int
        /// The number that ``TokenWriter`` gave to it if it is a multi-line literal, otherwise nil.
        let multiLine: Int?
    }

    /// The source, line breaks made equal, without a byte-order mark.
    let source: [UInt8]

    /// The index of the next byte.
    var position = 0

    /// What was read so far.
    var output = TokenWriter()

    /// What the scanner is inside of, from the outermost, the file's code, to the innermost.
    private var contexts: [Context] = []

    /// Starts at the first byte of `bytes`.
    init(_ bytes: [UInt8]) {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        var source: [UInt8] = []
        source.reserveCapacity(bytes.count)
        for byte in bytes.starts(with: mark) ? bytes.dropFirst(mark.count) : bytes[...] {
            if byte == UInt8(ascii: "\n"), source.last == UInt8(ascii: "\r") {
                source.removeLast()
            }
            source.append(byte)
        }
        self.source = source
    }

    /// Reads everything and returns the tokens with one separator between each two.
    mutating func tokens() -> [UInt8] {
        while position < source.count {
            switch contexts.last {
            case .string(let literal): scanString(literal)
            case .code(let openParentheses): scanToken(openParentheses: openParentheses)
            case nil: scanToken(openParentheses: nil)
            }
        }
        return output.finish()
    }

    /// The byte `distance` behind the next one; nil behind the end.
    func byte(_ distance: Int = 0) -> UInt8? {
        let index = position + distance
        return index < source.count ? source[index] : nil
    }

    /// Whether the byte `distance` behind the next one is this ASCII character.
    func isNext(_ character: Unicode.Scalar, _ distance: Int = 0) -> Bool {
        byte(distance) == UInt8(ascii: character)
    }

    /// Whether, `distance` behind the next byte, there are at least `count` characters `#`.
    func areHashesNext(_ count: Int, _ distance: Int) -> Bool {
        (0..<count).allSatisfy { isNext("#", distance + $0) }
    }

    /// Whether nothing but blanks follows on the line, `distance` behind the next byte.
    func isLineBlank(_ distance: Int) -> Bool {
        var index = position + distance
        while index < source.count, ByteClass.of(source[index]) == .blank {
            index += 1
        }
        return index >= source.count || ByteClass.of(source[index]) == .lineBreak
    }

    /// Writes the next `count` bytes as they are.
    mutating func copy(_ count: Int) {
        let end = min(position + count, source.count)
        output.append(source[position..<end])
        position = end
    }

    /// Goes on within a literal or an interpolation.
    mutating func enter(_ context: Context) {
        contexts.append(context)
    }

    /// Goes on outside of the innermost literal or interpolation.
    mutating func leave() {
        contexts.removeLast()
    }

    /// Notes how many parentheses are open in the innermost interpolation.
    mutating func setOpenParentheses(_ count: Int) {
        contexts[contexts.count - 1] = .code(openParentheses: count)
    }
}
