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
        /// All references of the documents.
        let references: BSONDocument
        var count: Int
        /// The smallest `_id`.
        var first: BSONValue
        /// The collection in which a document waits for the `_id` that makes this one right.
        var cause: String?
        /// The documents' `_id`s, where they were looked at.
        var ids: [BSONValue]?

        /// What is wrong.
        func finding(_ collection: String) -> Finding {
            let shown = ids.map { $0.sorted { $0.precedes($1) }.prefix(Finding.sampleLimit) } ?? [first]
            let samples = shown.map { id in
                var sample: BSONDocument = ["_id": id]
                for element in references.rawElements { sample.append(raw: element) }
                return sample
            }
            var finding = Finding(
                code: code, collection: collection, field: field, count: count, samples: samples)
            finding.subjects = ids ?? [first]
            finding.hasAllSubjects = ids != nil || count == 1
            return finding
        }

        /// Whether the server groups only what looks the same here, and takes each value in a query for what it is.
        fileprivate var isExact: Bool {
            references.elements.allSatisfy { [.objectID, .string, .null].contains($0.value.type) }
        }
    }

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
        guard suspect.isExact else { return [suspect] }
        let kind = Kind(code: suspect.code, field: suspect.field)
        guard !overflown.contains(kind) else { return [suspect] }
        counts[kind, default: 0] += suspect.count
        var all = suspects[suspect.references] ?? []
        if let index = all.firstIndex(where: { $0.code == suspect.code && $0.field == suspect.field }) {
            all[index].count += suspect.count
            if suspect.first.precedes(all[index].first) { all[index].first = suspect.first }
        } else {
            all.append(suspect)
        }
        suspects[suspect.references] = all
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
        for (references, all) in suspects {
            let rest = all.filter { $0.code != kind.code || $0.field != kind.field }
            guard rest.count < all.count else { continue }
            left += all.filter { $0.code == kind.code && $0.field == kind.field }
            suspects[references] = rest.isEmpty ? nil : rest
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
        var found: [BSONDocument: [BSONValue]] = [:]
        let cursor = try await database.client.find(
            database.namespace(collection), filter: ["$or": .array(BSONArray(conditions))],
            options: [
                "projection": .document(BSONDocument((["_id"] + fields).map { ($0, 1) })),
                "collation": .document(ExactMatch.collation),
            ], readPreference: database.readPreference)
        try await database.client.forEachBatch(of: cursor, maximum: Run.batchSize) { documents in
            for document in documents {
                let exact = BSONDocument(
                    fields.compactMap { field in document[field].map { (field, $0) } })
                let references = suspects[exact] == nil ? alike[exact.withoutNulls] ?? exact : exact
                // What has come since is left to the next check.
                guard let all = suspects[references], found[references]?.count ?? 0 < (all.map(\.count).max() ?? 0)
                else {
                    continue
                }
                found[references, default: []].append(document["_id"] ?? .null)
            }
        }
        for (references, all) in suspects {
            for var suspect in all {
                guard let ids = found[references] else { continue }
                (suspect.ids, suspect.count) = (ids, ids.count)
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
