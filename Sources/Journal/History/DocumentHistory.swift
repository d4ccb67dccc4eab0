package import BSON
internal import MongoDriver

/// Everything that the journal knows of a document, by any `_id` that it had.
package struct DocumentHistory {
    /// The `_id`s that the documents had, in the order in which they are met.
    package private(set) var ids: [BSONValue] = []
    /// What was done to them, oldest first.
    package private(set) var events: [DocumentEvent] = []

    private let database: Database
    private let collection: String
    private let runs: [ObjectID: (rank: Int, heading: RunHeading)]
    /// What was read, by `_id`.
    private var known: [BSONValue: [DocumentEvent]] = [:]

    /// Reads the history of the documents that have, or had, one of some `_id`s.
    ///
    /// Several documents may have had an `_id` one after another, as `""`: each is followed for itself.
    ///
    /// - Parameters:
    ///   - database: The database.
    ///   - collection: Their collection.
    ///   - asked: The `_id`s.
    /// - Throws: ``StateError``, `MongoError`.
    package init(_ database: Database, _ collection: String, _ asked: [BSONValue]) async throws {
        self.database = database
        self.collection = collection
        let headings = try await RunHeading.list(database)
        runs = Dictionary(headings.enumerated().map { ($1.id, ($0, $1)) }, uniquingKeysWith: { first, _ in first })
        var found: [DocumentEvent.Name: DocumentEvent] = [:]
        for id in asked {
            for stay in Self.stays(of: id, try await events(of: id)) { try await follow(stay, &found) }
        }
        events = found.values.sorted(by: isBefore)
        for event in events {
            for id in [event.id, event.newID] where !ids.contains(id) { ids.append(id) }
        }
    }

    /// The time that one document had one `_id`: what was done to it meanwhile.
    private struct Stay {
        let id: BSONValue
        var events: [DocumentEvent]

        /// The move that brought the document here.
        var arrival: DocumentEvent? { events.first.flatMap { $0.kind == .moved && $0.newID == id ? $0 : nil } }
        /// The move that took it away.
        var departure: DocumentEvent? { events.last.flatMap { $0.kind == .moved && $0.id == id ? $0 : nil } }
    }

    /// Parts what was done under an `_id` by document: a new one comes when the one before has gone.
    private static func stays(of id: BSONValue, _ events: [DocumentEvent]) -> [Stay] {
        var stays: [Stay] = []
        var isOver = true
        for event in events {
            if isOver || (event.kind == .moved && event.newID == id) { stays.append(Stay(id: id, events: [])) }
            stays[stays.count - 1].events.append(event)
            isOver = event.isDeparture && event.id == id
        }
        return stays
    }

    /// Follows a document to the `_id`s that it had before and after.
    private mutating func follow(_ first: Stay, _ found: inout [DocumentEvent.Name: DocumentEvent]) async throws {
        for event in first.events { found[event.name] = event }
        var earliest = first
        while let arrival = earliest.arrival, let stay = try await stay(at: arrival.id, with: arrival.key) {
            for event in stay.events { found[event.name] = event }
            earliest = stay
        }
        var latest = first
        while let departure = latest.departure, let stay = try await stay(at: departure.newID, with: departure.key) {
            for event in stay.events { found[event.name] = event }
            latest = stay
        }
    }

    private mutating func stay(at id: BSONValue, with key: JournalKey) async throws -> Stay? {
        Self.stays(of: id, try await events(of: id)).first { $0.events.contains { $0.key == key } }
    }

    private func isBefore(_ first: DocumentEvent, _ second: DocumentEvent) -> Bool {
        let ranks = [first, second].map { runs[$0.key.run]?.rank ?? -1 }
        return (ranks[0], first.key.run, first.key.number) < (ranks[1], second.key.run, second.key.number)
    }

    private mutating func events(of id: BSONValue) async throws -> [DocumentEvent] {
        if let events = known[id] { return events }
        var found: [DocumentEvent] = []
        let cursor = try await database.client.find(
            database.namespace(StateCollection.journal), filter: Self.entries(about: id, in: collection),
            options: ["batchSize": Run.firstReply])
        try await database.client.forEachBatch(of: cursor, maximum: Run.batchSize, maximumBytes: Undo.mostBytes) {
            for document in $0 {
                found += try DocumentEvent.events(document, of: id) { runs[$0]?.heading }
            }
        }
        found.sort(by: isBefore)
        known[id] = found
        return found
    }

    /// Matches the entries that are about a document, by its `_id` before or after. Null is named by its type: it would match
    /// what isn't there.
    private static func entries(about id: BSONValue, in collection: String) -> BSONDocument {
        var range: BSONValue = ["kind": "range", "first": ["$lte": id], "last": ["$gte": id]]
        if id.objectID == nil { range = ["_id": ["$in": []]] }
        let value: BSONValue = id.isNull ? ["$type": "null"] : ["$eq": id]
        return [
            "collection": .string(collection),
            "state": ["$ne": .string(JournalEntry.State.abandoned.rawValue)],
            "$or": [
                ["items": ["$elemMatch": ["id": value]]], ["documents": ["$elemMatch": ["_id": value]]],
                ["oldId": value], ["newId": value], range,
            ],
        ]
    }
}
