extension SwiftScanner {
    /// Reads an operator, or a regular expression literal between bare slashes.
    ///
    /// The rules are the compiler's: "If an operator has no whitespace on the left but is followed immediately by a
    /// dot, it's treated as a postfix unary operator", "the characters (, [, and { before an operator, the characters
    /// ), ], and } after an operator, and the characters ,, ;, and : are also considered whitespace" ("The Swift
    /// Programming Language: Lexical Structure"). Comments are white space as well.
    ///
    /// - Parameter afterGap: Whether there is white space or a comment in front of it.
    mutating func scanOperator(afterGap: Bool) {
        let isLeftBound = !afterGap && isBoundOnTheLeft
        if !isLeftBound, let length = bareRegexLength() {
            output.begin(.operand)
            copy(length)
            return
        }
        // "If the ! or ? predefined operator has no whitespace on the left, it's treated as a postfix operator,
        // regardless of whether it has whitespace on the right."
        if isLeftBound, isNext("!") || isNext("?") {
            output.begin(.postfixOperator)
            copy(1)
            return
        }
        let length = operatorLength()
        output.begin(kind(ofLength: length, isLeftBound: isLeftBound))
        copy(length)
    }

    private func kind(ofLength length: Int, isLeftBound: Bool) -> TokenKind {
        if isReserved(length) { return .other }
        return switch (isLeftBound, isRightBound(length, isLeftBound: isLeftBound)) {
        case (false, true): .prefixOperator
        case (true, false): .postfixOperator
        case (true, true), (false, false): .other
        }
    }

    /// Whether the operator can't be both unary and infix, so that white space around it means nothing.
    ///
    /// "The tokens =, ->, [...] and ., the prefix operators <, &, and ?, the infix operator ?, and the postfix operators
    /// >, !, and ? are reserved." What starts with > may be the end of a generic type with more behind it.
    private func isReserved(_ length: Int) -> Bool {
        if isNext(">") { return true }
        if length == 1 { return isNext("=") || isNext(".") || isNext("<") || isNext("?") }
        return length == 2 && isNext("-") && isNext(">", 1)
    }

    /// The operator's length: a dot continues it only if it starts with one, a comment ends it.
    private func operatorLength() -> Int {
        let mayHaveDots = isNext(".")
        var length = 1
        while let byte = byte(length), ByteClass.of(byte) == .operatorCharacter, !isComment(length),
            mayHaveDots || byte != UInt8(ascii: ".")
        {
            length += 1
        }
        return length
    }

    /// Whether the byte in front of the operator isn't one of those that count as white space.
    private var isBoundOnTheLeft: Bool {
        guard position > 0 else { return false }
        switch Unicode.Scalar(source[position - 1]) {
        case "(", "[", "{", ",", ";", ":": return false
        default: return true
        }
    }

    private func isRightBound(_ length: Int, isLeftBound: Bool) -> Bool {
        guard let byte = byte(length), !isComment(length) else { return false }
        switch Unicode.Scalar(byte) {
        case ")", "]", "}", ",", ";", ":": return false
        case ".": return !isLeftBound
        default: return ![.blank, .lineBreak].contains(ByteClass.of(byte))
        }
    }
}
