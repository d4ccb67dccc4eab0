internal import BSON
internal import MongoDriver

/// The data as they would stand once what a preview has gone through were undone.
///
/// Only documents that are looked at more than once are remembered: memory grows with those, and with the `_id`s of moved
/// documents, not with what is undone.
struct PreviewedData {
    /// A document of a collection.
    struct Key: Hashable {
        let collection: String
        let id: BSONValue
    }

    /// What has become of a document.
    private enum Change {
        case document(BSONDocument)
        case absent
        /// Some fields got other values, or went.
        case fields([String: BSONValue?])
    }

    private let database: Database
    /// The documents to remember.
    private let remembered: Set<Key>
    /// The documents' old and new `_id`s whose references are counted, and the fields that hold such references.
    private let targets: Set<BSONValue>
    private let referrers: [String: [String]]

    private var changed: [Key: Change] = [:]
    /// How many references more there would be, for some of the targets.
    private var referenceChanges: [BSONValue: Int] = [:]
    /// How many documents fewer a collection would hold.
    private var removed: [String: Int] = [:]

    init(_ database: Database, remembering: Set<Key>, targets: Set<BSONValue>, referrers: Set<Referrer>) {
        self.database = database
        remembered = remembering
        self.targets = targets
        self.referrers = Dictionary(grouping: referrers, by: \.collection).mapValues { $0.map(\.field) }
    }

    /// The documents with some `_id`s.
    func documents(_ ids: [BSONValue], in collection: String) async throws -> [BSONValue: BSONDocument] {
        patched(try await database.documents(ids, in: collection), ids, collection)
    }

    /// The fields of the documents that changes are about.
    func fields(of changes: [FieldChange], in collection: String) async throws -> [BSONValue: BSONDocument] {
        patched(try await database.fields(of: changes, in: collection), changes.map(\.id), collection)
    }

    /// Documents that stand in a collection, as they would then.
    func patched(_ found: [BSONDocument], in collection: String) -> [BSONDocument] {
        guard !changed.isEmpty else { return found }
        let ids = found.map { $0["_id"] ?? .null }
        let byID = Dictionary(zip(ids, found), uniquingKeysWith: { first, _ in first })
        let patched = patched(byID, ids, collection)
        return ids.compactMap { patched[$0] }
    }

    private func patched(
        _ found: [BSONValue: BSONDocument], _ ids: [BSONValue], _ collection: String
    ) -> [BSONValue: BSONDocument] {
        var found = found
        guard !changed.isEmpty else { return found }
        for id in ids {
            switch changed[Key(collection: collection, id: id)] {
            case nil: continue
            case .absent: found[id] = nil
            case .document(let document): found[id] = document
            case .fields(let values): found[id] = found[id].map { Self.setting(values, in: $0) }
            }
        }
        return found
    }

    private static func setting(_ values: [String: BSONValue?], in document: BSONDocument) -> BSONDocument {
        values.sorted { $0.key < $1.key }.reduce(into: document) { $0[$1.key] = $1.value }
    }

    /// How many references there are to some documents.
    func countReferences(
        to ids: [BSONValue], from referrers: Set<Referrer>, in present: [String: CollectionDescription]
    ) async throws -> [BSONValue: Int] {
        let counts = try await database.countReferences(to: ids, from: referrers, in: present)
        return Dictionary(ids.map { ($0, (counts[$0] ?? 0) + (referenceChanges[$0] ?? 0)) }) { first, _ in first }
    }

    /// Whether a collection would hold a document.
    func holdsDocuments(_ collection: String) async throws -> Bool {
        let beyond = removed[collection] ?? 0
        if beyond < 0 { return true }
        return try await !database.findAll(
            collection, filter: [:],
            options: ["skip": .int64(Int64(beyond)), "limit": 1, "projection": ["_id": 1]]
        ).isEmpty
    }

    /// Gives fields of a document other values.
    mutating func apply(_ change: FieldChange, in collection: String) {
        countReferences(change.before, -1, collection)
        countReferences(change.after, 1, collection)
        let key = Key(collection: collection, id: change.id)
        guard remembered.contains(key) else { return }
        let values = Dictionary(uniqueKeysWithValues: Set(change.names).map { ($0, change.after[$0]) })
        switch changed[key] {
        case .absent: return
        case .document(let document): changed[key] = .document(Self.setting(values, in: document))
        case .fields(let earlier): changed[key] = .fields(earlier.merging(values) { $1 })
        case nil: changed[key] = .fields(values)
        }
    }

    /// Puts a document in the place of another; nil stands for none.
    mutating func replace(_ id: BSONValue, _ before: BSONDocument?, by after: BSONDocument?, in collection: String) {
        if let before { countReferences(before, -1, collection) }
        if let after { countReferences(after, 1, collection) }
        removed[collection, default: 0] += (before == nil ? 0 : 1) - (after == nil ? 0 : 1)
        let key = Key(collection: collection, id: id)
        if remembered.contains(key) { changed[key] = after.map { .document($0) } ?? .absent }
    }

    private mutating func countReferences(_ document: BSONDocument, _ sign: Int, _ collection: String) {
        guard !targets.isEmpty else { return }
        for field in referrers[collection] ?? [] {
            guard let value = document[field], targets.contains(value) else { continue }
            referenceChanges[value, default: 0] += sign
        }
    }
}

extension PreviewedData {
    /// Finds out which documents an undo looks at more than once, and which references it counts.
    ///
    /// - Parameter filters: Match the journal's entries that are undone, without what followed a document.
    init(_ database: Database, undoing filters: [BSONDocument]) async throws {
        guard !filters.isEmpty else {
            self.init(database, remembering: [], targets: [], referrers: [])
            return
        }
        let all = filters.map { filter -> BSONValue in .document(filter.removing("parent")) }
        let match: BSONDocument = ["$or": .array(BSONArray(all))]
        var remembered: Set<Key> = []
        var targets: Set<BSONValue> = []
        var referrers: Set<Referrer> = []
        var moves = match
        moves.append("kind", "rekey")
        let found = try await database.client.find(
            database.namespace(StateCollection.journal), filter: moves,
            options: ["projection": ["oldId": 1, "newId": 1, "referrers": 1, "before._id": 1]])
        try await database.client.forEachBatch(of: found, maximum: Run.batchSize) { documents in
            for document in documents {
                let move = try RekeyMove(reading: StateFields(StateCollection.journal, document))
                targets.formUnion([move.oldID, move.newID])
                referrers.formUnion(move.referrers)
            }
        }
        for document in try await database.aggregateAll(StateCollection.journal, Self.repeated(match)) {
            guard let id = document.value(at: "_id", "id") else { continue }
            remembered.insert(Key(collection: document.value(at: "_id", "of")?.string ?? "", id: id))
        }
        remembered.formUnion(try await Self.within(match, database))
        self.init(database, remembering: remembered, targets: targets, referrers: referrers)
    }

    /// The documents that lie in a range that was inserted, and that another entry is about.
    private static func within(_ match: BSONDocument, _ database: Database) async throws -> Set<Key> {
        var found: Set<Key> = []
        for group in try await database.aggregateAll(StateCollection.journal, InsertedRange.bounds(match)) {
            guard let collection = group["_id"]?.string, let first = group["first"], let last = group["last"] else {
                continue
            }
            let touched: BSONValue = [
                "$setUnion": [["$ifNull": ["$items.id", []]], ["$ifNull": ["$documents._id", []]]]
            ]
            let documents = try await database.aggregateAll(
                StateCollection.journal,
                [
                    ["$match": .document(match)],
                    [
                        "$match": [
                            "collection": .string(collection), "kind": ["$in": ["fields", "documents", "insert"]],
                        ]
                    ],
                    ["$project": ["id": touched]], ["$unwind": "$id"],
                    ["$match": ["id": ["$gte": first, "$lte": last]]], ["$group": ["_id": "$id"]],
                ])
            for document in documents {
                if let id = document["_id"] { found.insert(Key(collection: collection, id: id)) }
            }
        }
        return found
    }

    /// The documents of which several entries change the same field, or one of them the whole.
    private static func repeated(_ match: BSONDocument) -> [BSONDocument] {
        let whole: BSONValue = ["$map": ["input": "$items", "in": ["id": "$$this.id", "names": ["*"]]]]
        let inserted: BSONValue = ["$map": ["input": "$documents", "in": ["id": "$$this._id", "names": ["*"]]]]
        let moved: BSONValue = [["id": "$oldId", "names": ["*"]], ["id": "$newId", "names": ["*"]]]
        func keys(_ field: String) -> BSONValue {
            let pairs: BSONValue = ["$objectToArray": ["$ifNull": [.string("$$item." + field), .document([:])]]]
            return ["$map": ["input": pairs, "in": "$$this.k"]]
        }
        let fields: BSONValue = [
            "$map": [
                "input": "$items", "as": "item",
                "in": ["id": "$$item.id", "names": ["$setUnion": [keys("before"), keys("after")]]],
            ]
        ]
        let touched: BSONValue = [
            "$switch": [
                "branches": [
                    ["case": ["$eq": ["$kind", "fields"]], "then": fields],
                    ["case": ["$eq": ["$kind", "documents"]], "then": whole],
                    ["case": ["$eq": ["$kind", "insert"]], "then": inserted],
                    ["case": ["$eq": ["$kind", "rekey"]], "then": moved],
                ], "default": [],
            ]
        ]
        let isWhole: BSONValue = ["$in": ["*", "$names"]]
        let several: BSONValue = ["$gt": ["$n", 1]]
        return [
            ["$match": .document(match)],
            ["$match": ["kind": ["$in": ["fields", "documents", "insert", "rekey"]]]],
            ["$project": ["collection": 1, "touched": touched]],
            ["$unwind": "$touched"], ["$unwind": "$touched.names"],
            [
                "$group": [
                    "_id": ["of": "$collection", "id": "$touched.id"], "n": ["$sum": 1],
                    "names": ["$addToSet": "$touched.names"],
                ]
            ],
            [
                "$match": [
                    "$expr": [
                        "$or": [["$gt": ["$n", ["$size": "$names"]]], ["$and": [isWhole, several]]]
                    ]
                ]
            ],
            ["$project": ["_id": 1]],
        ]
    }
}
