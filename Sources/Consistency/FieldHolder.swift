internal import BSON
internal import Journal

/// One finding that is mended in one field.
struct Mend: Hashable, Sendable {
    let field: String
    let code: FindingCode
}

/// A collection, with the references and fields of it that are to be mended.
struct FieldHolder: Sendable {
    let collection: CollectionSchema
    let references: [Reference]
    let rules: [FieldRule]
    /// Which documents alone are looked at, by their `_id`; nil for all.
    var condition: BSONValue?

    /// Changes of documents in which the same is to be mended.
    struct Group: Sendable {
        let mends: [Mend]
        var changes: [FieldChange]
    }

    /// Everything that can be mended, in the order of the declarations.
    var mends: [Mend] {
        references.flatMap { reference in
            [FindingCode.emptyReference, .textReference].map { Mend(field: reference.field, code: $0) }
        } + rules.map { Mend(field: $0.field, code: .missingField) }
    }

    /// Matches the documents with something to be mended, and a few more.
    var filter: BSONDocument {
        let filters =
            references.map { Self.filter(reference: $0.field) } + rules.map { Self.filter(absent: $0.field) }
        let wrong: BSONDocument =
            filters.count == 1 ? filters[0] : ["$or": .array(BSONArray(filters.map { .document($0) }))]
        guard let condition else { return wrong }
        return ["$and": [["_id": condition], .document(wrong)]]
    }

    /// Matches the documents in which this may be to be mended.
    func filter(_ mend: Mend) -> BSONDocument {
        mend.code == .missingField ? Self.filter(absent: mend.field) : Self.filter(reference: mend.field)
    }

    private static func filter(reference field: String) -> BSONDocument { [field: ["$type": "string"]] }

    /// Null matches what is absent, too.
    private static func filter(absent field: String) -> BSONDocument { [field: ["$eq": .null]] }

    /// What is read of the documents.
    var projection: BSONDocument {
        var names = references.map(\.field) + rules.flatMap(\.sources)
        if let owner = collection.ownerField { names.append(owner) }
        return names.reduce(into: ["_id": 1]) { $0[$1] = 1 }
    }

    /// What is done about a finding, in words.
    func words(_ mend: Mend) -> String {
        let rule = rules.first { $0.field == mend.field }
        return "\(mend.field) \(rule?.fillingInWords ?? "becomes an ObjectId") (\(mend.code.rawValue))"
    }

    /// How many of a document's fields are wrong.
    func wrongFields(_ document: BSONDocument) -> Int {
        references.count { ReferenceCandidates.named(document[$0.field]) != nil }
            + rules.count { Self.isAbsent(document[$0.field]) }
    }

    /// Decides what becomes of documents, grouped by what is mended in them.
    ///
    /// References to documents whose own `_id` is still to be repaired are left to that repair, which takes them along.
    func groups(_ documents: [BSONDocument], _ database: Database, _ schema: DatabaseSchema) async throws -> [Group] {
        var choices: [(field: String, of: [(value: BSONValue, chosen: ReferenceCandidates.Candidate?)?])] = []
        for reference in references {
            guard let target = schema.collection(reference.target) else { continue }
            let resolver = ReferenceCandidates(database: database, reference: reference, target: target)
            choices.append((reference.field, try await resolver.choices(for: documents, in: collection)))
        }
        var groups: [[Mend]: Group] = [:]
        for (index, document) in documents.enumerated() {
            guard let id = document["_id"] else { continue }
            var (mends, before, after): ([Mend], BSONDocument, BSONDocument) = ([], [:], [:])
            for (field, choices) in choices {
                guard let (value, chosen) = choices[index], let chosen, chosen.id.type == .objectID else { continue }
                mends.append(Mend(field: field, code: value == .string("") ? .emptyReference : .textReference))
                before.append(field, value)
                after.append(field, chosen.id)
            }
            for rule in rules where Self.isAbsent(document[rule.field]) {
                guard let value = rule.filling(of: document) else { continue }
                mends.append(Mend(field: rule.field, code: .missingField))
                if let null = document[rule.field] { before.append(rule.field, null) }
                after.append(rule.field, value)
            }
            guard !mends.isEmpty else { continue }
            groups[mends, default: Group(mends: mends, changes: [])].changes.append(
                FieldChange(id: id, before: before, after: after))
        }
        return groups.values.sorted { $0.mends.map(\.order).lexicographicallyPrecedes($1.mends.map(\.order)) }
    }

    private static func isAbsent(_ value: BSONValue?) -> Bool { value == nil || value == .null }
}

extension Mend {
    fileprivate var order: String { "\(field) \(code.rawValue)" }
}

extension FieldChange {
    /// What a plan shows of the change of a field: the document, and the field as it is.
    func sample(_ field: String) -> BSONDocument {
        var sample: BSONDocument = ["_id": id]
        if let value = before[field] { sample.append(field, value) }
        return sample
    }
}
