internal import BSON

/// The keys that an index has of a document, worked out by the server in a pipeline as its index would: an array has one
/// for each of its elements, also where a path goes through it, an empty one has one of its own, and null stands for a
/// field that isn't there.
struct IndexKeys {
    /// The index's fields, in order.
    let fields: [String]
    /// Whether keys of which nothing is there are left out.
    let isSparse: Bool
    private let root: Node

    /// A step of the fields' paths.
    private struct Node {
        /// The number of the field whose path ends here.
        var field: Int?
        var children: [(name: String, node: Node)] = []

        /// The numbers of the fields whose paths come through here.
        var all: [Int] { [field].compactMap { $0 } + children.flatMap(\.node.all) }

        mutating func add(_ path: ArraySlice<Substring>, _ field: Int) {
            guard let first = path.first else {
                self.field = field
                return
            }
            let name = String(first)
            if let index = children.firstIndex(where: { $0.name == name }) {
                children[index].node.add(path.dropFirst(), field)
            } else {
                var node = Node()
                node.add(path.dropFirst(), field)
                children.append((name, node))
            }
        }
    }

    /// - Returns: nil for an index whose keys can't be told in a pipeline: other kinds than ascending and descending, and
    ///   paths with the position of an array's element.
    init?(_ key: BSONDocument, isSparse: Bool) {
        self.isSparse = isSparse
        let isPlain = key.elements.allSatisfy { element in
            element.value.number != nil
                && element.key.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
                    !part.isEmpty && !part.allSatisfy(\.isNumber) && part != "$**"
                }
        }
        guard isPlain, !key.isEmpty else { return nil }
        fields = key.keys
        var root = Node()
        for (number, field) in fields.enumerated() { root.add(field.split(separator: ".")[...], number) }
        self.root = root
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
    /// hasn't. `k.parallel` is there where the server refuses the document, because two arrays are side by side.
    var stages: [BSONDocument] {
        var stages: [BSONDocument] = [
            ["$project": ["k": ["$setUnion": [keys(of: "$$ROOT", at: root, 0), []]]]], ["$unwind": "$k"],
        ]
        if isSparse {
            let missing = fields.indices.map { number -> BSONValue in ["$eq": [.string("$k.f\(number).m"), true]] }
            stages.append(["$match": ["$expr": ["$not": [["$and": .array(BSONArray(missing))]]]]])
        }
        return stages
    }

    /// A key as a group's `_id`.
    var group: BSONValue {
        .document(BSONDocument(fields.indices.map { ("f\($0)", ["v": .string("$k.f\($0).v")]) }))
    }

    /// The keys that are found in a value, which is looked at as it is and not as an array.
    private func keys(of value: BSONValue, at node: Node, _ depth: Int) -> BSONValue {
        var parts: [BSONValue] = []
        if let field = node.field { parts.append([.document(["f\(field)": found(value)])]) }
        for (number, child) in node.children.enumerated() {
            let inner = Self.field(child.name, of: value, "m\(depth)_\(number)")
            parts.append([
                "$cond": [
                    ["$eq": [["$type": value], "object"]], expanded(inner, at: child.node, depth + 1),
                    [nothing(child.node)],
                ]
            ])
        }
        guard let first = parts.first else { return [[:]] }
        return parts.dropFirst().enumerated().reduce(first) { Self.product($0, $1.element, "\(depth)_\($1.offset)") }
    }

    /// The keys of each element where a value is an array, or else its own.
    private func expanded(_ value: BSONValue, at node: Node, _ depth: Int) -> BSONValue {
        let (x, e): (String, String) = ("x\(depth)", "e\(depth)")
        let marked: BSONValue = ["$mergeObjects": ["$$this", ["array": true]]]
        let each: BSONValue = [
            "$reduce": [
                "input": .string("$$" + x), "initialValue": [],
                "in": [
                    "$concatArrays": [
                        "$$value",
                        .document([
                            "$let": .document([
                                "vars": .document([e: "$$this"]),
                                "in": [
                                    "$map": [
                                        "input": keys(of: .string("$$" + e), at: node, depth), "as": "this",
                                        "in": marked,
                                    ]
                                ],
                            ])
                        ]),
                    ]
                ],
            ]
        ]
        var empty = nothing(node).document ?? [:]
        if let field = node.field { empty = empty.replacing("f\(field)", with: [:]) }
        empty.append("array", true)
        return [
            "$let": [
                "vars": .document([x: value]),
                "in": [
                    "$cond": [
                        ["$isArray": .array([.string("$$" + x)])],
                        ["$cond": [["$eq": [.string("$$" + x), []]], [.document(empty)], each]],
                        keys(of: .string("$$" + x), at: node, depth),
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
                    "array": either("array"),
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
