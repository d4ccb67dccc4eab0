package import BSON
internal import Consistency

/// What recorded checks have found of what is accepted: a misspelt `_id` accepts nothing. A pure function of its arguments.
package struct AcceptanceMatch: Sendable {
    /// The last recorded check that looked for it at all; nil where there is none.
    package let check: CheckRecord?
    /// Whether that, or another one that is as good a witness, has found it in any document.
    package let isFound: Bool
    /// Of the documents that were named one by one, by their positions, those in which it wasn't found; none where records don't
    /// tell documents apart.
    package let unfound: [Int]

    /// Compares what is accepted with what was found.
    ///
    /// - Parameters:
    ///   - acceptance: What is accepted.
    ///   - documents: The documents that were named one by one, each with all that may be meant.
    ///   - records: The recorded checks, newest first.
    /// - Throws: `ChecksumError`.
    package init(_ acceptance: Acceptance, documents: [[BSONValue]], records: [CheckRecord]) throws {
        let looked = records.filter { $0.isComplete && $0.codes.contains(acceptance.code) }
        // What follows from something else is a finding of its own where nobody looked for that: either may be meant.
        let textID = FindingCode.textID.rawValue
        let last = [true, false].compactMap { isLooked in looked.first { $0.codes.contains(textID) == isLooked } }
        let items = last.flatMap(\.items).filter { acceptance.isAbout($0.name) }
        check = looked.first
        isFound = !items.isEmpty
        guard items.allSatisfy({ $0.identities != nil }) else {
            unfound = []
            return
        }
        let identities = items.map { (name: $0.name, found: Set($0.identities ?? [])) }
        unfound = try documents.indices.filter { index in
            try !documents[index].contains { value in
                try identities.contains { $0.found.contains(try $0.name.identity(of: value)) }
            }
        }
    }
}
