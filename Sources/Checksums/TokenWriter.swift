/// Writes tokens with one separator between each two, and takes the indentation from multi-line literals.
///
/// A multi-line literal's indentation is known at its end. Until ``finish()`` its lines are therefore only noted,
/// which keeps the time linear however deep literals are nested.
struct TokenWriter {
    /// A line of a multi-line literal.
    private struct Line {
        /// Where the line starts in `bytes`.
        let start: Int
        /// The literal that the line belongs to, as an index of `indentations`.
        let literal: Int
    }

    private var bytes: [UInt8] = []
    private var lines: [Line] = []
    private var indentations: [[UInt8]] = []

    /// The kind of the last token; nil at the start of the file or of an interpolation.
    private var previous: TokenKind?

    /// Whether a comma waits for the token behind it: it is left out before `)` and `]`.
    private var commaIsPending = false

    /// Writes the separator that belongs in front of a token; the caller then adds the token with ``append(_:)``.
    ///
    /// - Parameters:
    ///   - kind: What the token is.
    ///   - startsLine: Whether it is the first on its line.
    mutating func begin(_ kind: TokenKind, startsLine: Bool = false) {
        flushComma()
        if let previous, previous != .prefixOperator, kind != .postfixOperator {
            let opensStatement = kind == .opening && startsLine && previous.endsOperand
            append(opensStatement ? UInt8(ascii: "\n") : UInt8(ascii: " "))
        }
        previous = kind
    }

    /// Writes a comma, unless the next token turns out to be a closing bracket.
    mutating func writeComma() {
        flushComma()
        commaIsPending = true
    }

    /// Forgets a comma that was written last.
    mutating func dropComma() {
        commaIsPending = false
    }

    /// Adds a byte of a token as it is.
    mutating func append(_ byte: UInt8) {
        bytes.append(byte)
    }

    /// Adds bytes of a token as they are.
    mutating func append(_ slice: ArraySlice<UInt8>) {
        bytes.append(contentsOf: slice)
    }

    /// Notes that the code of an interpolation starts.
    mutating func beginInterpolation() {
        previous = nil
    }

    /// Notes that a literal with interpolations has ended.
    mutating func endLiteral() {
        previous = .operand
    }

    /// The number of a new multi-line literal.
    mutating func beginMultiLineLiteral() -> Int {
        indentations.append([])
        return indentations.count - 1
    }

    /// Notes that a new line of a multi-line literal starts here.
    mutating func beginLine(of literal: Int) {
        lines.append(Line(start: bytes.count, literal: literal))
    }

    /// Notes that the closing delimiter of a multi-line literal follows; what stands before it on its line is the
    /// indentation, if it is white space only.
    mutating func endLines(of literal: Int) {
        guard let line = lines.last, line.literal == literal else { return }
        let indentation = bytes[line.start...]
        if indentation.allSatisfy({ ByteClass.of($0) == .blank }) {
            indentations[literal] = Array(indentation)
        }
    }

    /// All that was written, the indentation of multi-line literals taken away.
    mutating func finish() -> [UInt8] {
        flushComma()
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var copied = 0
        for line in lines {
            result.append(contentsOf: bytes[copied..<line.start])
            copied = line.start + indentation(of: line)
        }
        result.append(contentsOf: bytes[copied...])
        return result
    }

    private mutating func flushComma() {
        guard commaIsPending else { return }
        commaIsPending = false
        begin(.other)
        append(UInt8(ascii: ","))
    }

    /// How many bytes of a line are indentation. A line with less has none, unless it is blank.
    private func indentation(of line: Line) -> Int {
        let indentation = indentations[line.literal]
        let rest = bytes[line.start...]
        let length = zip(indentation, rest).prefix { $0 == $1 }.count
        if length == indentation.count { return length }
        return rest.dropFirst(length).first == UInt8(ascii: "\n") ? length : 0
    }
}
