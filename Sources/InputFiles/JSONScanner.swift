/// Cuts JSON text (RFC 8259) into tokens.
package struct JSONScanner {
    /// What the text is made of.
    package enum Token: Equatable {
        case beginObject, endObject, beginArray, endArray, colon, comma, end
        case string(String)
        /// A number as it is written, and whether it has neither fraction nor exponent.
        case number(String, isInteger: Bool)
        case bool(Bool)
        case null
    }

    private let bytes: [UInt8]
    private let isStrict: Bool
    private var position = 0
    /// Where the last token began, in bytes.
    package private(set) var start = 0
    /// The line that is being read, from 1: while strict that of the last token, which can't go over a line's end.
    package private(set) var line = 1

    /// Begins a text.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8.
    ///   - isStrict: Whether control characters within strings, and half a surrogate pair, are refused. golang-migrate's
    ///     parser takes both, and puts the replacement character for the latter.
    package init(_ bytes: [UInt8], isStrict: Bool = false) {
        self.bytes = bytes
        self.isStrict = isStrict
    }

    /// Why text can't be read: never a part of the text itself, which may be a secret.
    package struct Failure: Error {
        package let reason: String
    }

    /// A place in the text, both from 1. A column is counted in bytes.
    package func place(of offset: Int) -> (line: Int, column: Int) {
        let before = bytes.prefix(offset)
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return (line, offset - lineStart + 1)
    }

    /// The next token.
    package mutating func next() throws(Failure) -> Token {
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) {
            if bytes[position] == 0x0a { line += 1 }
            position += 1
        }
        start = position
        guard position < bytes.count else { return .end }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "{"): return .beginObject
        case UInt8(ascii: "}"): return .endObject
        case UInt8(ascii: "["): return .beginArray
        case UInt8(ascii: "]"): return .endArray
        case UInt8(ascii: ":"): return .colon
        case UInt8(ascii: ","): return .comma
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            position -= 1
            return try number()
        default:
            position -= 1
            return try word()
        }
    }

    private mutating func word() throws(Failure) -> Token {
        let words: [(text: String, token: Token)] = [("true", .bool(true)), ("false", .bool(false)), ("null", .null)]
        for word in words where bytes[position...].starts(with: word.text.utf8) {
            position += word.text.utf8.count
            try endOfValue()
            return word.token
        }
        throw Failure(reason: "neither a value nor punctuation of JSON stands there; text needs double quotes")
    }

    /// A number or a word ends where something else begins that may follow it.
    private func endOfValue() throws(Failure) {
        guard position < bytes.count else { return }
        guard [0x20, 0x09, 0x0a, 0x0d, 0x2c, 0x5d, 0x7d].contains(bytes[position]) else {
            throw Failure(reason: "a number, true, false or null is followed by something that can't follow it")
        }
    }

    private mutating func number() throws(Failure) -> Token {
        let first = position
        var isInteger = true
        skip("-")
        let whole = digits()
        guard whole > 0, whole == 1 || bytes[position - whole] != UInt8(ascii: "0") else {
            throw Failure(reason: "it isn't a number as JSON writes them")
        }
        if skip(".") {
            isInteger = false
            guard digits() > 0 else { throw Failure(reason: "a number has no digit behind its point") }
        }
        if skip("e") || skip("E") {
            isInteger = false
            if !skip("+") { skip("-") }
            guard digits() > 0 else { throw Failure(reason: "a number has no digit in its exponent") }
        }
        try endOfValue()
        return .number(String(decoding: bytes[first..<position], as: UTF8.self), isInteger: isInteger)
    }

    @discardableResult
    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func digits() -> Int {
        let first = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        return position - first
    }

    /// Behind the opening quote.
    private mutating func string() throws(Failure) -> String {
        var units: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: units, as: UTF8.self)
            case UInt8(ascii: "\\"): units += try escape()
            case 0x0a where isStrict, 0x0d where isStrict:
                throw Failure(reason: "a text isn't closed by a double quote in its line")
            case ..<0x20 where isStrict:
                throw Failure(reason: "a control character stands in a text; write it as \\u00XX")
            default:
                if byte == 0x0a { line += 1 }
                units.append(byte)
            }
        }
        throw Failure(reason: "a text isn't closed")
    }

    private mutating func escape() throws(Failure) -> [UInt8] {
        guard position < bytes.count else { throw Failure(reason: "a text isn't closed") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return try character()
        default: throw Failure(reason: "a text has a \\ that nothing known follows; a \\ itself is written twice")
        }
    }

    /// Behind `\u`: one character, of which another escape may be the second half.
    private mutating func character() throws(Failure) -> [UInt8] {
        let first = try unit()
        if UTF16.isLeadSurrogate(first), bytes[position...].starts(with: "\\u".utf8) {
            let back = position
            position += 2
            let second = try unit()
            if UTF16.isTrailSurrogate(second) {
                return Array(String(decoding: [first, second], as: UTF16.self).utf8)
            }
            position = back
        }
        if isStrict, UTF16.isSurrogate(first) { throw Failure(reason: "half a character is written with \\u") }
        return Array(String(decoding: [first], as: UTF16.self).utf8)
    }

    private mutating func unit() throws(Failure) -> UInt16 {
        let digits = bytes[position...].prefix(4)
        guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw Failure(reason: "a text has a \\u without four hexadecimal digits") }
        position += 4
        return unit
    }
}
