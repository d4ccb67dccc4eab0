/// Reads JSON strictly into nodes that know their lines.
struct JSONParser {
    /// Deeper nesting is refused: it is read by recursion.
    private static let deepest = 64

    private var scanner: JSONScanner
    private var token = JSONScanner.Token.end

    init(_ text: String) { scanner = JSONScanner(Array(text.utf8), isStrict: true) }

    /// Reads the only value.
    mutating func document() throws(JSONNode.Failure) -> JSONNode {
        try advance()
        let node = try value(0)
        guard token == .end else { throw failure("something stands behind its end") }
        return node
    }

    private func failure(_ reason: String) -> JSONNode.Failure { JSONNode.Failure(line: scanner.line, reason: reason) }

    private mutating func advance() throws(JSONNode.Failure) {
        do {
            token = try scanner.next()
        } catch {
            throw failure(error.reason)
        }
    }

    /// Goes on if this comes next.
    private mutating func take(_ expected: JSONScanner.Token) throws(JSONNode.Failure) -> Bool {
        guard token == expected else { return false }
        try advance()
        return true
    }

    /// Reads a value, whose first token is there, and the token behind it.
    ///
    /// - Parameter depth: How many lists and objects it stands in.
    private mutating func value(_ depth: Int) throws(JSONNode.Failure) -> JSONNode {
        let start = scanner.line
        let first = token
        if first == .end { throw failure("it ends too early") }
        if first == .beginObject || first == .beginArray, depth == Self.deepest {
            throw failure("it is nested too deeply")
        }
        try advance()
        let value: JSONNode.Value
        switch first {
        case .beginObject: value = try object(depth + 1)
        case .beginArray: value = try list(depth + 1)
        case .string(let text): value = .text(text)
        case .number(let text, isInteger: _): value = .number(text)
        case .bool(let flag): value = .boolean(flag)
        case .null: value = .null
        case .endObject, .endArray, .colon, .comma, .end:
            throw JSONNode.Failure(line: start, reason: "a value is missing, or isn't in double quotes")
        }
        return JSONNode(line: start, value: value)
    }

    private mutating func list(_ depth: Int) throws(JSONNode.Failure) -> JSONNode.Value {
        if try take(.endArray) { return .list([]) }
        var items: [JSONNode] = []
        repeat { items.append(try value(depth)) } while try take(.comma)
        guard try take(.endArray) else { throw failure("a comma or `]` is missing") }
        return .list(items)
    }

    private mutating func object(_ depth: Int) throws(JSONNode.Failure) -> JSONNode.Value {
        if try take(.endObject) { return .object([]) }
        var members: [JSONNode.Member] = []
        var keys: Set<String> = []
        repeat {
            guard case .string(let key) = token else { throw failure("a key in double quotes is missing") }
            let start = scanner.line
            guard keys.insert(key).inserted else { throw failure("the key `\(key)` stands there twice") }
            try advance()
            guard try take(.colon) else { throw failure("a colon is missing behind a key") }
            members.append(JSONNode.Member(key: key, line: start, node: try value(depth)))
        } while try take(.comma)
        guard try take(.endObject) else { throw failure("a comma or `}` is missing") }
        return .object(members)
    }
}
