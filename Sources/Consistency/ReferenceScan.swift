internal import BSON
internal import MigrationEngine
internal import MongoDriver

/// Finds references that name nothing, or the wrong thing.
///
/// The server groups a collection's documents by their references; the groups, not the documents, cross the wire, and
/// their targets are looked up a few thousand at a time.
struct ReferenceScan: Sendable {
    let database: Database
    let collection: CollectionSchema
    let schema: DatabaseSchema

    private static let batchSize = 5000

    /// Adds what is wrong with the collection's references.
    ///
    /// - Returns: The number of documents looked at.
    func scan(into findings: inout FindingCollector) async throws -> Int {
        var fields = collection.references.map(\.field)
        if let owner = collection.ownerField, !fields.contains(owner) { fields.append(owner) }
        let key = BSONDocument(fields.map { ($0, BSONValue.string("$" + $0)) })
        let cursor = try await database.client.aggregate(
            database.namespace(collection.name),
            pipeline: [
                ["$group": ["_id": .document(key), "n": ["$sum": 1], "first": ["$min": "$_id"]]]
            ], options: ["allowDiskUse": true, "batchSize": .int32(Int32(Self.batchSize))],
            readPreference: database.readPreference)
        var collected = findings
        var scanned = 0
        try await database.client.forEachBatch(of: cursor, maximum: Self.batchSize) { documents in
            let groups = documents.map(Group.init)
            scanned += groups.reduce(0) { $0 + $1.count }
            for reference in collection.references { try await judge(groups, reference, &collected) }
        }
        findings = collected
        return scanned
    }

    /// Documents that have all their references in common.
    private struct Group {
        let references: BSONDocument
        let count: Int
        let first: BSONValue

        init(_ document: BSONDocument) {
            references = document["_id"]?.document ?? [:]
            count = Int(document["n"]?.integer ?? 0)
            first = document["first"] ?? .null
        }
    }

    private func judge(
        _ groups: [Group], _ reference: Reference, _ findings: inout FindingCollector
    ) async throws {
        let owners = try await targets(of: groups, reference)
        for group in groups {
            guard let code = verdict(group, reference, owners) else { continue }
            var sample: BSONDocument = ["_id": group.first]
            for element in group.references.rawElements { sample.append(raw: element) }
            findings.add(code, collection.name, reference.field, count: group.count, sample: sample)
        }
    }

    private func verdict(_ group: Group, _ reference: Reference, _ owners: [BSONValue: BSONValue]) -> FindingCode? {
        switch group.references[reference.field] {
        case nil, .null: return reference.isRequired ? .missingReference : nil
        case .string(""): return .emptyReference
        case .string(let text) where ObjectID(hex: text) != nil: return .textReference
        case .some(let value):
            guard let owner = owners[value] else { return .danglingReference }
            guard reference.sharesOwner, let field = collection.ownerField else { return nil }
            guard let mine = Identity.objectID(group.references[field]), let its = Identity.objectID(owner) else {
                return nil
            }
            return mine == its ? nil : .foreignOwner
        }
    }

    /// The existing targets of these groups, each with its owner (null where it has none).
    private func targets(of groups: [Group], _ reference: Reference) async throws -> [BSONValue: BSONValue] {
        let owner = schema.collection(reference.target)?.ownerField
        let values = Set(groups.compactMap { $0.references[reference.field] }).filter { value in
            // An array or a regular expression can't be an `_id`, and would mean something else within `$in`.
            value.type != .array && value.type != .regularExpression && !value.isNull
        }
        var projection: BSONDocument = ["_id": 1]
        if reference.sharesOwner, let owner { projection.append(owner, 1) }
        let found = try await database.findAll(
            reference.target, filter: ["_id": ["$in": .array(BSONArray(values))]],
            options: ["projection": .document(projection)])
        return found.reduce(into: [:]) { result, document in
            guard let id = document["_id"] else { return }
            result[id] = owner.flatMap { document[$0] } ?? .null
        }
    }
}
