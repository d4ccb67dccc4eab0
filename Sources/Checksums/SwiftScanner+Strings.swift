extension SwiftScanner {
    /// Reads the opening delimiter of a string literal with `hashes` characters `#`.
    mutating func scanStringStart(hashes: Int) {
        output.begin(.operand)
        // `#"""#` is a literal with one quote. A multi-line literal's content starts on a new line.
        let hasThreeQuotes = areQuotesNext(3, hashes)
        if hasThreeQuotes, hashes == 0 || isLineBlank(hashes + 3) {
            copy(hashes + 3)
            enter(.string(StringLiteral(hashes: hashes, multiLine: output.beginMultiLineLiteral())))
        } else {
            copy(hashes + 1)
            enter(.string(StringLiteral(hashes: hashes, multiLine: nil)))
        }
    }

    /// Reads a string literal up to its end or the next interpolation, and leaves or enters that.
    mutating func scanString(_ literal: StringLiteral) {
        while let byte = byte() {
            switch Unicode.Scalar(byte) {
            case "\"" where isClosingDelimiter(literal):
                if let number = literal.multiLine { output.endLines(of: number) }
                copy((literal.multiLine == nil ? 1 : 3) + literal.hashes)
                leaveString()
                return
            case "\\" where areHashesNext(literal.hashes, 1):
                copy(1 + literal.hashes)
                if isNext("(") {
                    copy(1)
                    output.beginInterpolation()
                    enter(.code(openParentheses: 0))
                    return
                }
                copyEscapedCharacter()
            case "\n", "\r":
                guard let number = literal.multiLine else {
                    leaveString()
                    return
                }
                copy(1)
                output.beginLine(of: number)
            default: copy(1)
            }
        }
    }

    /// Copies the first byte behind a backslash, a quote for instance; a line break is looked at by itself.
    private mutating func copyEscapedCharacter() {
        guard let byte = byte(), ByteClass.of(byte) != .lineBreak else { return }
        copy(1)
    }

    private mutating func leaveString() {
        output.endLiteral()
        leave()
    }

    private func isClosingDelimiter(_ literal: StringLiteral) -> Bool {
        let quotes = literal.multiLine == nil ? 1 : 3
        return areQuotesNext(quotes, 0) && areHashesNext(literal.hashes, quotes)
    }

    private func areQuotesNext(_ count: Int, _ distance: Int) -> Bool {
        (0..<count).allSatisfy { isNext("\"", distance + $0) }
    }
}
