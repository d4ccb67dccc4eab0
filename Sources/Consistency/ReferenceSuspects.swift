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

    init(fields: [String]) { self.fields = fields }

    /// All that were added.
    var all: some Sequence<Suspect> { suspects.values.joined() }

    /// Adds documents, unless there are too many of their kind, or they can't be looked for.
    ///
    /// - Returns: Whether they were added.
    mutating func add(_ suspect: Suspect) -> Bool {
        guard suspect.isExact else { return false }
        let kind = Kind(code: suspect.code, field: suspect.field)
        let count = counts[kind, default: 0] + suspect.count
        guard count <= Finding.mostSubjects else { return false }
        counts[kind] = count
        suspects[suspect.references, default: []].append(suspect)
        return true
    }

    /// Looks at the documents, and hands over what is still wrong.
    func look(in collection: String, _ database: Database, _ body: (Suspect) -> Void) async throws {
        guard !suspects.isEmpty else { return }
        var values: [String: Set<BSONValue>] = [:]
        for suspect in suspects.values.joined() {
            values[suspect.field, default: []].insert(suspect.references[suspect.field] ?? .null)
        }
        let conditions = values.sorted { $0.key < $1.key }.map { field, values -> BSONValue in
            .document([field: ["$in": .array(BSONArray(values))]])
        }
        var found: [BSONDocument: [BSONValue]] = [:]
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
                // What has come since is left to the next check.
                guard let all = suspects[references], found[references]?.count ?? 0 < (all.first?.count ?? 0) else {
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
