internal import CYAML

/// Reads YAML event by event, so that nothing in it can grow: an alias is an event like any other.
enum YAMLEvents {
    /// Hands over the events of a text, in their order.
    ///
    /// - Throws: ``YAMLFailure`` where it isn't YAML, and what the closure throws.
    static func forEach(
        in text: String, _ take: (yaml_event_t) throws(YAMLFailure) -> Void
    ) throws(YAMLFailure) {
        guard !text.isEmpty else { return }
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else { throw YAMLFailure(1, "there is no memory to read it") }
        defer { yaml_parser_delete(parser) }
        let bytes = Array(text.utf8)
        let result: Result<Void, YAMLFailure> = bytes.withUnsafeBufferPointer { buffer in
            Result { () throws(YAMLFailure) in
                // libyaml keeps the pointer; it reads within this closure only.
                yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
                yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
                try drain(parser, take)
            }
        }
        try result.get()
    }

    private static func drain(
        _ parser: UnsafeMutablePointer<yaml_parser_t>, _ take: (yaml_event_t) throws(YAMLFailure) -> Void
    ) throws(YAMLFailure) {
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) == 1 else {
                let reason = parser.pointee.problem.map { String(cString: $0) } ?? "it isn't YAML"
                throw YAMLFailure(Int(parser.pointee.problem_mark.line) + 1, reason)
            }
            defer { yaml_event_delete(&event) }
            if event.type == YAML_STREAM_END_EVENT { return }
            try take(event)
        }
    }
}
