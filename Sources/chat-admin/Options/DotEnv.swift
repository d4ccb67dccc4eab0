/// The `.env` file of a Python application, read as python-dotenv reads it
/// (https://saurabh-kumar.com/python-dotenv/#file-format): `export`, quotes of both kinds, comments.
struct DotEnv: Equatable {
    /// A line that can't be understood; python-dotenv passes it over.
    struct Malformed: Equatable {
        /// Its number, counted from 1.
        let line: Int
        /// The variable that it begins to set; empty where not even that is clear.
        let name: String
    }

    /// The variables; the last one of a name counts.
    private(set) var variables: [String: String] = [:]
    /// What can't be understood.
    private(set) var malformed: [Malformed] = []

    /// Reads a file's text.
    init(_ text: String) {
        var reader = Reader(text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...])
        while reader.skipEmptyLines() {
            let line = reader.line
            var name = ""
            if let value = reader.binding(&name) {
                variables[name] = value
            } else if !reader.isAtLineEnd {
                malformed.append(Malformed(line: line, name: name))
            }
            reader.skipLine()
        }
    }

    /// Goes over the characters; a line break of Windows is one character.
    private struct Reader {
        private var rest: Substring
        private(set) var line = 1

        init(_ text: Substring) { rest = text }

        private static func isLineBreak(_ character: Character) -> Bool { ["\n", "\r", "\r\n"].contains(character) }

        private static func isSpace(_ character: Character) -> Bool {
            character.isWhitespace && !isLineBreak(character)
        }

        var isAtLineEnd: Bool { rest.first.map(Self.isLineBreak) ?? true }

        private mutating func next() -> Character? {
            guard let character = rest.popFirst() else { return nil }
            if Self.isLineBreak(character) { line += 1 }
            return character
        }

        private mutating func take(_ character: Character) -> Bool {
            guard rest.first == character else { return false }
            rest.removeFirst()
            return true
        }

        private mutating func skipSpace() { rest = rest.drop(while: Self.isSpace) }

        /// Whether there is a line with something in it.
        mutating func skipEmptyLines() -> Bool {
            while let character = rest.first, character.isWhitespace { _ = next() }
            return !rest.isEmpty
        }

        mutating func skipLine() { rest = rest.drop { !Self.isLineBreak($0) } }

        /// Reads `export NAME=value`. nil for a comment and for a name alone, which end their line, and for what can't be
        /// understood, where the reader stays.
        mutating func binding(_ name: inout String) -> String? {
            if rest.first == "#" {
                skipLine()
                return nil
            }
            if rest.hasPrefix("export"), let space = rest.dropFirst(6).first, Self.isSpace(space) {
                rest = rest.dropFirst(6)
                skipSpace()
            }
            guard readName(&name) else { return nil }
            skipSpace()
            guard take("=") else {
                if rest.first == "#" { skipLine() }
                return nil
            }
            let isBehindSpace = rest.first.map(Self.isSpace) ?? false
            skipSpace()
            guard let quote = rest.first, quote == "'" || quote == "\"" else { return plainValue(isBehindSpace) }
            let (start, startLine) = (rest, line)
            let value = quotedValue(quote)
            skipSpace()
            if rest.first == "#" { skipLine() }
            if value == nil || !isAtLineEnd {
                (rest, line) = (start, startLine)
                return nil
            }
            return value
        }

        private mutating func readName(_ name: inout String) -> Bool {
            if take("'") {
                name = String(rest.prefix { $0 != "'" && !Self.isLineBreak($0) })
                rest = rest.dropFirst(name.count)
                return take("'") && !name.isEmpty
            }
            name = String(rest.prefix { $0 != "=" && $0 != "#" && !$0.isWhitespace })
            rest = rest.dropFirst(name.count)
            return !name.isEmpty
        }

        /// Without quotes, a number sign behind white space begins a comment.
        private mutating func plainValue(_ startsBehindSpace: Bool) -> String {
            let text = rest.prefix { !Self.isLineBreak($0) }
            rest = rest[text.endIndex...]
            var value = ""
            var isBehindSpace = startsBehindSpace
            for character in text {
                if character == "#", isBehindSpace { break }
                isBehindSpace = Self.isSpace(character)
                value.append(character)
            }
            while value.last?.isWhitespace == true { value.removeLast() }
            return value
        }

        /// A quoted value may go on over several lines; nil for one that never ends.
        private mutating func quotedValue(_ quote: Character) -> String? {
            _ = next()
            var value = ""
            while let character = next() {
                if character == quote { return value }
                guard character == "\\", let escaped = rest.first else {
                    value.append(character)
                    continue
                }
                if let meaning = Self.meaning(of: escaped, quote) {
                    _ = next()
                    value.append(meaning)
                } else {
                    value.append(character)
                }
            }
            return nil
        }

        /// What a character behind a backslash stands for; nil where the backslash is one.
        private static func meaning(of character: Character, _ quote: Character) -> Character? {
            if character == "\\" || character == "'" { return character }
            guard quote == "\"" else { return nil }
            let meanings: [Character: Character] = [
                "\"": "\"", "a": "\u{07}", "b": "\u{08}", "f": "\u{0C}", "n": "\n", "r": "\r", "t": "\t", "v": "\u{0B}",
            ]
            return meanings[character]
        }
    }
}
