internal import CYAML

/// Makes a tree of events.
///
/// It is bounded: nesting, because a tree is freed by recursion, and what merge keys add up to. An alias costs nothing, for
/// it shares what it names; one within what it names isn't known yet, so that there is no circle.
struct YAMLTree {
    /// Deeper nesting is refused.
    private static let deepest = 64
    /// More members that merge keys have copied are refused: a file of a megabyte could make thousands of millions.
    private static let mostMerged = 100_000

    /// A list or a map that isn't closed yet.
    private struct Frame {
        let line: Int
        let anchor: String?
        let isMap: Bool
        var items: [YAMLNode] = []
        var members: [YAMLNode.Member] = []
        var names: Set<String> = []
        /// The maps that merge keys name, the strongest first.
        var merged: [YAMLNode] = []
        /// The key whose value comes next.
        var key: Key?

        init(line: Int, anchor: String?, isMap: Bool) {
            self.line = line
            self.anchor = anchor
            self.isMap = isMap
        }
    }

    private struct Key {
        let name: String
        let line: Int
        let isMerge: Bool
    }

    /// The document; nil before its end.
    private(set) var root: YAMLNode?
    private var frames: [Frame] = []
    private var anchors: [String: YAMLNode] = [:]
    private var documents = 0
    private var mergedMembers = 0

    /// Makes a tree of nothing.
    init() {}

    /// Takes the next event.
    mutating func take(_ event: yaml_event_t) throws(YAMLFailure) {
        let line = Int(event.start_mark.line) + 1
        switch event.type {
        case YAML_DOCUMENT_START_EVENT:
            documents += 1
            if documents > 1 { throw YAMLFailure(line, "a second document begins here; there must be one") }
        case YAML_MAPPING_START_EVENT:
            try begin(Frame(line: line, anchor: Self.name(event.data.mapping_start.anchor), isMap: true))
        case YAML_SEQUENCE_START_EVENT:
            try begin(Frame(line: line, anchor: Self.name(event.data.sequence_start.anchor), isMap: false))
        case YAML_MAPPING_END_EVENT, YAML_SEQUENCE_END_EVENT: try end()
        case YAML_SCALAR_EVENT: try take(scalar: event, line)
        case YAML_ALIAS_EVENT:
            let name = Self.name(event.data.alias.anchor) ?? ""
            guard let node = anchors[name] else { throw YAMLFailure(line, "the alias `\(name)` names nothing") }
            try add(node, at: line)
        default: break
        }
    }

    private static func name(_ anchor: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        guard let anchor else { return nil }
        return String(cString: UnsafePointer(anchor))
    }

    private mutating func begin(_ frame: Frame) throws(YAMLFailure) {
        guard frames.count < Self.deepest else { throw YAMLFailure(frame.line, "it is nested too deeply") }
        if let last = frames.last, last.isMap, last.key == nil {
            throw YAMLFailure(frame.line, "a key has to be text")
        }
        frames.append(frame)
    }

    private mutating func end() throws(YAMLFailure) {
        guard let frame = frames.popLast() else { return }
        let node: YAMLNode
        if frame.isMap {
            let members = try frame.members + inherited(frame)
            node = YAMLNode(line: frame.line, value: .map(members), depth: Self.depth(members.map(\.node)))
        } else {
            node = YAMLNode(line: frame.line, value: .list(frame.items), depth: Self.depth(frame.items))
        }
        guard node.depth <= Self.deepest else { throw YAMLFailure(frame.line, "it is nested too deeply") }
        if let anchor = frame.anchor { anchors[anchor] = node }
        try add(node, at: frame.line)
    }

    private static func depth(_ children: [YAMLNode]) -> Int { 1 + (children.map(\.depth).max() ?? 0) }

    /// What merge keys add: the map's own members are stronger, and so is a map that is named before another
    /// (https://yaml.org/type/merge.html).
    private mutating func inherited(_ frame: Frame) throws(YAMLFailure) -> [YAMLNode.Member] {
        var names = frame.names
        var inherited: [YAMLNode.Member] = []
        for map in frame.merged {
            for member in map.members ?? [] where names.insert(member.key).inserted { inherited.append(member) }
            mergedMembers += map.members?.count ?? 0
            if mergedMembers > Self.mostMerged { throw YAMLFailure(frame.line, "merge keys make too much of it") }
        }
        return inherited
    }

    private mutating func take(scalar event: yaml_event_t, _ line: Int) throws(YAMLFailure) {
        let scalar = event.data.scalar
        let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
        let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
        let isNull = isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
        let node = YAMLNode(line: line, value: isNull ? .null : .text(text))
        if let anchor = Self.name(scalar.anchor) { anchors[anchor] = node }
        try add(node, at: line, isMerge: isPlain && text == "<<")
    }

    /// Puts a value where it belongs.
    ///
    /// - Parameters:
    ///   - line: Where it stands, also where it is an alias's.
    ///   - isMerge: Whether it means the members of another map, if it is a key.
    private mutating func add(_ node: YAMLNode, at line: Int, isMerge: Bool = false) throws(YAMLFailure) {
        let last = frames.count - 1
        guard last >= 0 else {
            root = node
            return
        }
        guard frames[last].isMap else {
            frames[last].items.append(node)
            return
        }
        guard let key = frames[last].key else {
            guard let name = node.text else { throw YAMLFailure(line, "a key has to be text") }
            if !isMerge, !frames[last].names.insert(name).inserted {
                throw YAMLFailure(line, "`\(name)` stands there twice")
            }
            frames[last].key = Key(name: name, line: line, isMerge: isMerge)
            return
        }
        frames[last].key = nil
        if key.isMerge {
            let maps = try Self.maps(node, line)
            frames[last].merged.append(contentsOf: maps)
        } else {
            frames[last].members.append(YAMLNode.Member(key: key.name, line: key.line, node: node))
        }
    }

    /// The maps that a merge key's value names.
    private static func maps(_ node: YAMLNode, _ line: Int) throws(YAMLFailure) -> [YAMLNode] {
        let maps = node.items ?? [node]
        guard maps.allSatisfy({ $0.members != nil }) else {
            throw YAMLFailure(line, "`<<` wants a map, or a list of maps")
        }
        return maps
    }
}
