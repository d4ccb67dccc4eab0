internal import BSON
internal import MongoDriver

/// References that an application makes to documents while an undo gives them their old `_id`s back.
///
/// Whoever had looked a document up before may insert what refers to it after, and would refer to nothing. So when the
/// documents are back it is looked for such references until two looks find none, and they follow. An undo that is
/// stopped before that is finished by the next run: its record says so.
struct LateReferences {
    let run: Run

    /// Between two looks: longer than an application takes from reading a document to inserting what refers to it.
    private static let pause = Duration.seconds(1)

    /// So many documents are looked for together.
    private static let atOnce = 10_000

    /// The field of a run's record that names the run whose documents' references have still to follow.
    private static let field = "following"

    /// Notes durably that references may have to follow, before the first document goes back.
    func announce(_ id: ObjectID) async throws { try await run.record.note(Self.field, .objectID(id), run) }

    /// Looks until two looks in a row find nothing.
    ///
    /// - Parameter undo: The run that has given documents their old `_id`s back.
    func follow(_ undo: ObjectID) async throws {
        var quietLooks = try await isNeeded(undo) ? 0 : 2
        var kept: [String: [BSONValue]] = [:]
        while quietLooks < 2 {
            if quietLooks > 0 { try await run.pause(for: Self.pause) }
            let found = try await look(undo)
            kept = found.kept
            quietLooks = found.followed == 0 ? quietLooks + 1 : 0
        }
        for (collection, ids) in kept.sorted(by: { $0.key < $1.key }) {
            run.totals.left(
                "references", collection, ids.count,
                reason: "refers to a document whose _id went back to a value that can't be referred to", samples: ids)
        }
        try await run.record.note(Self.field, .null, run)
    }

    /// The records of undos that may have been stopped before their references had followed.
    static let isStopped: BSONDocument = [field: ["$type": "objectId"]]

    /// Finishes it for undos that were stopped.
    func resume() async throws {
        guard try await run.database.collections()[StateCollection.runs] != nil else { return }
        let stopped = try await run.database.findAll(
            StateCollection.runs, filter: Self.isStopped, options: ["projection": [Self.field: 1]])
        for record in stopped where record["_id"] != .objectID(run.id) {
            guard let undo = record["_id"]?.objectID else { continue }
            try await follow(undo)
            try await run.writer.bulkWrite(
                run.database.namespace(StateCollection.runs),
                [.updateOne(filter: ["_id": record["_id"] ?? .null], update: ["$unset": [Self.field: ""]])])
        }
    }

    /// The documents that an undo has given their old `_id`s back, by its own entries: what an earlier undo of the same run
    /// did is over, and whoever refers to those documents since means what they say.
    private static func moves(by undo: ObjectID) -> BSONDocument {
        [
            "_id": JournalKey.all(of: undo), "kind": "rekey", "undoes": ["$exists": true], "state": "done",
        ]
    }

    /// What one look found.
    private struct Found {
        /// How many references followed.
        var followed = 0
        /// Documents whose references can't follow, by their collection.
        var kept: [String: [BSONValue]] = [:]

        static func += (sum: inout Found, more: Found) {
            sum.followed += more.followed
            sum.kept.merge(more.kept, uniquingKeysWith: +)
        }
    }

    private func isNeeded(_ undo: ObjectID) async throws -> Bool {
        try await !run.database.findAll(
            StateCollection.journal, filter: Self.moves(by: undo), options: ["limit": 1, "projection": ["_id": 1]]
        ).isEmpty
    }

    private func look(_ undo: ObjectID) async throws -> Found {
        var found = Found()
        let projection: BSONDocument = [
            "collection": 1, "oldId": 1, "newId": 1, "referrers": 1, "undoes": 1, "staying": 1, "before._id": 1,
        ]
        let cursor = try await run.database.client.find(
            run.database.namespace(StateCollection.journal), filter: Self.moves(by: undo),
            options: ["projection": .document(projection)])
        try await run.database.client.forEachBatch(of: cursor, maximum: Self.atOnce) { documents in
            let moves = try documents.map { document in
                let fields = StateFields(StateCollection.journal, document)
                return (collection: try fields.require("collection", .text), move: try RekeyMove(reading: fields))
            }
            for (collection, group) in Dictionary(grouping: moves, by: \.collection) {
                found += try await look(group.map(\.move), in: collection, undo)
            }
        }
        return found
    }

    /// - Parameter moves: As the undo has made them: from the `_id` that a document had got to the one that it had before.
    private func look(_ moves: [RekeyMove], in collection: String, _ undo: ObjectID) async throws -> Found {
        let present = try await run.database.client.listCollections(run.database.name)
        let standing = try await standing(moves.flatMap { [$0.oldID, $0.newID] }, in: collection)
        let back = moves.filter { !standing.contains($0.oldID) && standing.contains($0.newID) }
        let byID = Dictionary(back.map { ($0.oldID, $0) }, uniquingKeysWith: { first, _ in first })
        let hasStaying = back.contains { !$0.staying.isEmpty }
        var found = Found()
        guard !byID.isEmpty else { return found }
        for referrer in Set(back.flatMap(\.referrers)) where present[referrer.collection]?.isOrdinary ?? false {
            let filter: BSONDocument = [referrer.field: ["$in": .array(BSONArray(byID.keys))]]
            let cursor = try await run.database.client.find(
                run.database.namespace(referrer.collection), filter: filter,
                options: ["projection": ["_id": 1, referrer.field: 1]])
            try await run.database.client.forEachBatch(of: cursor, maximum: Run.batchSize) { documents in
                let formerly = try await formerIDs(documents, in: referrer.collection, undo, isNeeded: hasStaying)
                let changes = documents.compactMap { document -> FieldChange? in
                    guard let id = document["_id"], let value = document[referrer.field], let move = byID[value]
                    else { return nil }
                    // References that were there before a document had this `_id` stay behind, as they were.
                    let stays = move.staying[referrer] ?? []
                    guard !stays.contains(id), !(formerly[id].map(stays.contains) ?? false) else { return nil }
                    guard move.newID.type == .string else {
                        // A reference that is null names nothing: it would be lost.
                        found.kept[referrer.collection, default: []].append(id)
                        return nil
                    }
                    return FieldChange(id: id, before: [referrer.field: value], after: [referrer.field: move.newID])
                }
                let unchanged = try await run.apply(
                    changes, in: referrer.collection, code: "references", bypassesValidation: true)
                found.followed += changes.count - unchanged.all.count
            }
        }
        return found
    }

    /// The `_id`s that referring documents had while the references to be kept were noted: the undo has given them others.
    private func formerIDs(
        _ documents: [BSONDocument], in collection: String, _ undo: ObjectID, isNeeded: Bool
    ) async throws -> [BSONValue: BSONValue] {
        let ids = documents.compactMap { $0["_id"] }.filter { $0.type != .objectID }
        guard isNeeded, !ids.isEmpty else { return [:] }
        var filter = Self.moves(by: undo)
        filter.append("collection", .string(collection))
        filter.append("newId", ["$in": .array(BSONArray(ids))])
        let entries = try await run.database.findAll(
            StateCollection.journal, filter: filter, options: ["projection": ["oldId": 1, "newId": 1]])
        return entries.reduce(into: [:]) { $0[$1["newId"] ?? .null] = $1["oldId"] }
    }

    private func standing(_ ids: [BSONValue], in collection: String) async throws -> Set<BSONValue> {
        let found = try await run.database.findAll(
            collection, filter: ["_id": ["$in": .array(BSONArray(ids))]], options: ["projection": ["_id": 1]])
        return Set(found.compactMap { $0["_id"] })
    }
}
