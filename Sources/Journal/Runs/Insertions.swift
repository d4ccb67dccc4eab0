package import BSON
internal import MongoDriver

/// What runs of a command have inserted, by the journal, whether it stands still or not.
package struct Insertions: Sendable {
    /// `_id`s of documents that were inserted one by one, or moved since, by collection.
    package private(set) var ids: [String: Set<BSONValue>] = [:]
    /// The others, by ranges of their `_id`s, in order and apart from each other.
    package private(set) var ranges: [String: [Range]] = [:]

    /// Consecutive `_id`s.
    package struct Range: Sendable, Equatable {
        package let first: ObjectID
        package let last: ObjectID

        /// How many there may be.
        package var count: Int { (first.distance(to: last) ?? 0) + 1 }

        /// Matches documents whose `_id` is one of them.
        package var filter: BSONDocument { ["_id": ["$gte": .objectID(first), "$lte": .objectID(last)]] }

        /// The same `_id`s in pieces of so many.
        package func pieces(of size: Int) -> [Range] {
            stride(from: 0, to: count, by: size).compactMap { start in
                guard let from = first.advanced(by: start), let to = first.advanced(by: min(start + size, count) - 1)
                else { return nil }
                return Range(first: from, last: to)
            }
        }
    }

    /// Reads the journal of the runs of a command.
    ///
    /// - Parameters:
    ///   - command: The command, as runs are called by it.
    ///   - database: The database.
    ///   - followsMoves: Whether a document that was moved since belongs to it under its new `_id`.
    /// - Throws: ``StateError``, `MongoError`.
    package init(by command: String, _ database: Database, followsMoves: Bool) async throws {
        let present = try await database.collections()
        guard present[StateCollection.runs] != nil, present[StateCollection.journal] != nil else { return }
        let records = try await database.findAll(
            StateCollection.runs, filter: ["undoes": ["$exists": false]],
            options: ["projection": ["_id": 1, "command": 1], "sort": ["startedAt": 1, "_id": 1]])
        let runs = records.compactMap { record in
            record["_id"]?.objectID.map { (id: $0, isOfCommand: record["command"]?.string == command) }
        }
        // The place of the first run that inserted a document under an `_id`.
        var inserted: [String: [BSONValue: Int]] = [:]
        for (place, run) in runs.enumerated() where run.isOfCommand {
            let id = run.id
            let entries = try await database.findAll(
                StateCollection.journal,
                filter: [
                    "_id": JournalKey.all(of: id), "kind": ["$in": ["insert", "range"]], "undone": ["$exists": false],
                    "state": ["$ne": .string(JournalEntry.State.abandoned.rawValue)],
                ],
                options: [
                    "projection": [
                        "kind": 1, "collection": 1, "missed": 1, "documents._id": 1, "first": 1, "last": 1,
                    ],
                    "sort": ["_id": 1],
                ])
            for entry in entries {
                guard let (collection, new) = try take(entry), followsMoves else { continue }
                for id in new where inserted[collection]?[id] == nil { inserted[collection, default: [:]][id] = place }
            }
        }
        for (collection, some) in ranges { ranges[collection] = Self.joined(some) }
        if !inserted.isEmpty {
            let places = Dictionary(runs.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
            try await follow(database, places, inserted)
        }
    }

    /// Takes an entry in.
    ///
    /// - Returns: The `_id`s that it inserted one by one; nil for a range.
    private mutating func take(_ entry: BSONDocument) throws -> (collection: String, ids: [BSONValue])? {
        let fields = StateFields(StateCollection.journal, entry)
        let collection = try fields.require("collection", .text)
        if try fields.require("kind", .text) == "range" {
            let (first, last) = (try fields.require("first", .objectID), try fields.require("last", .objectID))
            ranges[collection, default: []].append(Range(first: first, last: last))
            return nil
        }
        let missed = Set(try fields.read("missed", .array) ?? [])
        let new = (entry["documents"]?.array?.values ?? []).compactMap { $0.document?["_id"] }
            .filter { !missed.contains($0) }
        ids[collection, default: []].formUnion(new)
        return (collection, new)
    }

    private static func joined(_ ranges: [Range]) -> [Range] {
        ranges.sorted { $0.first < $1.first }.reduce(into: []) { joined, range in
            if let last = joined.last, range.first <= last.last || last.last.advanced(by: 1) == range.first {
                joined[joined.count - 1] = Range(first: last.first, last: max(last.last, range.last))
            } else {
                joined.append(range)
            }
        }
    }

    /// Takes the `_id`s in that repairs have given to documents since they were inserted.
    ///
    /// - Parameters:
    ///   - places: The runs' places, in the order in which they were begun.
    ///   - inserted: The place of the run that inserted a document, by collection and `_id`.
    private mutating func follow(
        _ database: Database, _ places: [ObjectID: Int], _ inserted: [String: [BSONValue: Int]]
    ) async throws {
        let cursor = try await database.client.find(
            database.namespace(StateCollection.journal),
            filter: [
                "kind": "rekey", "undone": ["$exists": false], "undoes": ["$exists": false],
                "state": ["$ne": .string(JournalEntry.State.abandoned.rawValue)],
            ], options: ["projection": ["collection": 1, "oldId": 1, "newId": 1]])
        var moves: [(place: Int, collection: String, from: BSONValue, to: BSONValue)] = []
        try await database.client.forEachBatch(of: cursor) { entries in
            for entry in entries {
                guard let run = JournalKey(entry["_id"])?.run, let place = places[run],
                    let collection = entry["collection"]?.string, let from = entry["oldId"], let to = entry["newId"],
                    contains(from, in: collection)
                else { continue }
                moves.append((place, collection, from, to))
            }
        }
        // The first that left a place after a document was put there is that document; what others put there later isn't.
        var left: Set<[BSONValue]> = []
        for move in moves.sorted(by: { $0.place < $1.place })
        where move.place > inserted[move.collection]?[move.from] ?? -1 {
            guard left.insert([.string(move.collection), move.from]).inserted else { continue }
            ids[move.collection, default: []].insert(move.to)
        }
    }

    /// Whether none of the runs inserted anything into a collection.
    package func isEmpty(_ collection: String) -> Bool {
        ids[collection]?.isEmpty ?? true && ranges[collection]?.isEmpty ?? true
    }

    /// Whether a document of a collection was inserted by one of the runs.
    package func contains(_ id: BSONValue, in collection: String) -> Bool {
        if ids[collection]?.contains(id) == true { return true }
        guard let id = id.objectID, let ranges = ranges[collection] else { return false }
        // The last that begins at it or before it.
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].first <= id { low = middle + 1 } else { high = middle }
        }
        return low > 0 && id <= ranges[low - 1].last
    }

    /// Matches the documents of a collection that were inserted by none of the runs.
    package func others(in collection: String) -> BSONDocument {
        var filter: BSONDocument = ["_id": ["$nin": .array(BSONArray(ids[collection] ?? []))]]
        let ranges = (ranges[collection] ?? []).map { BSONValue.document($0.filter) }
        if !ranges.isEmpty { filter.append("$nor", .array(BSONArray(ranges))) }
        return filter
    }
}
