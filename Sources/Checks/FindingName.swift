package import BSON
internal import Checksums
package import Consistency

/// What tells one finding from others: what is wrong, and where.
package struct FindingName: Hashable, Sendable, Comparable {
    /// The finding's code, such as `id.empty`.
    package let code: String
    /// The collection.
    package let collection: String
    /// The field; nil where the whole collection is meant.
    package let field: String?

    /// Names a finding.
    package init(code: String, collection: String, field: String?) {
        (self.code, self.collection, self.field) = (code, collection, field)
    }

    /// The name of what a check found.
    package init(_ finding: Finding) {
        self.init(code: finding.code.rawValue, collection: finding.collection, field: finding.field)
    }

    /// By code, collection and field.
    package static func < (first: FindingName, second: FindingName) -> Bool {
        (first.code, first.collection, first.field ?? "") < (second.code, second.collection, second.field ?? "")
    }

    /// By collection, the fields of some findings in which references to what isn't there were found.
    static func orphaned(_ names: some Sequence<FindingName>) -> [String: Set<String>] {
        let codes = [FindingCode.orphan, .danglingReference].map(\.rawValue)
        return names.reduce(into: [:]) { result, name in
            guard codes.contains(name.code), let field = name.field else { return }
            result[name.collection, default: []].insert(field)
        }
    }

    /// A document of the finding as records keep it: the first eight bytes of the SHA-256 of code, collection, field and
    /// `_id`. Of 10,000 documents two have the same once in a hundred billion checks.
    ///
    /// - Throws: `ChecksumError`.
    package func identity(of subject: BSONValue) throws -> UInt64 {
        let document: BSONDocument = [
            "code": .string(code), "collection": .string(collection), "field": field.map { .string($0) } ?? .null,
            "id": subject,
        ]
        return try SHA256.digest(document.bytes).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
