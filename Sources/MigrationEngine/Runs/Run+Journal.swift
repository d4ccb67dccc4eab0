internal import BSON
internal import MongoDriver

extension Run {
    var journal: Namespace { database.namespace(StateCollection.journal) }

    /// Builds entries with the next numbers, for the step at work.
    func makeEntries(
        _ contents: [(collection: String, code: String, content: JournalEntry.Content, parent: Int64?)],
        state: JournalEntry.State = .planned
    ) -> [JournalEntry] {
        let step = step
        return zip(takeNumbers(contents.count), contents).map { key, item in
            JournalEntry(
                key: key, code: item.code, collection: item.collection, content: item.content, state: state,
                step: step, parent: item.parent)
        }
    }

    /// Writes entries durably. Only then may what they speak of be changed.
    func append(_ entries: [JournalEntry]) async throws {
        guard !entries.isEmpty else { return }
        try await breathe()
        try await begin()
        try await writer.bulkWrite(
            journal, entries.map { .insert($0.openDocument) }, ordered: true)
    }

    /// Moves open entries on to another state; a final one closes them, for good: what another run has finished meanwhile
    /// stays as it left it.
    ///
    /// - Parameter concern: Final states may be acknowledged only: an entry that is still open after a crash is
    ///   looked at again, which changes nothing.
    func setState(
        _ state: JournalEntry.State, of keys: [JournalKey], concern: WriteConcern = .majorityJournaled
    ) async throws {
        guard !keys.isEmpty else { return }
        var update: BSONDocument = ["$set": ["state": .string(state.rawValue)]]
        if state.isFinal { update.append("$unset", ["open": ""]) }
        try await writer.bulkWrite(
            journal,
            [
                .updateMany(
                    filter: ["_id": ["$in": .array(BSONArray(keys.map(\.value)))], "open": true], update: update)
            ], concern: concern)
        if state.isFinal { forget(keys) }
    }

    /// Marks what earlier runs of a step had journalled as taken back by this run, which did it by other means.
    func close(_ runs: [ObjectID], step: Int64) async throws {
        let writes = runs.map { id in
            WriteModel.updateMany(filter: Undo.filter(id, step), update: ["$set": ["undone": .objectID(self.id)]])
        }
        try await writer.bulkWrite(journal, writes)
    }

    /// Gives entries up that speak of nothing that was done.
    func abandon(_ keys: [JournalKey]) async throws {
        guard !keys.isEmpty else { return }
        let state = JournalEntry.State.abandoned.rawValue
        try await writer.bulkWrite(
            journal,
            [
                .updateMany(
                    filter: ["_id": ["$in": .array(BSONArray(keys.map(\.value)))]],
                    update: ["$set": ["state": .string(state)], "$unset": ["open": ""]])
            ])
    }

    /// Changes fields of one entry durably.
    func amend(_ key: JournalKey, _ update: BSONDocument) async throws {
        try await writer.bulkWrite(journal, [.updateOne(filter: ["_id": key.value], update: update)])
    }
}

extension JournalEntry.State {
    /// Whether nothing is left to do about an entry.
    var isFinal: Bool {
        switch self {
        case .done, .abandoned, .conflict: true
        case .planned, .deleting, .deletingFirst, .references: false
        }
    }
}

extension JournalEntry {
    /// The document to insert; entries that aren't final carry the mark that the next run looks for.
    var openDocument: BSONDocument {
        var document = document
        if !state.isFinal { document.append("open", true) }
        return document
    }
}
