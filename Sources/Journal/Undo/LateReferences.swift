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
    /// - Parameter id: The run whose documents went back.
    func follow(undoing id: ObjectID) async throws {
        var quietLooks = try await isNeeded(id) ? 0 : 2
        var kept: [String: [BSONValue]] = [:]
        while quietLooks < 2 {
            if quietLooks > 0 { try await run.pause(for: Self.pause) }
            let found = try await look(id)
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
            guard let id = record[Self.field]?.objectID else { continue }
            try await follow(undoing: id)
            try await run.writer.bulkWrite(
                run.database.namespace(StateCollection.runs),
                [.updateOne(filter: ["_id": record["_id"] ?? .null], update: ["$unset": [Self.field: ""]])])
        }
    }

    /// The documents that a run has moved; which of them are back is looked at.
    private static func moves(of id: ObjectID) -> BSONDocument {
        [
            "_id": [
                "$gte": JournalKey(run: id, number: 0).value, "$lte": JournalKey(run: id, number: .max).value,
            ], "kind": "rekey", "state": "done",
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

    private func isNeeded(_ id: ObjectID) async throws -> Bool {
        try await !run.database.findAll(
            StateCollection.journal, filter: Self.moves(of: id), options: ["limit": 1, "projection": ["_id": 1]]
        ).isEmpty
    }

    private func look(_ id: ObjectID) async throws -> Found {
        var found = Found()
        let projection: BSONDocument = [
            "collection": 1, "oldId": 1, "newId": 1, "referrers": 1, "earlierReferences": 1, "before._id": 1,
        ]
        let cursor = try await run.database.client.find(
            run.database.namespace(StateCollection.journal), filter: Self.moves(of: id),
            options: ["projection": .document(projection)])
        try await run.database.client.forEachBatch(of: cursor, maximum: Self.atOnce) { documents in
            let moves = try documents.map { document in
                let fields = StateFields(StateCollection.journal, document)
                return (collection: try fields.require("collection", .text), move: try RekeyMove(reading: fields))
            }
            for (collection, group) in Dictionary(grouping: moves, by: \.collection) {
                found += try await look(group.map(\.move), in: collection, id)
            }
        }
        return found
    }

    private func look(_ moves: [RekeyMove], in collection: String, _ id: ObjectID) async throws -> Found {
        let present = try await run.database.client.listCollections(run.database.name)
        let standing = try await standing(moves.flatMap { [$0.newID, $0.oldID] }, in: collection)
        let back = moves.filter { !standing.contains($0.newID) && standing.contains($0.oldID) }
        // References that were there before a document had this `_id` stay behind, as they were.
        let staying = try await staying(back.filter { $0.earlierReferences > 0 }.map(\.newID), in: collection)
        let gone = back.filter { $0.earlierReferences == 0 || staying[$0.newID] != nil }
        let oldIDs = Dictionary(gone.map { ($0.newID, $0.oldID) }, uniquingKeysWith: { first, _ in first })
        var found = Found()
        guard !oldIDs.isEmpty else { return found }
        for referrer in Set(gone.flatMap(\.referrers)) where present[referrer.collection]?.isOrdinary ?? false {
            let filter: BSONDocument = [referrer.field: ["$in": .array(BSONArray(oldIDs.keys))]]
            let cursor = try await run.database.client.find(
                run.database.namespace(referrer.collection), filter: filter,
                options: ["projection": ["_id": 1, referrer.field: 1]])
            try await run.database.client.forEachBatch(of: cursor, maximum: Run.batchSize) { documents in
                let formerly = try await formerIDs(documents, in: referrer.collection, id, isNeeded: !staying.isEmpty)
                let changes = documents.compactMap { document -> FieldChange? in
                    guard let id = document["_id"], let value = document[referrer.field], let old = oldIDs[value]
                    else { return nil }
                    let stays = staying[value]?[referrer] ?? []
                    guard !stays.contains(id), !(formerly[id].map(stays.contains) ?? false) else { return nil }
                    guard old.type == .string else {
                        // A reference that is null names nothing: it would be lost.
                        found.kept[referrer.collection, default: []].append(id)
                        return nil
                    }
                    return FieldChange(id: id, before: [referrer.field: value], after: [referrer.field: old])
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
        _ documents: [BSONDocument], in collection: String, _ id: ObjectID, isNeeded: Bool
    ) async throws -> [BSONValue: BSONValue] {
        let ids = documents.compactMap { $0["_id"] }.filter { $0.type != .objectID }
        guard isNeeded, !ids.isEmpty else { return [:] }
        var filter = Self.moves(of: id)
        filter.append("collection", .string(collection))
        filter.append("oldId", ["$in": .array(BSONArray(ids))])
        let entries = try await run.database.findAll(
            StateCollection.journal, filter: filter, options: ["projection": ["oldId": 1, "newId": 1]])
        return entries.reduce(into: [:]) { $0[$1["oldId"] ?? .null] = $1["newId"] }
    }

    /// The references that stay behind, as the entries of the undo name them, by the `_id` that was taken away.
    private func staying(
        _ ids: [BSONValue], in collection: String
    ) async throws -> [BSONValue: [Referrer: Set<BSONValue>]] {
        guard !ids.isEmpty else { return [:] }
        let entries = try await run.database.findAll(
            StateCollection.journal,
            filter: [
                "collection": .string(collection), "oldId": ["$in": .array(BSONArray(ids))], "kind": "rekey",
                "state": "done", "undoes": ["$exists": true],
            ], options: ["sort": ["_id": 1], "projection": ["oldId": 1, "staying": 1]])
        return try entries.reduce(into: [:]) {
            $0[$1["oldId"] ?? .null] = try RekeyMove.staying(StateFields(StateCollection.journal, $1))
        }
    }

    private func standing(_ ids: [BSONValue], in collection: String) async throws -> Set<BSONValue> {
        let found = try await run.database.findAll(
            collection, filter: ["_id": ["$in": .array(BSONArray(ids))]], options: ["projection": ["_id": 1]])
        return Set(found.compactMap { $0["_id"] })
    }
}
