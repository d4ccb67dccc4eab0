package import BSON
internal import MongoDriver

/// Finds the runs that built on what an older one changed, by what the journal says they touched.
///
/// A run builds on an older one where both changed the same document, index or validator; where one made or dropped a
/// collection that the other worked in; where it moved a document that the older one had changed, or put another one in
/// the place that it had left; and where it made something refer to a document that the older one had moved. What an
/// undo had to leave, because somebody else has changed it since, stands in nobody's way.
package struct LaterRuns {
    private let database: Database
    /// The runs that may be undone, oldest first.
    private let runs: [RunHeading]

    /// Reads the runs.
    ///
    /// - Throws: ``StateError``, `MongoError`.
    package init(_ database: Database) async throws {
        self.database = database
        // What undid something isn't undone itself.
        runs = try await RunHeading.list(database).filter { $0.undoes == nil }
    }

    /// The runs that built on a run, and on those, newest first: the order in which to undo them.
    ///
    /// - Parameter id: The run.
    /// - Throws: `MongoError`.
    package func building(on id: ObjectID) async throws -> [RunHeading] {
        guard let position = runs.firstIndex(where: { $0.id == id }), position + 1 < runs.count else { return [] }
        let considered = runs[position...]
        let ranks = Dictionary(uniqueKeysWithValues: considered.enumerated().map { ($1.id, $0) })
        var earlier: [ObjectID: Set<ObjectID>] = [:]
        for touches in try await sharedTouches(among: considered.map(\.id)) {
            for later in touches where !later.isLeft {
                for first in touches where Self.isBuiltOn(first.role, by: later.role) {
                    guard let one = ranks[first.run], let other = ranks[later.run], one < other else { continue }
                    earlier[later.run, default: []].insert(first.run)
                }
            }
        }
        var found: Set<ObjectID> = [id]
        // Each comes after what it builds on.
        for run in considered where !(earlier[run.id] ?? []).isDisjoint(with: found) { found.insert(run.id) }
        return considered.filter { found.contains($0.id) && $0.id != id }.reversed()
    }

    /// Makes sure that no newer run built on a run.
    ///
    /// - Throws: ``EngineError/refusedFor(_:what:advice:)`` that names those that did; `MongoError`.
    package func check(undoing id: ObjectID) async throws {
        let later = try await building(on: id)
        guard !later.isEmpty else { return }
        throw EngineError.refusedFor(
            later.map { "\(EngineAdvice.undoRun($0.id)) (\($0.command))" },
            what: "Newer runs built on what run \(id.hex) changed. Undo them before it, in this order:",
            advice: "\(EngineAdvice.undoThrough(id)).")
    }

    /// Makes sure of that again, where runs have been made since these were read.
    ///
    /// - Throws: as ``check(undoing:)``.
    package func check(again id: ObjectID) async throws {
        let now = try await LaterRuns(database)
        if now.runs.map(\.id) != runs.map(\.id) { try await now.check(undoing: id) }
    }

    /// In what way a run touched something.
    private enum Role: String {
        /// It changed a document, or made, changed or dropped an index or a validator.
        case content
        /// It moved a document away from an `_id`.
        case from
        /// It moved a document to an `_id`.
        case to
        /// It made something refer to a document.
        case refers
        /// It made or dropped a collection.
        case whole
        /// It worked in a collection.
        case within
        /// It inserted a range of documents.
        case made
        /// It touched one of a range.
        case inside
    }

    /// Whether a later run that touched something in one way builds on an older one that had touched it in another.
    private static func isBuiltOn(_ first: Role, by later: Role) -> Bool {
        switch (first, later) {
        // Another document had come to the place by itself.
        case (.from, .from): false
        case (.made, .inside): true
        case (.made, _), (_, .made), (.inside, _), (_, .inside): false
        case (.to, .refers): true
        case (.refers, _), (_, .refers): false
        case (.within, .within): false
        default: true
        }
    }

    private struct Touch {
        let run: ObjectID
        let role: Role
        /// Whether an undo had to leave it.
        let isLeft: Bool
    }

    /// Who has touched the same, and how: each way in which several runs came together, once.
    private func sharedTouches(among ids: [ObjectID]) async throws -> [[Touch]] {
        let groups = try await database.aggregateAll(
            StateCollection.journal,
            Self.sharing(among: ids, try await ranges(of: ids)) + [["$group": ["_id": "$by"]]])
        return groups.map { group in
            (group["_id"]?.array?.values ?? []).compactMap { touch in
                guard let fields = touch.document, let run = fields["r"]?.objectID,
                    let role = fields["w"]?.string.flatMap(Role.init(rawValue:))
                else { return nil }
                return Touch(run: run, role: role, isLeft: fields["l"]?.bool ?? false)
            }
        }
    }

    /// Where the documents lie that runs have inserted by ranges: a collection, a run, the first `_id` and the last.
    private func ranges(of ids: [ObjectID]) async throws -> [BSONDocument] {
        try await database.aggregateAll(
            StateCollection.journal, InsertedRange.bounds(Self.entries(of: ids), byRun: true))
    }

    private static func entries(of ids: [ObjectID]) -> BSONDocument {
        let runs = ids.map { id -> BSONValue in ["_id": JournalKey.all(of: id)] }
        return [
            "$or": .array(BSONArray(runs)), "undone": ["$exists": false],
            "state": ["$ne": .string(JournalEntry.State.abandoned.rawValue)],
        ]
    }

    /// Adds to what an entry has touched the ranges that it made, or that it touched a document of.
    private static func touchedRanges(_ ranges: [BSONDocument]) -> [BSONDocument] {
        guard !ranges.isEmpty else { return [] }
        let each = ranges.map { range -> BSONValue in
            let id = range["_id"] ?? .null
            let name = range.value(at: "_id", "collection") ?? .null
            let isOwn: BSONValue = ["$eq": ["$by.r", range.value(at: "_id", "run") ?? .null]]
            let isWithin: BSONValue = [
                "$and": [
                    ["$eq": ["$$this.of", name]], ["$gte": ["$$this.id", range["first"] ?? .null]],
                    ["$lte": ["$$this.id", range["last"] ?? .null]],
                ]
            ]
            let touches: BSONValue = ["$anyElementTrue": [["$map": ["input": "$touched", "in": isWithin]]]]
            let touch: (Role) -> BSONValue = {
                [["of": ["range": ["$literal": id]], "id": "range", "w": .string($0.rawValue)]]
            }
            return ["$cond": [isOwn, touch(.made), ["$cond": [touches, touch(.inside), []]]]]
        }
        return [["$set": ["touched": ["$concatArrays": .array(BSONArray(["$touched"] + each))]]]]
    }

    /// Everything that several runs have touched, with who did, and how.
    private static func sharing(among ids: [ObjectID], _ ranges: [BSONDocument]) -> [BSONDocument] {
        let missed: BSONValue = ["$ifNull": ["$missed", []]]
        func each(_ list: String, _ element: BSONValue) -> BSONValue {
            ["$map": ["input": ["$ifNull": [.string("$" + list), []]], "in": element]]
        }
        func isKind(_ kinds: BSONArray) -> BSONValue { ["$in": ["$kind", .array(kinds)]] }
        func touch(_ of: BSONValue, _ id: BSONValue, _ role: Role) -> BSONValue {
            ["of": of, "id": id, "w": .string(role.rawValue)]
        }
        // What belongs to a collection is named by what no collection's name can be.
        let part: BSONValue = ["part": "$collection"]
        func documents(_ list: String, _ id: String) -> BSONValue {
            [
                "$map": [
                    "input": ["$setDifference": [each(list, .string(id)), missed]],
                    "in": touch("$collection", "$$this", .content),
                ]
            ]
        }
        // References, whatever collection holds them: an ObjectId stands for one document.
        func referred(_ list: String, _ document: String) -> BSONValue {
            let values: BSONValue = [
                "$reduce": [
                    "input": each(list, ["$objectToArray": ["$ifNull": [.string(document), .document([:])]]]),
                    "initialValue": [], "in": ["$concatArrays": ["$$value", "$$this"]],
                ]
            ]
            let isReference: BSONValue = [
                "$and": [["$eq": [["$type": "$$this.v"], "objectId"]], ["$ne": ["$$this.k", "_id"]]]
            ]
            return [
                "$map": [
                    "input": ["$filter": ["input": values, "cond": isReference]],
                    "in": touch("reference", "$$this.v", .refers),
                ]
            ]
        }
        let moved: BSONValue = [
            touch("$collection", "$newId", .to), touch("reference", "$newId", .to),
            touch("$collection", "$oldId", .from),
        ]
        let touched: BSONValue = [
            "$switch": [
                "branches": [
                    [
                        "case": isKind(["fields"]),
                        "then": [
                            "$concatArrays": [documents("items", "$$this.id"), referred("items", "$$this.after")]
                        ],
                    ],
                    [
                        "case": isKind(["documents"]),
                        "then": [
                            "$concatArrays": [documents("items", "$$this.id"), referred("items", "$$this.after")]
                        ],
                    ],
                    [
                        "case": isKind(["insert"]),
                        "then": [
                            "$concatArrays": [documents("documents", "$$this._id"), referred("documents", "$$this")]
                        ],
                    ],
                    ["case": isKind(["rekey"]), "then": moved],
                    ["case": isKind(["indexes"]), "then": each("indexes", touch(part, "$$this.name", .content))],
                    ["case": isKind(["validator"]), "then": [touch(part, "validator", .content)]],
                ], "default": [],
            ]
        ]
        let role: BSONValue = [
            "$cond": [isKind(["collection", "dropped"]), .string(Role.whole.rawValue), .string(Role.within.rawValue)]
        ]
        let collection: BSONValue = ["of": part, "id": "collection", "w": role]
        return [
            ["$match": .document(entries(of: ids))],
            [
                "$project": [
                    "by": ["r": "$_id.r", "l": ["$gt": ["$left", .null]]],
                    "touched": ["$concatArrays": [touched, [collection]]],
                ]
            ],
        ] + touchedRanges(ranges) + [
            ["$unwind": "$touched"],
            [
                "$group": [
                    "_id": ["of": "$touched.of", "id": "$touched.id"],
                    "by": ["$addToSet": ["r": "$by.r", "l": "$by.l", "w": "$touched.w"]],
                    "first": ["$min": "$by.r"], "last": ["$max": "$by.r"],
                ]
            ],
            ["$match": ["$expr": ["$ne": ["$first", "$last"]]]],
        ]
    }
}
