package import BSON
package import MongoDriver

extension Run {
    package var journal: Namespace { database.namespace(StateCollection.journal) }

    /// Builds entries with the next numbers, for the step at work.
    package func makeEntries(
        _ contents: [(collection: String, code: String, content: JournalEntry.Content, parent: Int64?)],
        state: JournalEntry.State = .planned
    ) -> [JournalEntry] {
        let step = totals.step
        return zip(takeNumbers(contents.count), contents).map { key, item in
            JournalEntry(
                key: key, code: item.code, collection: item.collection, content: item.content, state: state,
                step: step, parent: item.parent)
        }
    }

    /// Writes entries durably. Only then may what they speak of be changed.
    ///
    /// - Throws: ``EngineError/leaseLost`` when another run has taken over, which may not know of these entries: nothing of
    ///   what they speak of may be changed then. ``MoveIsOpen`` when a document is on its way already.
    package func append(_ entries: [JournalEntry]) async throws {
        guard !entries.isEmpty else { return }
        try await breathe()
        try await record.begin(self)
        do {
            try await writer.bulkWrite(journal, entries.map { .insert(openDocument($0)) }, ordered: true)
        } catch let error as MongoError where error.kind == .duplicateKey {
            // A run that goes on for this one writes under its numbers; or a document is on its way already.
            try await confirmLease()
            throw MoveIsOpen()
        }
        do {
            try await confirmLease()
        } catch EngineError.leaseLost {
            // Nobody has to finish them; where that can't be noted, the next run finds that they had no effect.
            try? await close(entries, as: .abandoned)
            throw EngineError.leaseLost
        }
    }

    /// The document to insert: entries that aren't final carry the mark that the next run looks for, and the token of the
    /// lease under which alone they are moved on.
    func openDocument(_ entry: JournalEntry) -> BSONDocument {
        var document = entry.document
        guard !entry.state.isFinal else { return document }
        document.append("open", true)
        if let token = gate.token { document.append("token", .int64(token)) }
        // A sharded collection may hold several documents of one `_id`.
        if case .rekey = entry.content, database.server.topology != .sharded { document.append("holds", true) }
        return document
    }

    /// Takes over what earlier runs have left open. From then on those runs, should they still be alive, can't move their
    /// entries on.
    func claimOpenEntries() async throws {
        guard let token = gate.token else { return }
        // Another application's documents stay as they are, to be named.
        let older: BSONDocument = [
            "open": true, "token": ["$not": ["$gte": .int64(token)]], "_id.r": ["$type": "objectId"],
        ]
        try await writer.bulkWrite(journal, [.updateMany(filter: older, update: ["$set": ["token": .int64(token)]])])
    }

    /// Moves open entries on to another state, each from the one that this run knows and under its lease; a final one closes
    /// them, for good.
    ///
    /// - Parameter concern: Final states may be acknowledged only: an entry that is still open after a crash is
    ///   looked at again, which changes nothing.
    /// - Throws: ``EngineError/leaseLost`` when an entry isn't as this run knows it: another one has taken over.
    package func setState(
        _ state: JournalEntry.State, of entries: [JournalEntry], concern: WriteConcern = .majorityJournaled
    ) async throws {
        guard !entries.isEmpty else { return }
        try gate.checkLease()
        try await close(entries, as: state, concern: concern)
        if state.isFinal { counts.close(entries.map(\.key)) }
    }

    private func close(
        _ entries: [JournalEntry], as state: JournalEntry.State, concern: WriteConcern = .majorityJournaled
    ) async throws {
        var update: BSONDocument = ["$set": ["state": .string(state.rawValue)]]
        if state.isFinal { update.append("$unset", ["open": "", "holds": ""]) }
        let groups = Dictionary(grouping: entries, by: \.state).sorted { $0.key.rawValue < $1.key.rawValue }
        let writes = groups.map { known, group in
            var filter: BSONDocument = [
                "_id": ["$in": .array(BSONArray(group.map(\.key.value)))], "open": true,
                "state": .string(known.rawValue),
            ]
            if let token = gate.token { filter.append("token", .int64(token)) }
            return WriteModel.updateMany(filter: filter, update: update)
        }
        let result = try await database.client.bulkWrite(journal, writes, concern: concern)
        guard result.matched == entries.count else { throw EngineError.leaseLost }
    }

    /// Marks what earlier runs of a step had journalled as undone by this run, which did it by other means.
    package func close(_ runs: [ObjectID], step: Int64) async throws {
        let writes = runs.map { id in
            WriteModel.updateMany(filter: Undo.filter(id, step), update: ["$set": ["undone": .objectID(self.id)]])
        }
        try await writer.bulkWrite(journal, writes)
    }

    /// Gives entries up that speak of nothing that was done.
    package func abandon(_ keys: [JournalKey]) async throws {
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

    /// Changes fields of one entry durably, whoever has written it.
    package func amend(_ key: JournalKey, _ update: BSONDocument) async throws {
        try await writer.bulkWrite(journal, [.updateOne(filter: ["_id": key.value], update: update)])
    }

    /// Changes fields of an open entry durably, for as long as it is this run's and as it knows it.
    ///
    /// - Throws: ``EngineError/leaseLost`` when another run has taken over.
    func amend(open entry: JournalEntry, _ update: BSONDocument) async throws {
        var filter: BSONDocument = ["_id": entry.key.value, "open": true, "state": .string(entry.state.rawValue)]
        if let token = gate.token { filter.append("token", .int64(token)) }
        let result = try await writer.bulkWrite(journal, [.updateOne(filter: filter, update: update)])
        guard result.matched == 1 else { throw EngineError.leaseLost }
    }
}

/// A document is on its way by an entry that is still open: finished first, by whoever holds the lease.
struct MoveIsOpen: Error, CustomStringConvertible {
    /// Whether it is what failed, or what made a step fail.
    static func isCause(of error: any Error) -> Bool {
        switch error {
        case is MoveIsOpen: true
        case EngineError.stepFailed(_, _, _, let underlying): isCause(of: underlying)
        default: false
        }
    }

    var description: String { "A document is on its way by an entry of the journal that another run has left open." }
}

extension JournalEntry.State {
    /// Whether nothing is left to do about an entry.
    var isFinal: Bool {
        switch self {
        case .done, .abandoned, .conflict: true
        case .planned, .deleting, .deletingFirst, .references, .withdrawing: false
        }
    }
}
