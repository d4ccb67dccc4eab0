extension SwiftScanner {
    /// What lies between two tokens.
    enum Gap {
        /// Nothing.
        case none
        /// White space or comments on one line.
        case blank
        /// White space or comments with a line break among them.
        case lineBreak
    }

    /// Skips white space and comments. A comment that doesn't end is written as it is.
    mutating func skipGap() -> Gap {
        let start = position
        while let byte = byte() {
            switch ByteClass.of(byte) {
            case .blank, .lineBreak: position += 1
            case .operatorCharacter where isComment(0):
                guard let length = commentLength() else {
                    let gap = gap(from: start)
                    output.begin(.operand)
                    copy(source.count - position)
                    return gap
                }
                position += length
            default: return gap(from: start)
            }
        }
        return gap(from: start)
    }

    /// Whether a comment starts `distance` behind the next byte.
    func isComment(_ distance: Int) -> Bool {
        isNext("/", distance) && (isNext("/", distance + 1) || isNext("*", distance + 1))
    }

    /// The length of the comment that starts here, without the line break behind it; nil if it doesn't end.
    private func commentLength() -> Int? {
        isNext("/", 1) ? lineCommentLength() : blockCommentLength()
    }

    private func lineCommentLength() -> Int {
        var length = 2
        while let byte = byte(length), ByteClass.of(byte) != .lineBreak {
            length += 1
        }
        return length
    }

    private func blockCommentLength() -> Int? {
        var length = 2
        var depth = 1
        while depth > 0 {
            guard byte(length) != nil else { return nil }
            if isNext("*", length), isNext("/", length + 1) {
                depth -= 1
                length += 2
            } else if isNext("/", length), isNext("*", length + 1) {
                depth += 1
                length += 2
            } else {
                length += 1
            }
        }
        return length
    }

    private func gap(from start: Int) -> Gap {
        if start == position { return .none }
        return source[start..<position].contains { ByteClass.of($0) == .lineBreak } ? .lineBreak : .blank
    }
}
