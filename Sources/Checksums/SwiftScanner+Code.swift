extension SwiftScanner {
    /// Reads the white space and comments up to the next token, and the token; of a string literal the start only.
    ///
    /// - Parameter openParentheses: How many are open in the interpolation that the code belongs to; nil outside.
    mutating func scanToken(openParentheses: Int?) {
        let gap = skipGap()
        guard let byte = byte() else { return }
        switch ByteClass.of(byte) {
        case .operatorCharacter: scanOperator(afterGap: gap != .none)
        case .quote: scanStringStart(hashes: 0)
        case .hash: scanHash()
        case .backtick: scanQuotedIdentifier()
        case .opening, .closing: scanBracket(byte, openParentheses, startsLine: gap == .lineBreak)
        case .comma:
            output.writeComma()
            position += 1
        case .at, .word: scanWord()
        case .punctuation, .blank, .lineBreak:
            output.begin(.other)
            copy(1)
        }
    }

    /// Reads a bracket; the parenthesis that ends an interpolation, too.
    private mutating func scanBracket(_ byte: UInt8, _ openParentheses: Int?, startsLine: Bool) {
        let isClosing = ByteClass.of(byte) == .closing
        if isClosing, byte != UInt8(ascii: "}") {
            output.dropComma()
        }
        if let openParentheses, byte == UInt8(ascii: "(") {
            setOpenParentheses(openParentheses + 1)
        }
        if let openParentheses, byte == UInt8(ascii: ")") {
            if openParentheses == 0 {
                copy(1)
                leave()
                return
            }
            setOpenParentheses(openParentheses - 1)
        }
        // A brace on the next line is a closure or body as it would be on the same line.
        output.begin(isClosing ? .closing : .opening, startsLine: startsLine && byte != UInt8(ascii: "{"))
        copy(1)
    }

    /// Reads a word, and an `@` in front of it.
    private mutating func scanWord() {
        let length = wordLength(1)
        output.begin(.word(source[position..<position + length]))
        copy(length)
    }

    /// Reads what starts with `#`: a raw string, an extended regular expression, a directive or a macro's name.
    private mutating func scanHash() {
        var hashes = 1
        while isNext("#", hashes) {
            hashes += 1
        }
        if isNext("\"", hashes) {
            scanStringStart(hashes: hashes)
        } else if isNext("/", hashes) {
            scanExtendedRegex(hashes: hashes)
        } else {
            output.begin(.operand)
            copy(wordLength(hashes))
        }
    }

    /// Reads an identifier in backticks, which may contain white space; a lone backtick stands for itself.
    private mutating func scanQuotedIdentifier() {
        output.begin(.operand)
        var length = 1
        while let byte = byte(length), ByteClass.of(byte) != .lineBreak {
            length += 1
            if byte == UInt8(ascii: "`") {
                copy(length)
                return
            }
        }
        copy(1)
    }

    /// The length of the word that has at least `length` bytes from the next one.
    private func wordLength(_ length: Int) -> Int {
        var length = length
        while let byte = byte(length), ByteClass.of(byte) == .word {
            length += 1
        }
        return length
    }
}
