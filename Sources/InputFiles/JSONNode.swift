/// A JSON value that knows the line it stands in.
package struct JSONNode: Sendable {
    /// A member of an object.
    package struct Member: Sendable {
        /// Its name.
        package let key: String
        /// Where the name stands, counted from 1.
        package let line: Int
        /// Its value.
        package let node: JSONNode
    }

    /// What a value is.
    package indirect enum Value: Sendable {
        case null
        case boolean(Bool)
        /// The number as it is written.
        case number(String)
        case text(String)
        case list([JSONNode])
        /// The members in their order; no name stands there twice.
        case object([Member])
    }

    /// Where it begins, counted from 1.
    package let line: Int
    /// What it is.
    package let value: Value

    /// Why a text isn't JSON.
    package struct Failure: Error, Sendable {
        /// Where it goes wrong, counted from 1.
        package let line: Int
        /// The reason; nothing of the text is in it but names of members.
        package let reason: String
    }

    init(line: Int, value: Value) {
        self.line = line
        self.value = value
    }

    /// Reads a text that is one JSON value (RFC 8259).
    ///
    /// - Throws: ``Failure``.
    package init(parsing text: String) throws(Failure) {
        var parser = JSONParser(text)
        self = try parser.document()
    }

    /// Its name in messages.
    package var kind: String {
        switch value {
        case .null: "null"
        case .boolean: "true or false"
        case .number: "a number"
        case .text: "text"
        case .list: "a list"
        case .object: "an object"
        }
    }
}
