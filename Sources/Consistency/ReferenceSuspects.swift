internal import BSON
internal import Journal
internal import MongoDriver

/// References that were seen wrong, to be looked at once more by their documents.
///
/// A group of documents is read, and what it names is looked up later. Between the two both may have been deleted: then
/// the reference never named nothing. What is still there after the second look was wrong at a moment between.
/// The look also tells which documents they are, where they aren't too many.
struct ReferenceSuspects: Sendable {
    /// Documents with the same references, of which one is wrong.
    struct Suspect: Sendable {
        let code: FindingCode
        let field: String
        /// All references of the documents, as one of them has them.
        let references: BSONDocument
        var count: Int
        /// The smallest `_id`.
        var first: BSONValue
        /// The collection in which a document waits for the `_id` that makes this one right.
        var cause: String?
        /// The documents, where they were looked at.
        var documents: [Document]?

        /// A document's `_id`, and its references as it has them.
        struct Document {
            let id: BSONValue
            let references: BSONDocument

            var sample: BSONDocument {
                var sample: BSONDocument = ["_id": id]
                for element in references.rawElements { sample.append(raw: element) }
                return sample
            }
        }

        /// What is wrong.
        func finding(_ collection: String) -> Finding {
            let known = documents ?? [Document(id: first, references: references)]
            let shown = known.sorted { $0.id.precedes($1.id) }.prefix(Finding.sampleLimit)
            var finding = Finding(
                code: code, collection: collection, field: field, count: count, samples: shown.map(\.sample))
            finding.subjects = known.map(\.id)
            finding.hasAllSubjects = documents != nil || count == 1
            return finding
        }

        /// What the server groups the documents by: `1` and `1.0` are one reference.
        fileprivate var key: BSONDocument { references.comparisonKey }

        /// Whether the server takes each value in a query for what it is.
        fileprivate var canBeFound: Bool {
            references.elements.allSatisfy { ReferenceSuspects.found.contains($0.value.type) }
        }
    }

    /// What of these a query finds is what equals it, and arrays that hold it.
    private static let found: Set<BSONType> = [
        .objectID, .string, .symbol, .null, .int32, .int64, .double, .decimal128,
    ]

    private struct Kind: Hashable {
        let code: FindingCode
        let field: String
    }

    /// The fields that documents are grouped by, in order.
    private let fields: [String]
    private var suspects: [BSONDocument: [Suspect]] = [:]
    /// How many documents of each kind there are.
    private var counts: [Kind: Int] = [:]
    /// Of these there are too many.
    private var overflown: Set<Kind> = []

    init(fields: [String]) { self.fields = fields }

    /// All that are to be looked at again.
    var all: some Sequence<Suspect> { suspects.values.joined() }

    /// Adds documents, unless there are too many of their kind, or they can't be looked for.
    ///
    /// Where there are too many of a kind none of them is looked at again: what is found must not hang on who came first.
    ///
    /// - Returns: Those that aren't looked at again.
    mutating func add(_ suspect: Suspect) -> [Suspect] {
        guard suspect.canBeFound else { return [suspect] }
        let kind = Kind(code: suspect.code, field: suspect.field)
        guard !overflown.contains(kind) else { return [suspect] }
        counts[kind, default: 0] += suspect.count
        let key = suspect.key
        var all = suspects[key] ?? []
        if let index = all.firstIndex(where: { $0.code == suspect.code && $0.field == suspect.field }) {
            all[index].count += suspect.count
            if suspect.first.precedes(all[index].first) { all[index].first = suspect.first }
        } else {
            all.append(suspect)
        }
        suspects[key] = all
        guard counts[kind, default: 0] > Finding.mostSubjects else { return [] }
        return overflow(kind)
    }

    /// Adds what was seen elsewhere.
    ///
    /// - Returns: Those that aren't looked at again.
    mutating func merge(_ other: ReferenceSuspects) -> [Suspect] {
        var left: [Suspect] = []
        for kind in other.overflown where !overflown.contains(kind) { left += overflow(kind) }
        for suspect in other.all { left += add(suspect) }
        return left
    }

    private mutating func overflow(_ kind: Kind) -> [Suspect] {
        overflown.insert(kind)
        var left: [Suspect] = []
        for (key, all) in suspects {
            let rest = all.filter { $0.code != kind.code || $0.field != kind.field }
            guard rest.count < all.count else { continue }
            left += all.filter { $0.code == kind.code && $0.field == kind.field }
            suspects[key] = rest.isEmpty ? nil : rest
        }
        return left
    }

    /// Looks at the documents, and hands over what is still wrong.
    func look(in collection: String, _ database: Database, _ body: (Suspect) -> Void) async throws {
        guard !suspects.isEmpty else { return }
        var values: [String: Set<BSONValue>] = [:]
        for suspect in all {
            values[suspect.field, default: []].insert(suspect.references[suspect.field] ?? .null)
        }
        let conditions = values.sorted { $0.key < $1.key }.map { field, values -> BSONValue in
            .document([field: ["$in": .array(BSONArray(values))]])
        }
        // By one field alone, the server groups what isn't there together with what is null.
        let alike = Dictionary(suspects.keys.map { ($0.withoutNulls, $0) }, uniquingKeysWith: { first, _ in first })
        var found: [BSONDocument: [Suspect.Document]] = [:]
        let cursor = try await database.client.find(
            database.namespace(collection), filter: ["$or": .array(BSONArray(conditions))],
            options: [
                "projection": .document(BSONDocument((["_id"] + fields).map { ($0, 1) })),
                "collation": .document(ExactMatch.collation),
            ], readPreference: database.readPreference)
        try await database.client.forEachBatch(of: cursor, maximum: Run.batchSize) { documents in
            for document in documents {
                let references = BSONDocument(
                    fields.compactMap { field in document[field].map { (field, $0) } })
                let exact = references.comparisonKey
                let key = suspects[exact] == nil ? alike[exact.withoutNulls] ?? exact : exact
                // What has come since is left to the next check.
                guard let all = suspects[key], found[key]?.count ?? 0 < (all.map(\.count).max() ?? 0) else { continue }
                found[key, default: []].append(
                    Suspect.Document(id: document["_id"] ?? .null, references: references))
            }
        }
        for (key, all) in suspects {
            for var suspect in all {
                guard let documents = found[key] else { continue }
                (suspect.documents, suspect.count) = (documents, documents.count)
                body(suspect)
            }
        }
    }
}

extension BSONDocument {
    fileprivate var withoutNulls: BSONDocument {
        BSONDocument(elements.filter { !$0.value.isNull }.map { ($0.key, $0.value) })
    }
}
