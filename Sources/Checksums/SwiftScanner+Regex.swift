extension SwiftScanner {
    /// Reads a regular expression literal with `hashes` characters `#` in each delimiter.
    ///
    /// It has several lines if nothing follows the opening delimiter on its line; then it may go on to the end.
    mutating func scanExtendedRegex(hashes: Int) {
        output.begin(.operand)
        let isMultiLine = isLineBlank(hashes + 1)
        copy(hashes + 1)
        while let byte = byte(), isMultiLine || ByteClass.of(byte) != .lineBreak {
            if byte == UInt8(ascii: "/"), areHashesNext(hashes, 1) {
                copy(1 + hashes)
                return
            }
            copy(isEscape(0) ? 2 : 1)
        }
    }

    /// The length of the regular expression literal between bare slashes that starts here; nil if none does.
    ///
    /// A heuristic, close to the compiler's. It looks no further than the next slash that isn't escaped, and an escaped
    /// slash is never asked about, for the backslash is in front of it: so the time is linear.
    func bareRegexLength() -> Int? {
        guard isNext("/"), let first = byte(1), ByteClass.of(first) != .blank else { return nil }
        var length = 1
        var openParentheses = 0
        while let byte = byte(length), ByteClass.of(byte) != .lineBreak {
            switch Unicode.Scalar(byte) {
            case "/":
                // No literal is empty: two slashes are a comment.
                let isClosing = ByteClass.of(source[position + length - 1]) != .blank
                return isClosing ? length + 1 : nil
            case "(": openParentheses += 1
            case ")" where openParentheses == 0: return nil
            case ")": openParentheses -= 1
            case "\\" where isEscape(length): length += 1
            default: break
            }
            length += 1
        }
        return nil
    }

    /// Whether, `distance` behind the next byte, a backslash is followed by anything but a line break.
    private func isEscape(_ distance: Int) -> Bool {
        guard isNext("\\", distance), let next = byte(distance + 1) else { return false }
        return ByteClass.of(next) != .lineBreak
    }
}
