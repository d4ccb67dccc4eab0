/// A YAML value that knows the line it stands in: text, lists and maps, as configuration files use them.
///
/// Aliases and merge keys (`<<`) stand for what they name. Every scalar is text, as it was written, but for null.
package struct YAMLNode: Sendable {
    /// A member of a map.
    package struct Member: Sendable {
        /// Its name.
        package let key: String
        /// Where the name stands, counted from 1.
        package let line: Int
        /// Its value.
        package let node: YAMLNode
    }

    /// What a value is.
    package indirect enum Value: Sendable {
        /// Nothing, `~` or `null`, without quotes.
        case null
        /// A scalar.
        case text(String)
        /// The items in their order.
        case list([YAMLNode])
        /// The members in their order, those of merge keys last; no name stands there twice.
        case map([Member])
    }

    /// Where it begins, counted from 1.
    package let line: Int
    /// What it is.
    package let value: Value
    /// How many lists and maps stand in each other here, those of aliases included.
    let depth: Int

    init(line: Int, value: Value, depth: Int = 0) {
        self.line = line
        self.value = value
        self.depth = depth
    }

    /// Reads a text that is one YAML document.
    ///
    /// - Throws: ``YAMLFailure``.
    package init(parsing text: String) throws(YAMLFailure) {
        var tree = YAMLTree()
        try YAMLEvents.forEach(in: text) { (event) throws(YAMLFailure) in try tree.take(event) }
        self = tree.root ?? YAMLNode(line: 1, value: .null)
    }

    /// The value of a map's member; nil where there is none, or it is no map.
    package subscript(_ key: String) -> YAMLNode? { members?.first { $0.key == key }?.node }

    /// The members of a map; nil for anything else.
    package var members: [Member]? {
        guard case .map(let members) = value else { return nil }
        return members
    }

    /// The items of a list; nil for anything else.
    package var items: [YAMLNode]? {
        guard case .list(let items) = value else { return nil }
        return items
    }

    /// A scalar's text; nil for anything else.
    package var text: String? {
        guard case .text(let text) = value else { return nil }
        return text
    }

    /// Whether nothing stands there.
    package var isNull: Bool {
        guard case .null = value else { return false }
        return true
    }

    /// Its name in messages.
    package var kind: String {
        switch value {
        case .null: "nothing"
        case .text: "text"
        case .list: "a list"
        case .map: "a map"
        }
    }
}
