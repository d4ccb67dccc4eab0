/// Reads JSON strictly, and counts lines.
struct JSONParser {
    /// Deeper nesting is refused: it is read by recursion.
    private static let deepest = 64

    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var depth = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    /// Reads the only value.
    mutating func document() throws(JSONNode.Failure) -> JSONNode {
        let node = try value()
        skipSpace()
        guard index == bytes.count else { throw failure("something stands behind its end") }
        return node
    }

    private func failure(_ reason: String) -> JSONNode.Failure { JSONNode.Failure(line: line, reason: reason) }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) {
            if byte == 0x0A { line += 1 }
            index += 1
        }
    }

    /// Takes a character if it comes next, behind any space.
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func value() throws(JSONNode.Failure) -> JSONNode {
        skipSpace()
        guard let byte = next else { throw failure("it ends too early") }
        let start = line
        let value: JSONNode.Value
        switch byte {
        case UInt8(ascii: "{"): value = try nested { (parser) throws(JSONNode.Failure) in try parser.object() }
        case UInt8(ascii: "["): value = try nested { (parser) throws(JSONNode.Failure) in try parser.list() }
        case UInt8(ascii: "\""): value = .text(try text())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): value = .number(try number())
        default: value = try word()
        }
        return JSONNode(line: start, value: value)
    }

    private mutating func nested(
        _ body: (inout JSONParser) throws(JSONNode.Failure) -> JSONNode.Value
    ) throws(JSONNode.Failure) -> JSONNode.Value {
        guard depth < Self.deepest else { throw failure("it is nested too deeply") }
        depth += 1
        index += 1
        let value = try body(&self)
        depth -= 1
        return value
    }

    private mutating func list() throws(JSONNode.Failure) -> JSONNode.Value {
        if take("]") { return .list([]) }
        var items: [JSONNode] = []
        repeat { items.append(try value()) } while take(",")
        guard take("]") else { throw failure("a comma or `]` is missing") }
        return .list(items)
    }

    private mutating func object() throws(JSONNode.Failure) -> JSONNode.Value {
        if take("}") { return .object([]) }
        var members: [JSONNode.Member] = []
        var keys: Set<String> = []
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw failure("a key in double quotes is missing") }
            let start = line
            let key = try text()
            guard keys.insert(key).inserted else { throw failure("the key `\(key)` stands there twice") }
            guard take(":") else { throw failure("a colon is missing behind a key") }
            members.append(JSONNode.Member(key: key, line: start, node: try value()))
        } while take(",")
        guard take("}") else { throw failure("a comma or `}` is missing") }
        return .object(members)
    }

    private mutating func word() throws(JSONNode.Failure) -> JSONNode.Value {
        let words: [(String, JSONNode.Value)] = [("true", .boolean(true)), ("false", .boolean(false)), ("null", .null)]
        for (word, value) in words where bytes[index...].starts(with: word.utf8) {
            index += word.utf8.count
            return value
        }
        throw failure("a value is missing, or isn't in double quotes")
    }

    private mutating func number() throws(JSONNode.Failure) -> String {
        let start = index
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }
        func takeDigits(_ parser: inout JSONParser) throws(JSONNode.Failure) {
            guard isDigit(parser.next) else { throw parser.failure("a number isn't whole") }
            while isDigit(parser.next) { parser.index += 1 }
        }
        if next == UInt8(ascii: "-") { index += 1 }
        if next == UInt8(ascii: "0") { index += 1 } else { try takeDigits(&self) }
        if next == UInt8(ascii: ".") {
            index += 1
            try takeDigits(&self)
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            index += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { index += 1 }
            try takeDigits(&self)
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func text() throws(JSONNode.Failure) -> String {
        index += 1
        var result: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: result, as: UTF8.self)
            case UInt8(ascii: "\\"): result += try escape()
            case 0x0A, 0x0D: throw failure("a text isn't closed by a double quote in its line")
            case ..<0x20: throw failure("a control character stands in a text; write it as \\u00XX")
            default: result.append(byte)
            }
        }
        throw failure("it ends within a text")
    }

    private mutating func escape() throws(JSONNode.Failure) -> [UInt8] {
        guard let byte = next else { throw failure("it ends within a text") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw failure("a backslash stands before a character that it can't")
        }
    }

    private mutating func unicodeEscape() throws(JSONNode.Failure) -> [UInt8] {
        var code = try fourDigits()
        if (0xD800..<0xDC00).contains(code), bytes[index...].starts(with: #"\u"#.utf8) {
            index += 2
            let low = try fourDigits()
            guard (0xDC00..<0xE000).contains(low) else { throw failure("half a character is written with \\u") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw failure("half a character is written with \\u") }
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func fourDigits() throws(JSONNode.Failure) -> UInt32 {
        let digits = bytes[index...].prefix(4)
        guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw failure("four hexadecimal digits have to follow \\u") }
        index += 4
        return code
    }
}
