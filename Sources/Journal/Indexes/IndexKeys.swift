package import BSON

/// The keys that an index has of a document, worked out by the server in a pipeline.
///
/// As in the index, an array has a key for each of its elements, also where a path goes through it. An empty array has one
/// key of its own. A field that isn't there has the key null.
package struct IndexKeys {
    /// The index's fields, in order.
    let fields: [String]
    /// Whether keys of which nothing is there are left out.
    let isSparse: Bool
    private let root: Node

    /// A step of the fields' paths.
    private struct Node {
        /// The numbers of the fields whose paths end here: one, but for an element that is reached by two paths.
        var fields: [Int] = []
        var children: [(name: String, node: Node)] = []

        /// The numbers of the fields whose paths come through here.
        var all: [Int] { fields + children.flatMap(\.node.all) }

        mutating func add(_ path: ArraySlice<Substring>, _ field: Int) {
            guard let first = path.first else {
                fields.append(field)
                return
            }
            var node = Node()
            node.add(path.dropFirst(), field)
            add([(String(first), node)])
        }

        /// Adds other steps below this one.
        mutating func add(_ others: [(name: String, node: Node)]) {
            for other in others {
                if let index = children.firstIndex(where: { $0.name == other.name }) {
                    children[index].node.fields += other.node.fields
                    children[index].node.add(other.node.children)
                } else {
                    children.append(other)
                }
            }
        }
    }

    /// An element of an array. A path goes on in the element itself, or, where it names a position, in the array.
    private struct Element {
        let value: BSONValue
        let array: BSONValue
        /// What a path that ends at the array has of this element.
        let end: BSONValue
        /// Where the element stands in the array, where that matters.
        let index: BSONValue
    }

    /// - Returns: nil for an index whose keys can't be told in a pipeline: other kinds than ascending and descending.
    package init?(_ key: BSONDocument, isSparse: Bool) {
        self.isSparse = isSparse
        let isPlain = key.elements.allSatisfy { element in
            element.value.number != nil
                && element.key.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
                    !part.isEmpty && part != "$**"
                }
        }
        guard isPlain, !key.isEmpty else { return nil }
        fields = key.keys
        var root = Node()
        for (number, field) in fields.enumerated() { root.add(field.split(separator: ".")[...], number) }
        self.root = root
    }

    /// Whether there are documents that no such index can hold, be it unique or not: with arrays side by side, or with a
    /// position in an array that is also the name of a field in one of its elements.
    var mayBeImpossible: Bool {
        fields.count > 1 || fields.contains { $0.split(separator: ".").contains { Self.position(String($0)) != nil } }
    }

    /// Whether the server can't name a field in a pipeline's paths.
    var hasDollars: Bool { fields.contains { $0.split(separator: ".").contains { $0.hasPrefix("$") } } }

    /// Documents in which any part of the paths is an array, or an undefined value, which is another one than null.
    var arrays: BSONDocument {
        var paths: Set<String> = []
        for field in fields {
            let parts = field.split(separator: ".")
            for count in 1...parts.count { paths.insert(parts.prefix(count).joined(separator: ".")) }
        }
        return [
            "$or": .array(BSONArray(paths.sorted().map { [$0: ["$type": ["array", "undefined"]]] }))
        ]
    }

    /// The documents' keys, one each: `k` with the fields `f0`, `f1`, …, each with its value as `v`, which an empty array
    /// hasn't. `k.parallel` is there where the server refuses the document because two arrays are side by side,
    /// `k.ambiguous` where it does because a path has the position of an array's element that is a field's name as well.
    ///
    /// Source: `BtreeKeyGenerator` in the server (`btree_key_generator.cpp`).
    package var stages: [BSONDocument] {
        // Without what the keys were made by, equal ones of a document are one.
        var key = BSONDocument(fields.indices.map { ("f\($0)", .string("$$key.f\($0)")) })
        for flag in Self.flags { key.append(flag, ["$eq": [.string("$$key." + flag), true]]) }
        let keys: BSONValue = [
            "$map": ["input": keys(of: "$$ROOT", at: root, 0), "as": "key", "in": .document(key)]
        ]
        var stages: [BSONDocument] = [["$project": ["k": ["$setUnion": [keys, []]]]], ["$unwind": "$k"]]
        if isSparse {
            let missing = fields.indices.map { number -> BSONValue in ["$eq": [.string("$k.f\(number).m"), true]] }
            let present: BSONDocument = ["$expr": ["$not": [["$and": .array(BSONArray(missing))]]]]
            stages.append(["$match": ["$or": [.document(present), .document(Self.impossible)]]])
        }
        return stages
    }

    /// What marks a key that no index can hold.
    private static let flags = ["parallel", "ambiguous"]

    /// Finds the documents among `stages`' keys that no index can hold, be it unique or not.
    static let impossible: BSONDocument = ["$or": .array(BSONArray(flags.map { ["k." + $0: true] }))]

    /// A key as a group's `_id`.
    package var group: BSONValue {
        .document(BSONDocument(fields.indices.map { ("f\($0)", ["v": .string("$k.f\($0).v")]) }))
    }

    /// The keys that are found in a value, which is looked at as it is and not as an array.
    private func keys(of value: BSONValue, at node: Node, _ depth: Int) -> BSONValue {
        combined(ended(node.fields, at: value) + inside(value, node.children, depth), depth)
    }

    /// The keys of an array's element. A path's position is looked for in the array where the element has no field of that
    /// name.
    private func keys(of element: Element, at node: Node, _ depth: Int) -> BSONValue {
        let positions = node.children.compactMap { child in
            Self.position(child.name).map { (number: $0, name: child.name, node: child.node) }
        }
        let others = node.children.filter { Self.position($0.name) == nil }
        let plain = keys(of: element, node.fields, positions[...], [], others, depth)
        guard !positions.isEmpty, !others.isEmpty else { return plain }
        // The element that a position speaks of is the one that is looked at: both paths see the same values in it.
        let branches = positions.enumerated().map { number, position -> BSONValue in
            var both = Node(fields: [], children: others)
            both.add(position.node.children)
            let rest = positions[..<number] + positions[(number + 1)...]
            return [
                "case": [
                    "$and": [
                        ["$eq": .array([element.index, .int32(position.number)])], isObject(element.value),
                        ["$not": [has(position.name, element.value)]],
                    ]
                ],
                "then": keys(of: element, node.fields, rest, position.node.fields, both.children, depth),
            ]
        }
        return ["$switch": ["branches": .array(BSONArray(branches)), "default": plain]]
    }

    /// - Parameters:
    ///   - ends: The fields whose paths end at the array.
    ///   - positions: The positions that are looked for in the array.
    ///   - own: The fields whose paths end at this element.
    ///   - children: What is looked for in the element.
    private func keys(
        of element: Element, _ ends: [Int], _ positions: ArraySlice<(number: Int32, name: String, node: Node)>,
        _ own: [Int], _ children: [(name: String, node: Node)], _ depth: Int
    ) -> BSONValue {
        var parts = ended(ends, at: element.end) + ended(own, at: element.value)
        parts += positions.map { position in
            let isThere: BSONValue = ["$lt": [.int32(position.number), ["$size": element.array]]]
            var ambiguous = nothing(position.node).document ?? [:]
            ambiguous.append("ambiguous", true)
            let inElement = Self.field(position.name, of: element.value, "m\(depth)")
            let inArray: BSONValue = ["$arrayElemAt": .array([element.array, .int32(position.number)])]
            return [
                "$cond": [
                    ["$and": [isObject(element.value), has(position.name, element.value)]],
                    ["$cond": [isThere, [.document(ambiguous)], expanded(inElement, at: position.node, depth + 1)]],
                    [
                        "$cond": [
                            isThere, expanded(inArray, at: position.node, depth + 1, isInArray: true),
                            [nothing(position.node)],
                        ]
                    ],
                ]
            ]
        }
        return combined(parts + inside(element.value, children, depth), depth)
    }

    /// The key of fields whose paths end at a value; none where there are no such fields.
    private func ended(_ fields: [Int], at value: BSONValue) -> [BSONValue] {
        guard !fields.isEmpty else { return [] }
        return [[.document(BSONDocument(fields.map { ("f\($0)", found(value)) }))]]
    }

    /// The keys of each of the fields of a value.
    private func inside(_ value: BSONValue, _ children: [(name: String, node: Node)], _ depth: Int) -> [BSONValue] {
        children.enumerated().map { number, child in
            let inner = Self.field(child.name, of: value, "m\(depth)_\(number)")
            return ["$cond": [isObject(value), expanded(inner, at: child.node, depth + 1), [nothing(child.node)]]]
        }
    }

    /// Each key of each part with each of the others.
    private func combined(_ parts: [BSONValue], _ depth: Int) -> BSONValue {
        guard let first = parts.first else { return [[:]] }
        return parts.dropFirst().enumerated().reduce(first) { Self.product($0, $1.element, "\(depth)_\($1.offset)") }
    }

    /// The keys of each element where a value is an array, or else its own.
    ///
    /// - Parameter isInArray: Whether the value is an element that a position named. As an array it isn't taken apart where
    ///   the path ends.
    private func expanded(
        _ value: BSONValue, at node: Node, _ depth: Int, isInArray: Bool = false
    ) -> BSONValue {
        let (x, e, i): (BSONValue, BSONValue, BSONValue) = ("$$x\(depth)", "$$e\(depth)", "$$i\(depth)")
        let marked: BSONValue = ["$mergeObjects": ["$$this", ["array": true]]]
        let element = Element(value: e, array: x, end: isInArray ? x : e, index: i)
        let each: BSONValue = [
            "$reduce": [
                "input": ["$range": [0, ["$size": x]]], "initialValue": [],
                "in": [
                    "$concatArrays": [
                        "$$value",
                        .document([
                            "$let": .document([
                                "vars": .document([
                                    "i\(depth)": "$$this", "e\(depth)": ["$arrayElemAt": .array([x, "$$this"])],
                                ]),
                                "in": [
                                    "$map": ["input": keys(of: element, at: node, depth), "as": "this", "in": marked]
                                ],
                            ])
                        ]),
                    ]
                ],
            ]
        ]
        var empty = nothing(node).document ?? [:]
        for field in node.fields { empty = empty.replacing("f\(field)", with: [:]) }
        empty.append("array", true)
        return [
            "$let": [
                "vars": .document(["x\(depth)": value]),
                "in": [
                    "$cond": [
                        ["$isArray": .array([x])],
                        ["$cond": [["$eq": .array([x, []])], [.document(empty)], each]],
                        keys(of: x, at: node, depth),
                    ]
                ],
            ]
        ]
    }

    /// Each of some keys with each of others. Two that both come of an array are side by side.
    private static func product(_ first: BSONValue, _ second: BSONValue, _ id: String) -> BSONValue {
        let (a, b): (String, String) = ("a\(id)", "b\(id)")
        let either = { (field: String) -> BSONValue in
            ["$or": [.string("$$\(a).\(field)"), .string("$$\(b).\(field)")]]
        }
        let merged: BSONValue = [
            "$mergeObjects": [
                .string("$$" + a), .string("$$" + b),
                [
                    "array": either("array"), "ambiguous": either("ambiguous"),
                    "parallel": [
                        "$or": [
                            either("parallel"), ["$and": [.string("$$\(a).array"), .string("$$\(b).array")]],
                        ]
                    ],
                ],
            ]
        ]
        let inner: BSONValue = ["$map": ["input": second, "as": .string(b), "in": merged]]
        return [
            "$reduce": [
                "input": first, "initialValue": [],
                "in": [
                    "$concatArrays": [
                        "$$value", ["$let": ["vars": .document([a: "$$this"]), "in": inner]],
                    ]
                ],
            ]
        ]
    }

    private func isObject(_ value: BSONValue) -> BSONValue { ["$eq": [["$type": value], "object"]] }

    /// Whether an object has a field.
    private func has(_ name: String, _ value: BSONValue) -> BSONValue {
        ["$ne": [["$type": Self.field(name, of: value, "m")], "missing"]]
    }

    /// The position in an array that a part of a path can speak of; nil for a part that is a name alone.
    private static func position(_ part: String) -> Int32? {
        guard let number = Int32(part), number >= 0, String(number) == part else { return nil }
        return number
    }

    /// What stands for a value that isn't there; `m` marks it.
    private var missing: BSONValue { isSparse ? ["v": .null, "m": true] : ["v": .null] }

    /// What stands for a value.
    private func found(_ value: BSONValue) -> BSONValue {
        [
            "$switch": [
                "branches": [
                    ["case": ["$eq": [["$type": value], "missing"]], "then": missing],
                    ["case": ["$eq": [["$type": value], "undefined"]], "then": ["$literal": [:]]],
                ], "default": ["v": value],
            ]
        ]
    }

    /// What stands for all fields below something that has none.
    private func nothing(_ node: Node) -> BSONValue {
        .document(BSONDocument(node.all.map { ("f\($0)", missing) }))
    }

    /// A field of a document, by its name. One that begins with a dollar can't stand in a path.
    private static func field(_ name: String, of value: BSONValue, _ variable: String) -> BSONValue {
        guard name.hasPrefix("$"), let path = value.string else { return .string((value.string ?? "") + "." + name) }
        let pair: BSONValue = [
            "$filter": [
                "input": ["$objectToArray": .string(path)],
                "cond": ["$eq": ["$$this.k", ["$literal": .string(name)]]],
            ]
        ]
        return [
            "$let": [
                "vars": .document([variable: pair]),
                "in": ["$arrayElemAt": .array([.string("$$\(variable).v"), 0])],
            ]
        ]
    }
}
