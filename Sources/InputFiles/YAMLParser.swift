internal import CYAML

extension JSONNode {
    /// Reads a text that is one YAML document: mappings of text to values, lists, and plain or quoted values, typed as YAML
    /// 1.2 does by default (https://yaml.org/spec/1.2.2/#103-core-schema), where `yes` is text.
    ///
    /// Aliases, tags and several documents are refused: nothing in it can be larger than it is written.
    ///
    /// - Throws: ``Failure``.
    package init(parsingYAML text: String) throws(Failure) {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else {
            throw Failure(line: 1, reason: "there is no memory to read it")
        }
        defer { yaml_parser_delete(parser) }
        let bytes = Array(text.utf8)
        let result = bytes.withUnsafeBufferPointer { buffer in
            Result { () throws(Failure) in
                // libyaml keeps the pointer; it reads within this closure only.
                yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
                yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
                return try YAMLParser(parser: parser).document()
            }
        }
        self = try result.get()
    }
}

/// Reads YAML event by event into nodes that know their lines.
private struct YAMLParser {
    let parser: UnsafeMutablePointer<yaml_parser_t>

    /// Deeper nesting is refused: it is read by recursion.
    private static let deepest = 64

    /// What comes next, as far as it is taken.
    private enum Event {
        case scalar(String, isPlain: Bool)
        case beginList, endList, beginObject, endObject, beginDocument, endDocument, beginStream, endStream
    }

    func document() throws(JSONNode.Failure) -> JSONNode {
        _ = try next()
        guard case (.beginDocument, _) = try next() else { throw failure(1, "it is empty") }
        let (first, line) = try next()
        let node = try value(first, line, 0)
        _ = try next()
        let (last, end) = try next()
        guard case .endStream = last else { throw failure(end, "a second document begins here; there must be one") }
        return node
    }

    private func failure(_ line: Int, _ reason: String) -> JSONNode.Failure {
        JSONNode.Failure(line: line, reason: reason)
    }

    private func next() throws(JSONNode.Failure) -> (Event, line: Int) {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else {
            let reason = parser.pointee.problem.map { String(cString: $0) } ?? "it isn't YAML"
            throw failure(Int(parser.pointee.problem_mark.line) + 1, reason)
        }
        defer { yaml_event_delete(&event) }
        let line = Int(event.start_mark.line) + 1
        switch event.type {
        case YAML_STREAM_START_EVENT: return (.beginStream, line)
        case YAML_STREAM_END_EVENT: return (.endStream, line)
        case YAML_DOCUMENT_START_EVENT: return (.beginDocument, line)
        case YAML_DOCUMENT_END_EVENT: return (.endDocument, line)
        case YAML_SEQUENCE_START_EVENT where event.data.sequence_start.tag == nil: return (.beginList, line)
        case YAML_SEQUENCE_END_EVENT: return (.endList, line)
        case YAML_MAPPING_START_EVENT where event.data.mapping_start.tag == nil: return (.beginObject, line)
        case YAML_MAPPING_END_EVENT: return (.endObject, line)
        case YAML_SCALAR_EVENT where event.data.scalar.tag == nil:
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            return (.scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE), line)
        case YAML_ALIAS_EVENT: throw failure(line, "aliases aren't taken; write the value itself")
        default: throw failure(line, "tags aren't taken; text is written in quotes")
        }
    }

    private func value(_ event: Event, _ line: Int, _ depth: Int) throws(JSONNode.Failure) -> JSONNode {
        switch event {
        case .scalar(let text, let isPlain):
            return JSONNode(line: line, value: isPlain ? Self.plain(text) : .text(text))
        case .beginList, .beginObject:
            guard depth < Self.deepest else { throw failure(line, "it is nested too deeply") }
            if case .beginList = event { return JSONNode(line: line, value: try list(depth + 1)) }
            return JSONNode(line: line, value: try object(depth + 1))
        default: throw failure(line, "a value is missing")
        }
    }

    private func list(_ depth: Int) throws(JSONNode.Failure) -> JSONNode.Value {
        var items: [JSONNode] = []
        while true {
            let (event, line) = try next()
            if case .endList = event { return .list(items) }
            items.append(try value(event, line, depth))
        }
    }

    private func object(_ depth: Int) throws(JSONNode.Failure) -> JSONNode.Value {
        var members: [JSONNode.Member] = []
        var keys: Set<String> = []
        while true {
            let (event, line) = try next()
            if case .endObject = event { return .object(members) }
            guard case .scalar(let key, let isPlain) = event else { throw failure(line, "a key has to be text") }
            if isPlain, case let value = Self.plain(key), value.isNoText {
                let kind = JSONNode(line: line, value: value).kind
                throw failure(line, "the key `\(key)` is \(kind), where text is wanted; put it into quotes")
            }
            guard keys.insert(key).inserted else { throw failure(line, "the key `\(key)` stands there twice") }
            let (first, start) = try next()
            members.append(JSONNode.Member(key: key, line: line, node: try value(first, start, depth)))
        }
    }

    /// What a value without quotes is.
    private static func plain(_ text: String) -> JSONNode.Value {
        switch text {
        case "", "~", "null", "Null", "NULL": .null
        case "true", "True", "TRUE": .boolean(true)
        case "false", "False", "FALSE": .boolean(false)
        default: isNumber(text) ? .number(text) : .text(text)
        }
    }

    private static func isNumber(_ text: String) -> Bool {
        if [".inf", ".nan", "-.inf", "+.inf"].contains(text.lowercased()) { return true }
        return text.wholeMatch(of: /[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+|0o[0-7]+/) != nil
    }
}

extension JSONNode.Value {
    fileprivate var isNoText: Bool {
        if case .text = self { false } else { true }
    }
}
