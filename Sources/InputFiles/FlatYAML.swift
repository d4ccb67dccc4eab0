internal import CYAML

/// YAML of the simplest shape: one mapping of names to text.
///
/// Aliases are refused; what is of any other shape is read by ``YAMLNode``.
package enum FlatYAML {
    /// One setting.
    package struct Entry: Sendable, Equatable {
        /// Its name.
        package let key: String
        /// Its value; nil for one that is left empty.
        package let value: String?
        /// Where it stands, counted from 1.
        package let line: Int
    }

    /// Why a text can't be used; nothing of the text is in it but keys.
    package typealias Failure = YAMLFailure

    /// Reads the settings, in their order.
    ///
    /// - Throws: ``Failure``.
    package static func entries(in text: String) throws(Failure) -> [Entry] {
        var reader = Reader()
        try YAMLEvents.forEach(in: text) { (event) throws(Failure) in try reader.take(event) }
        return reader.entries
    }

    /// Takes events, and refuses every one that another shape would have.
    private struct Reader {
        var entries: [Entry] = []
        private var names: Set<String> = []
        private var isInMapping = false
        private var documents = 0
        private var key: (name: String, line: Int)?

        mutating func take(_ event: yaml_event_t) throws(Failure) {
            let line = Int(event.start_mark.line) + 1
            switch event.type {
            case YAML_DOCUMENT_START_EVENT:
                documents += 1
                if documents > 1 { throw Failure(line, "a second document begins here; there must be one") }
            case YAML_MAPPING_START_EVENT where !isInMapping: isInMapping = true
            case YAML_SCALAR_EVENT: try take(scalar: event, line)
            case YAML_ALIAS_EVENT: throw Failure(line, "aliases aren't taken; write the value itself")
            case YAML_MAPPING_START_EVENT, YAML_SEQUENCE_START_EVENT:
                guard isInMapping else { throw Failure(line, "settings are wanted, such as `key: value`") }
                throw Failure(line, key.map { "`\($0.name)` has to be text" } ?? "a key has to be text")
            default: break
            }
        }

        private mutating func take(scalar event: yaml_event_t, _ line: Int) throws(Failure) {
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
            guard isInMapping else {
                // A file of comments alone is an empty document.
                if isPlain && text.isEmpty { return }
                throw Failure(line, "settings are wanted, such as `key: value`")
            }
            guard let (name, start) = key else {
                guard names.insert(text).inserted else { throw Failure(line, "`\(text)` stands there twice") }
                key = (text, line)
                return
            }
            let isNull = isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
            entries.append(Entry(key: name, value: isNull ? nil : text, line: start))
            key = nil
        }
    }
}
