/// Text in lines of a width.
enum Wrapped {
    /// Breaks a text between words. A word that is longer than a line is broken too, unless an address is in it.
    ///
    /// - Parameters:
    ///   - text: The text, without line breaks.
    ///   - width: The largest number of columns in a line.
    static func lines(_ text: String, width: Int = 80) -> [String] {
        text.isEmpty ? [] : line(text, width: width, hanging: 0)
    }

    /// Breaks one line of a result where it is too long. What follows is indented: behind the last gap between columns, where
    /// there is room, else a little more than the line itself.
    ///
    /// - Parameters:
    ///   - line: The line; emphasis takes no room in it.
    ///   - width: The largest number of columns.
    static func line(_ line: String, width: Int) -> [String] {
        guard TextWidth.of(line) > width else { return [line] }
        if let (head, tail) = shortTail(line, width) { return [head, tail] }
        return Self.line(line, width: width, hanging: hanging(line, width))
    }

    /// What is left of a line for its last column, at least.
    private static let narrowest = 24

    /// A last column of a few words goes to the next line as a whole.
    private static func shortTail(_ line: String, _ width: Int) -> (head: String, tail: String)? {
        let indentation = line.prefix { $0 == " " }.count
        let words = words(line)
        guard let gap = words.lastIndex(where: { $0.first == " " && $0.count >= 2 }), gap > 0 else { return nil }
        let (head, tail) = (words[..<gap].joined(), words[(gap + 1)...].joined())
        guard TextWidth.of(tail) <= narrowest, TextWidth.of(head) <= width else { return nil }
        return (head, String(repeating: " ", count: indentation + 4) + tail)
    }

    private static func hanging(_ line: String, _ width: Int) -> Int {
        let indentation = line.prefix { $0 == " " }.count
        var column = 0
        var (spaces, last) = (0, 0)
        for word in words(line) {
            if spaces >= 2, column > indentation { last = column }
            column += TextWidth.of(word)
            spaces = word.allSatisfy { $0 == " " } ? word.count : 0
            guard column <= width - narrowest else { break }
        }
        if last > 0 && last <= width - narrowest { return last }
        // A sentence by itself stays a paragraph.
        return indentation == 0 ? 0 : min(indentation + 2, max(width - narrowest, 0))
    }

    private static func line(_ text: String, width: Int, hanging: Int) -> [String] {
        var lines: [String] = []
        var (line, column) = ("", 0)
        var isEmpty = true
        func end() {
            while line.hasSuffix(" ") { line.removeLast() }
            lines.append(line)
            (line, column, isEmpty) = (String(repeating: " ", count: hanging), hanging, true)
        }
        for word in words(text).flatMap({ mayBreak($0, width - hanging) ? PlainText.untied($0) : [$0] }) {
            let isSpace = word.first == " "
            if isSpace, isEmpty, !lines.isEmpty { continue }
            let length = TextWidth.of(word)
            if !isSpace, column + length > width, !isEmpty { end() }
            if column + length <= width || isSpace || isAddress(word) {
                line += word
                column += length
            } else {
                // Longer than a line by itself.
                for character in word {
                    let length = TextWidth.of(String(character))
                    if column + length > width, column > hanging { end() }
                    line.append(character)
                    column += length
                }
            }
            if !isSpace { isEmpty = false }
        }
        if !isEmpty || lines.isEmpty { end() }
        return lines
    }

    /// Whether a word is longer than a line, and may become several lines.
    private static func mayBreak(_ word: Substring, _ width: Int) -> Bool {
        !isAddress(word) && TextWidth.of(word) > width
    }

    /// What is there to be copied, as a whole: it sticks out.
    private static func isAddress(_ word: Substring) -> Bool { word.contains("://") }

    /// Words, and the spaces between them.
    private static func words(_ text: String) -> [Substring] {
        var words: [Substring] = []
        var rest = text[...]
        while let first = rest.first {
            let word = rest.prefix { ($0 == " ") == (first == " ") }
            words.append(word)
            rest = rest.dropFirst(word.count)
        }
        return words
    }
}

/// How many columns of a terminal text takes.
enum TextWidth {
    /// The number of columns: two for what is written wide, none for emphasis.
    static func of(_ text: some StringProtocol) -> Int {
        PlainText.withoutEmphasis(text).reduce(0) { $0 + of($1) }
    }

    private static func of(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        // What is drawn as a picture by itself takes two, and so does a flag.
        let isPicture = scalar.properties.isEmojiPresentation || scalar.properties.isEmoji && scalar.value > 0xFFFF
        return isPicture || wide.contains { $0.contains(scalar.value) } ? 2 : 1
    }

    /// The blocks of East Asian Width W and F (https://www.unicode.org/reports/tr11/).
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
        0xFFE0...0xFFE6, 0x20000...0x3FFFD,
    ]
}
