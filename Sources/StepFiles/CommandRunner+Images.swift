internal import BSON
internal import Checksums
internal import Journal
internal import MongoDriver

/// Images of a whole collection in the journal, for the commands that take it away or make another one of it: written
/// before, and read again range by range, for they may be larger than memory.
extension CommandRunner {
    /// What an entry of the journal is about, without the documents that it holds.
    struct Outline {
        let key: JournalKey
        /// The first document that it is about; nil where it is about something else.
        let first: BSONValue?
        /// Whether it holds documents as they were, and not, or not only, what became of others.
        let hasBefore: Bool
        /// Whether it says what has become of all of them.
        let isClosed: Bool
        /// Whether some are to be looked at again.
        let hasAgain: Bool
    }

    /// The documents of a range of a collection, as they were, in the journal.
    struct Image {
        let entry: JournalEntry
        let changes: [DocumentChange]
        /// Whether it says already what becomes of them.
        var isClosed: Bool { !changes.contains { $0.after == .unknown } }
    }

    /// What stands of a command in the journal, oldest first: entries that were retried later left out.
    func outlines(_ position: CommandPosition) async throws -> [Outline] {
        // Paths into an array skip the elements that have no such field.
        let settled = BSONArray(["after", "absent", "digest", "same"].map { Undo.size("items.\($0)") })
        let projection: BSONDocument = [
            "kind": 1, "first": ["$arrayElemAt": ["$items.id", 0]],
            "hasBefore": ["$gt": [Undo.size("items.before"), 0]],
            "isClosed": ["$eq": [Undo.size("items"), ["$add": .array(settled)]]],
            "hasAgain": ["$gt": [Undo.size("again"), 0]],
        ]
        return try await standing(position, ["retry": ["$ne": true]], projection).compactMap { document in
            JournalKey(document["_id"]).map { key in
                Outline(
                    key: key, first: document["kind"] == "documents" ? document["first"] : BSONValue?.none,
                    hasBefore: document["hasBefore"]?.bool ?? false,
                    isClosed: document["isClosed"]?.bool ?? false, hasAgain: document["hasAgain"]?.bool ?? false)
            }
        }
    }

    /// The `_id`s of documents that entries beside the images speak of, and that are done.
    func closedBesideImages(_ position: CommandPosition) async throws -> Set<BSONValue> {
        let isInsert: BSONValue = ["$eq": ["$kind", "insert"]]
        let found = try await standing(
            position, ["$or": [["kind": "insert"], ["kind": "documents", "retry": true]]],
            ["ids": ["$cond": [isInsert, "$documents._id", "$items.id"]], "again": 1])
        return found.reduce(into: []) { done, document in
            let again = Set(document["again"]?.array?.values ?? [])
            done.formUnion((document["ids"]?.array?.values ?? []).filter { !again.contains($0) })
        }
    }

    private func standing(
        _ position: CommandPosition, _ condition: BSONDocument, _ projection: BSONDocument
    ) async throws -> [BSONDocument] {
        var condition = condition
        condition.append("position", .int64(position.number))
        condition.append("undone", ["$exists": false])
        // What a run that has lost its lease still writes is nobody's.
        if let token = run.gate.token { condition.append("token", .int64(token)) }
        var found: [BSONDocument] = []
        for id in runs {
            found += try await database.aggregateAll(
                StateCollection.journal,
                [
                    ["$match": .document(filter(id, condition))], ["$sort": ["_id": 1]],
                    ["$project": .document(projection)],
                ])
        }
        return found
    }

    /// Reads one image.
    func image(_ outline: Outline) async throws -> Image {
        let found = try await database.findAll(StateCollection.journal, filter: ["_id": outline.key.value])
        guard let entry = try found.first.map(JournalEntry.init(reading:)), case .documents(let changes) = entry.content
        else {
            throw EngineError.refused(
                "An entry of the journal is gone (\(StateCollection.journal)). Was it cleared while the step ran?")
        }
        return Image(entry: entry, changes: changes)
    }

    /// The range of an image: the first one begins, and the last one ends, where the collection does.
    static func bounds(_ index: Int, _ images: [Outline]) -> (lower: BSONValue?, upper: BSONValue?) {
        let lower = index > 0 ? images[index].first : BSONValue?.none
        return (lower, images.dropFirst(index + 1).first?.first)
    }

    /// The documents of a range, in the order of `_id`.
    static func range(_ bounds: (lower: BSONValue?, upper: BSONValue?)) -> BSONDocument {
        var options: BSONDocument = ["sort": ["_id": 1], "hint": ["_id": 1], "batchSize": Run.firstReply]
        if let lower = bounds.lower { options.append("min", ["_id": lower]) }
        if let upper = bounds.upper { options.append("max", ["_id": upper]) }
        return options
    }

    /// Journals every document of a collection as it is, in the order of `_id`.
    func journalDocuments(
        of collection: String, after: DocumentChange.Outcome, _ code: String, _ position: CommandPosition
    ) async throws {
        let cursor = try await database.client.find(
            database.namespace(collection), filter: [:], options: Self.range((lower: nil, upper: nil)))
        try await database.client.forEachBatch(
            of: cursor, maximum: Run.batchSize, maximumBytes: Run.documentsPerEntryBytes
        ) { batch in
            let changes = batch.map { DocumentChange(id: $0["_id"] ?? .null, before: $0, after: after) }
            for part in Run.batches(changes) {
                try checkSize(part, collection)
                try await note(.documents(part), code, collection, position)
            }
            run.progress(ProgressUpdate("journalling \(collection)"))
        }
    }

    /// Writes an entry that nobody has to finish: it speaks of what a command of the server does.
    func note(
        _ content: JournalEntry.Content, _ code: String, _ collection: String, _ position: CommandPosition
    ) async throws {
        var entries = run.makeEntries([(collection, code, content, nil)], state: .done)
        entries[0].position = position.number
        try await run.append(entries)
    }

    /// Writes down what a command made of the documents that were journalled before it, and what it made anew, so that an
    /// undo can tell what has changed since.
    ///
    /// Journal and collection are read side by side in the order of `_id`, range by range.
    ///
    /// - Returns: Whether anything isn't as it was.
    func recordOutcome(in collection: String, _ position: CommandPosition) async throws -> Bool {
        let outlines = try await outlines(position)
        // An attempt that was killed here had noted what the command made anew.
        try await run.abandon(outlines.filter { !$0.hasBefore }.map(\.key))
        let images = outlines.filter(\.hasBefore)
        if images.isEmpty { return try await recordRange(in: collection, nil, (nil, nil), position) }
        var isChanged = false
        for (index, outline) in images.enumerated() {
            let image = try await image(outline)
            if try await recordRange(in: collection, image, Self.bounds(index, images), position) { isChanged = true }
        }
        return isChanged
    }

    private func recordRange(
        in collection: String, _ image: Image?, _ bounds: (lower: BSONValue?, upper: BSONValue?),
        _ position: CommandPosition
    ) async throws -> Bool {
        let known = Set((image?.changes ?? []).map(\.id))
        var digests: [BSONValue: [UInt8]] = [:]
        var isChanged = false
        let code = image?.entry.code ?? "aggregate"
        let cursor = try await database.client.find(
            database.namespace(collection), filter: [:], options: Self.range(bounds))
        try await database.client.forEachBatch(of: cursor, maximum: Run.batchSize) { documents in
            var made: [DocumentChange] = []
            for document in documents {
                let id = document["_id"] ?? .null
                let digest = try SHA256.digest(document.bytes)
                if known.contains(id) {
                    digests[id] = digest
                } else {
                    made.append(DocumentChange(id: id, before: nil, after: .digest(digest)))
                }
            }
            if !made.isEmpty {
                isChanged = true
                try await note(.documents(made), code, collection, position)
            }
        }
        guard let image else { return isChanged }
        for change in image.changes where !isChanged {
            isChanged = try change.before.map { try SHA256.digest($0.bytes) } != digests[change.id]
        }
        let changes = image.changes.map { change in
            DocumentChange(
                id: change.id, before: change.before, after: digests[change.id].map { .digest($0) } ?? .absent)
        }
        try await run.amend(
            image.entry.key, ["$set": ["items": .array(BSONArray(changes.map { .document($0.document) }))]])
        return isChanged
    }
}
