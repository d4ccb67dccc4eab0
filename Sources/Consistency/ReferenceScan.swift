internal import BSON
internal import Journal
internal import MongoDriver
internal import Synchronization

/// Finds references that name nothing, or the wrong thing.
///
/// The server groups a collection's documents by their references; the groups, not the documents, cross the wire, and
/// their targets are looked up a few thousand at a time. Where there would be more groups than the server holds in
/// memory, it goes over the collection several times, each time for a part of them: that takes it a fraction of the time
/// that spilling to disk does, and leaves the disk to the application.
struct ReferenceScan: Sendable {
    let database: Database
    let collection: CollectionSchema
    let schema: DatabaseSchema
    /// The server holds 100 MB of groups, of some 350 bytes each.
    var groupsAtOnce = 150_000

    private static let batchSize = 5000
    /// More passes would cost more than spilling.
    private static let mostParts = 8

    /// Looks at the collection's references.
    ///
    /// - Parameters:
    ///   - workers: How many connections may work at once.
    ///   - interruption: Ends it between two parts.
    /// - Returns: What is wrong, and the number of documents looked at.
    func scan(
        workers: Int, _ interruption: Interruption
    ) async throws -> (findings: FindingCollector, scanned: Int) {
        let conditions: [BSONDocument?] = try await parts()
        let parts = conditions.isEmpty ? [nil] : conditions
        let rest = Mutex(Array(parts.enumerated())[...])
        let results = Mutex<[Int: Result]>([:])
        try await database.inWorkers(
            min(max(workers, 1), parts.count), next: { _ in rest.withLock { $0.popFirst() } },
            each: { worker, part in
                try interruption.check()
                let scan = ReferenceScan(database: worker, collection: collection, schema: schema)
                let result = try await scan.scan(part.element)
                results.withLock { $0[part.offset] = result }
            })
        // In the order of the parts, whichever came first.
        var all = emptyResult
        for (_, result) in results.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            all.merge(result, in: collection.name)
        }
        return (try await findings(of: all), all.scanned)
    }

    /// What is wrong, after a second look at all suspects: once, however many parts there were, for there may be no index
    /// to find them by.
    func findings(of result: Result) async throws -> FindingCollector {
        var findings = result.findings
        try await result.suspects.look(in: collection.name, database) { findings.add($0, collection.name) }
        return findings
    }

    /// What came of one part.
    struct Result: Sendable {
        var findings = FindingCollector()
        /// What has to be looked at once more.
        var suspects: ReferenceSuspects
        var scanned = 0

        /// Adds what came of another part.
        mutating func merge(_ other: Result, in collection: String) {
            findings.merge(other.findings)
            scanned += other.scanned
            for suspect in suspects.merge(other.suspects) { findings.add(suspect, collection) }
        }
    }

    /// Nothing yet.
    var emptyResult: Result { Result(suspects: ReferenceSuspects(fields: fields)) }

    /// The fields that documents are grouped by.
    var fields: [String] {
        let references = collection.references.map(\.field)
        guard let owner = collection.ownerField, !references.contains(owner) else { return references }
        return references + [owner]
    }

    /// Conditions that divide the collection's documents, each with groups enough for one pass; none where one pass does.
    ///
    /// They compare by the order of all values, whatever type they are, so that every document is in one part.
    private func parts() async throws -> [BSONDocument] {
        var largest: (reference: Reference, documents: Int)?
        for reference in collection.references {
            let documents = try await database.documentCount(of: reference.target)
            if documents > largest?.documents ?? groupsAtOnce { largest = (reference, documents) }
        }
        guard let (reference, documents) = largest else { return [] }
        let count = min((documents + groupsAtOnce - 1) / groupsAtOnce, Self.mostParts)
        var bounds: [BSONValue] = []
        for _ in 1..<count {
            let found = try await database.findAll(
                reference.target, filter: bounds.last.map { ["_id": ["$gte": $0]] } ?? [:],
                options: [
                    "projection": ["_id": 1], "sort": ["_id": 1], "skip": .int64(Int64(documents / count)), "limit": 1,
                    "hint": ["_id": 1],
                ])
            guard let bound = found.first?["_id"] else { break }
            bounds.append(bound)
        }
        let value = BSONValue.string("$" + reference.field)
        let compare = { (name: String, bound: BSONValue) -> BSONValue in
            .document([name: [value, ["$literal": bound]]])
        }
        return (0...bounds.count).map { part in
            var conditions: [BSONValue] = []
            if part > 0 { conditions.append(compare("$gte", bounds[part - 1])) }
            if part < bounds.count { conditions.append(compare("$lt", bounds[part])) }
            return ["$expr": ["$and": .array(BSONArray(conditions))]]
        }
    }

    /// Looks at the documents of one part.
    private func scan(_ part: BSONDocument?) async throws -> Result {
        let key = BSONDocument(fields.map { ($0, BSONValue.string("$" + $0)) })
        var pipeline: [BSONDocument] = [
            ["$group": ["_id": .document(key), "n": ["$sum": 1], "first": ["$min": "$_id"]]]
        ]
        if let part { pipeline.insert(["$match": .document(part)], at: 0) }
        let cursor = try await database.client.aggregate(
            database.namespace(collection.name), pipeline: pipeline,
            options: [
                "allowDiskUse": true, "batchSize": .int32(Int32(Self.batchSize)), "hint": ["$natural": 1],
                "collation": .document(ExactMatch.collation),
            ],
            readPreference: database.readPreference)
        var result = emptyResult
        try await database.client.forEachBatch(of: cursor, maximum: Self.batchSize) { documents in
            let groups = documents.map(Group.init)
            result.scanned += groups.reduce(0) { $0 + $1.count }
            for reference in collection.references { try await judge(groups, reference, &result) }
        }
        return result
    }

    /// Documents that have all their references in common.
    struct Group {
        let references: BSONDocument
        let count: Int
        /// The smallest `_id`.
        let first: BSONValue

        init(references: BSONDocument, count: Int, first: BSONValue) {
            (self.references, self.count, self.first) = (references, count, first)
        }

        fileprivate init(_ document: BSONDocument) {
            references = document["_id"]?.document ?? [:]
            count = Int(document["n"]?.integer ?? 0)
            first = document["first"] ?? .null
        }
    }

    /// Judges one reference of some documents.
    ///
    /// - Parameter known: Tells the owner of a document that was seen to exist, null where it has none; nil where it wasn't
    ///   seen. What looks wrong by that is looked up: the document may have been made since.
    func judge(
        _ groups: [Group], _ reference: Reference, _ result: inout Result,
        known: (BSONValue) -> BSONValue? = { _ in nil }
    ) async throws {
        for (group, code, cause) in try await verdicts(groups, reference, known: known) {
            if code == .orphan, let account = group.references[reference.field] {
                // Grouped by the account: a sample names one, not one of its documents.
                result.findings.add(
                    code, collection.name, reference.field, count: group.count, sample: [reference.field: account])
                continue
            }
            let suspect = ReferenceSuspects.Suspect(
                code: code, field: reference.field, references: group.references, count: group.count,
                first: group.first, cause: cause)
            for left in result.suspects.add(suspect) { result.findings.add(left, collection.name) }
        }
    }

    /// Those of some documents of which one reference is wrong, each with the collection in which a document waits for the
    /// `_id` that makes it right, where there is one.
    ///
    /// - Parameter known: As above.
    func verdicts(
        _ groups: [Group], _ reference: Reference, known: (BSONValue) -> BSONValue? = { _ in nil }
    ) async throws -> [(group: Group, code: FindingCode, cause: String?)] {
        let groups = groups.filter { group in
            guard let value = group.references[reference.field], let owner = known(value) else { return true }
            return verdict(group, reference, [value.comparisonKey: owner]) != nil
        }
        let owners = try await targets(of: groups, reference)
        let verdicts = groups.map { verdict($0, reference, owners) }
        let waiting = try await waiting(zip(groups, verdicts).filter { $1 == .danglingReference }.map(\.0), reference)
        return zip(groups, verdicts).compactMap { group, code in
            guard let code else { return nil }
            if code == .danglingReference, let id = group.references[reference.field]?.objectID,
                isRightOnceRepaired(group, waiting[id] ?? [], reference)
            {
                return (group, code, reference.target)
            }
            return (group, code, nil)
        }
    }

    private func verdict(_ group: Group, _ reference: Reference, _ owners: [BSONValue: BSONValue]) -> FindingCode? {
        switch group.references[reference.field] {
        case nil, .null: return reference.isRequired ? .missingReference : nil
        case .string(""): return .emptyReference
        case .string(let text) where ObjectID(hex: text) != nil: return .textReference
        case .some(let value):
            guard let owner = owners[value.comparisonKey] else {
                return reference.outlivesTarget && value.type == .objectID ? .orphan : .danglingReference
            }
            guard reference.sharesOwner, let field = collection.ownerField else { return nil }
            guard let mine = Identity.objectID(group.references[field]), let its = Identity.objectID(owner) else {
                return nil
            }
            return mine == its ? nil : .foreignOwner
        }
    }

    /// Whether a reference names the one document that gets the ObjectId, and that is its owner's.
    private func isRightOnceRepaired(_ group: Group, _ owners: [BSONValue], _ reference: Reference) -> Bool {
        guard owners.count == 1, let its = owners.first else { return false }
        guard reference.sharesOwner, let field = collection.ownerField else { return true }
        return Identity.objectID(group.references[field]) == Identity.objectID(its)
    }

    /// The documents that have as text the ObjectIds which these groups name: the owner of each, by the ObjectId.
    private func waiting(_ groups: [Group], _ reference: Reference) async throws -> [ObjectID: [BSONValue]] {
        let ids = groups.compactMap { $0.references[reference.field]?.objectID }
        guard !ids.isEmpty else { return [:] }
        let owner = schema.collection(reference.target)?.ownerField
        let texts = Set(ids.flatMap { [$0.hex, $0.hex.uppercased()] }).map { BSONValue.string($0) }
        let projection = BSONDocument((["_id"] + [owner].compactMap { $0 }).map { ($0, 1) })
        let found = try await database.findAll(
            reference.target, filter: ["_id": ["$in": .array(BSONArray(texts))]],
            options: ["projection": .document(projection)])
        return found.reduce(into: [:]) { result, document in
            guard let id = Identity.objectID(document["_id"]) else { return }
            result[id, default: []].append(owner.flatMap { document[$0] } ?? .null)
        }
    }

    /// The existing targets of these groups, each with its owner (null where it has none).
    private func targets(of groups: [Group], _ reference: Reference) async throws -> [BSONValue: BSONValue] {
        let owner = schema.collection(reference.target)?.ownerField
        let values = Set(groups.compactMap { $0.references[reference.field] }).filter(\.canBeID)
        var projection: BSONDocument = ["_id": 1]
        if reference.sharesOwner, let owner { projection.append(owner, 1) }
        let found = try await database.findAll(
            reference.target, filter: ["_id": ["$in": .array(BSONArray(values))]],
            options: ["projection": .document(projection)])
        return found.reduce(into: [:]) { result, document in
            guard let id = document["_id"] else { return }
            result[id.comparisonKey] = owner.flatMap { document[$0] } ?? .null
        }
    }
}

extension FindingCollector {
    /// Adds what was seen wrong.
    mutating func add(_ suspect: ReferenceSuspects.Suspect, _ collection: String) {
        let finding = suspect.finding(collection)
        guard let cause = suspect.cause else { return add(finding) }
        add(finding, becauseOf: .textID, in: cause)
    }
}
