internal import BSON
internal import Journal
internal import MongoDriver

/// Looks at some of a collection's documents: their references, and the shapes of their fields.
struct DocumentLook {
    /// What came of it.
    struct Outcome {
        var findings = FindingCollector()
        /// How many documents were looked at.
        var scanned = 0
        /// Fields whose references name accounts that are gone.
        var orphaned: Set<String> = []
    }

    private let references: ReferenceScan
    private let codes: Set<FindingCode>
    private(set) var outcome = Outcome()

    private var database: Database { references.database }
    private var collection: CollectionSchema { references.collection }
    private static let batchSize = 2_000

    init(_ database: Database, _ collection: CollectionSchema, _ schema: DatabaseSchema, _ codes: Set<FindingCode>) {
        references = ReferenceScan(database: database, collection: collection, schema: schema)
        self.codes = codes
    }

    /// Looks at the documents that match.
    ///
    /// - Parameters:
    ///   - filter: Which documents.
    ///   - options: How they are found: `hint`, `min`, `max`.
    ///   - isWanted: Which of them are looked at, by `_id`.
    ///   - looked: Called with those that were.
    mutating func look(
        _ filter: BSONDocument, _ options: BSONDocument = [:], isWanted: (BSONValue) -> Bool = { _ in true },
        looked: ([BSONDocument]) throws -> Void
    ) async throws {
        var options = options
        options.append("projection", .document(BSONDocument((["_id"] + read).map { ($0, 1) })))
        options.append("batchSize", .int32(Int32(Self.batchSize)))
        // Bounds of an index take the index's own order.
        if options["min"] == nil, options["max"] == nil {
            options.append("collation", .document(ExactMatch.collation))
        }
        let cursor = try await database.client.find(
            database.namespace(collection.name), filter: filter, options: options,
            readPreference: database.readPreference)
        var look = self
        try await database.client.forEachBatch(of: cursor, maximum: Self.batchSize) { documents in
            let wanted = documents.filter { isWanted($0["_id"] ?? .null) }
            guard !wanted.isEmpty else { return }
            try await look.judge(wanted)
            try looked(wanted)
        }
        self = look
    }

    /// The fields that are read: large ones can't be wrong by more than their type, and are small by right.
    private var read: [String] {
        let fields = references.fields
        return fields + collection.fields.map(\.field).filter { !fields.contains($0) }
    }

    private mutating func judge(_ documents: [BSONDocument]) async throws {
        outcome.scanned += documents.count
        var ids: [BSONDocument: [BSONValue]] = [:]
        for document in documents { ids[held(by: document), default: []].append(document["_id"] ?? .null) }
        let groups = ids.map { references, ids in
            ReferenceScan.Group(
                references: references, count: ids.count, first: ids.min { $0.precedes($1) } ?? .null)
        }
        var suspects: [ReferenceSuspects.Suspect] = []
        for reference in collection.references {
            for (group, code, cause) in try await references.verdicts(groups, reference) where codes.contains(code) {
                var suspect = ReferenceSuspects.Suspect(
                    code: code, field: reference.field, references: group.references, count: group.count,
                    first: group.first, cause: codes.contains(.textID) ? cause : nil)
                suspect.documents = ids[group.references]?.map {
                    ReferenceSuspects.Suspect.Document(id: $0, references: group.references)
                }
                suspects.append(suspect)
            }
        }
        try await confirm(suspects)
        try await judgeFields(documents)
    }

    /// Adds those that are still there, and refer to the same: a document and what it names are read one after the other.
    private mutating func confirm(_ suspects: [ReferenceSuspects.Suspect]) async throws {
        guard !suspects.isEmpty else { return }
        let ids = Set(suspects.flatMap { $0.documents ?? [] }.map(\.id))
        let found = try await database.findAll(
            collection.name, filter: ["_id": ["$in": .array(BSONArray(ids))]],
            options: [
                "projection": .document(BSONDocument((["_id"] + references.fields).map { ($0, 1) })),
                "collation": .document(ExactMatch.collation),
            ])
        let held = Dictionary(
            found.map { ($0["_id"] ?? .null, self.held(by: $0)) }, uniquingKeysWith: { first, _ in first })
        for var suspect in suspects {
            let same = (suspect.documents ?? []).filter { held[$0.id] == suspect.references }
            guard !same.isEmpty else { continue }
            if suspect.code == .orphan, let account = suspect.references[suspect.field] {
                outcome.orphaned.insert(suspect.field)
                outcome.findings.add(
                    .orphan, collection.name, suspect.field, count: same.count, sample: [suspect.field: account])
                continue
            }
            (suspect.documents, suspect.count) = (same, same.count)
            outcome.findings.add(suspect, collection.name)
        }
    }

    private func held(by document: BSONDocument) -> BSONDocument {
        BSONDocument(references.fields.compactMap { field in document[field].map { (field, $0) } })
    }

    private mutating func judgeFields(_ documents: [BSONDocument]) async throws {
        guard !codes.isDisjoint(with: [.missingField, .fieldType]) else { return }
        let faulty = documents.filter { document in
            collection.fields.contains { $0.code(of: document[$0.field]?.type) != nil }
        }
        guard !faulty.isEmpty else { return }
        let scan = FieldScan(
            database: database, collection: collection,
            condition: ["_id": ["$in": .array(BSONArray(faulty.map { $0["_id"] ?? .null }))]])
        for finding in try await scan.findings() where codes.contains(finding.code) { outcome.findings.add(finding) }
    }
}
