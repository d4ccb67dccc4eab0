package import BSON
internal import MongoDriver

/// Finds the runs that built on what an older one changed, by what the journal says they touched.
///
/// A run builds on an older one where both changed the same document, index, validator or collection, or where it made
/// something refer to a document that the older one had moved. What an undo had to leave, because somebody else has
/// changed it since, stands in nobody's way.
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
        for pair in try await pairs(among: Array(ranks.keys)) {
            guard let first = ranks[pair.of], let second = ranks[pair.by], first < second else { continue }
            earlier[pair.by, default: []].insert(pair.of)
        }
        var found: Set<ObjectID> = [id]
        // Each comes after what it builds on.
        for run in considered where !(earlier[run.id] ?? []).isDisjoint(with: found) { found.insert(run.id) }
        return considered.filter { found.contains($0.id) && $0.id != id }.reversed()
    }

    /// Makes sure that no newer run built on a run.
    ///
    /// - Throws: ``EngineError/refusedFor(_:what:advice:)`` that names those that did; `MongoError`.
    package static func check(_ database: Database, undoing id: ObjectID) async throws {
        let later = try await LaterRuns(database).building(on: id)
        guard !later.isEmpty else { return }
        throw EngineError.refusedFor(
            later.map { "\(EngineAdvice.undoRun($0.id)) (\($0.command))" },
            what: "Newer runs built on what run \(id.hex) changed. Undo them before it, in this order:",
            advice: "\(EngineAdvice.undoThrough(id)).")
    }

    /// Of two runs the one that changed something, and the one that touched the same.
    private struct Pair {
        let of: ObjectID
        let by: ObjectID
    }

    private func pairs(among ids: [ObjectID]) async throws -> [Pair] {
        let groups = try await database.aggregateAll(
            StateCollection.journal,
            Self.sharing(among: ids) + [["$group": ["_id": ["m": "$makers", "t": "$touchers"]]]])
        return groups.flatMap { group -> [Pair] in
            let makers = group.value(at: "_id", "m")?.array?.values.compactMap(\.objectID) ?? []
            let touchers = group.value(at: "_id", "t")?.array?.values.compactMap(\.objectID) ?? []
            return makers.flatMap { maker in touchers.map { Pair(of: maker, by: $0) } }
        }
    }

    /// For everything that several runs have touched, who made it what it is, and who touched it: two lists.
    private static func sharing(among ids: [ObjectID]) -> [BSONDocument] {
        let missed: BSONValue = ["$ifNull": ["$missed", []]]
        func each(_ list: String, _ element: BSONValue) -> BSONValue {
            ["$map": ["input": ["$ifNull": [.string("$" + list), []]], "in": element]]
        }
        func isKind(_ kinds: BSONArray) -> BSONValue { ["$in": ["$kind", .array(kinds)]] }
        // A document by its collection and `_id`; what belongs to a collection by a name that no `_id` can be.
        func documents(_ list: String, _ id: String) -> BSONValue {
            [
                "$map": [
                    "input": ["$setDifference": [each(list, .string(id)), missed]],
                    "in": ["of": "$collection", "id": "$$this", "makes": true, "touches": true],
                ]
            ]
        }
        func part(_ name: BSONValue) -> BSONValue {
            ["of": ["part": "$collection"], "id": name, "makes": true, "touches": true]
        }
        // References, whatever collection holds them: an ObjectId stands for one document.
        let referred: BSONValue = [
            "$map": [
                "input": [
                    "$filter": [
                        "input": [
                            "$reduce": [
                                "input": each(
                                    "items", ["$objectToArray": ["$ifNull": ["$$this.after", .document([:])]]]),
                                "initialValue": [], "in": ["$concatArrays": ["$$value", "$$this.v"]],
                            ]
                        ], "cond": ["$eq": [["$type": "$$this"], "objectId"]],
                    ]
                ],
                "in": ["of": "reference", "id": "$$this", "makes": false, "touches": true],
            ]
        ]
        let moved: BSONValue = [
            ["of": "$collection", "id": "$newId", "makes": true, "touches": true],
            ["of": "reference", "id": "$newId", "makes": true, "touches": false],
        ]
        let touched: BSONValue = [
            "$switch": [
                "branches": [
                    [
                        "case": isKind(["fields"]),
                        "then": ["$concatArrays": [documents("items", "$$this.id"), referred]],
                    ],
                    ["case": isKind(["documents"]), "then": documents("items", "$$this.id")],
                    ["case": isKind(["insert"]), "then": documents("documents", "$$this._id")],
                    ["case": isKind(["rekey"]), "then": moved],
                    ["case": isKind(["indexes"]), "then": each("indexes", part("$$this.name"))],
                    ["case": isKind(["validator"]), "then": [part("validator")]],
                    ["case": isKind(["collection", "dropped"]), "then": [part("collection")]],
                ], "default": [],
            ]
        ]
        let noted: BSONDocument = [
            "_id.r": ["$in": .array(BSONArray(ids.map { .objectID($0) }))], "undone": ["$exists": false],
            "left": ["$exists": false], "state": ["$ne": .string(JournalEntry.State.abandoned.rawValue)],
        ]
        func runs(_ flag: BSONValue) -> BSONValue { ["$addToSet": ["$cond": [flag, "$run", "$$REMOVE"]]] }
        return [
            ["$match": .document(noted)],
            ["$project": ["run": "$_id.r", "touched": touched]],
            ["$unwind": "$touched"],
            [
                "$group": [
                    "_id": ["of": "$touched.of", "id": "$touched.id"], "runs": ["$addToSet": "$run"],
                    "makers": runs("$touched.makes"), "touchers": runs("$touched.touches"),
                ]
            ],
            ["$match": ["$expr": ["$gt": [["$size": "$runs"], 1]]]],
        ]
    }
}
