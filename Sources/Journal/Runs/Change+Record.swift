package import BSON

extension Change {
    /// Reads a list of changes; none where there is no list.
    package static func list(_ fields: StateFields, _ name: String) throws(StateError) -> [Change] {
        var changes: [Change] = []
        for change in try fields.list(name) {
            changes.append(
                Change(
                    code: try change.require("code", .text), collection: try change.require("collection", .text),
                    changed: Int(try change.require("changed", .count))))
        }
        return changes
    }

    /// The same from a document that was read strictly before.
    package static func list(_ value: BSONValue?) -> [Change] {
        (value?.array?.values ?? []).compactMap(\.document).map { change in
            Change(
                code: change["code"]?.string ?? "", collection: change["collection"]?.string ?? "",
                changed: Int(change["changed"]?.integer ?? 0))
        }
    }

    package var bson: BSONValue {
        ["code": .string(code), "collection": .string(collection), "changed": .int64(Int64(changed))]
    }
}
