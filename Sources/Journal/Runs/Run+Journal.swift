package import BSON
package import MongoDriver

extension Run {
    package var journal: Namespace { database.namespace(StateCollection.journal) }

    /// The `_id`s that documents of a collection are just getting: their copies may stand beside their originals.
    ///
    /// - Throws: ``EngineError``, `MongoError`.
    package func newIDsOfMoving(in collection: String) async throws -> Set<BSONValue> {
        let found = try await database.findAll(
            StateCollection.journal,
            filter: ["open": true, "kind": "rekey", "collection": .string(collection)],
            options: ["projection": ["newId": 1]])
        return Set(found.compactMap { $0["newId"] })
    }

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

    /// Writes entries. Only then may what they speak of be changed.
    ///
    /// - Parameter concern: How durable they must be: those that aren't on the disk must stand, in the server's own journal,
    ///   before what they speak of.
    /// - Throws: ``EngineError/leaseLost`` when another run has taken over, which may not know of these entries: nothing of
    ///   what they speak of may be changed then. ``EntryIsOpen`` when a document is on its way already.
    package func append(_ entries: [JournalEntry], concern: WriteConcern = .majorityJournaled) async throws {
        guard !entries.isEmpty else { return }
        try await breathe()
        try await record.begin(self)
        do {
            try await writer.bulkWrite(
                journal, entries.map { .insert(openDocument($0)) }, ordered: true, concern: concern)
        } catch let error as MongoError where error.kind == .duplicateKey {
            // A run that goes on for this one writes under its numbers; or a document is on its way already.
            try await confirmLease()
            throw EntryIsOpen()
        }
        // With these all that came before them through this connection is durable.
        if concern == .majorityJournaled { counts.makeSure(database.client) }
        do {
            try await confirmLease()
        } catch EngineError.leaseLost {
            // Nobody has to finish them; where that can't be noted, the next run finds that they had no effect.
            try? await withdraw(entries)
            throw EngineError.leaseLost
        }
    }

    /// Gives entries up that were written after the lease was lost, images among them, which are never open.
    private func withdraw(_ entries: [JournalEntry]) async throws {
        try await database.client.bulkWrite(
            journal, [Self.abandoning(entries.map(\.key), gate.token.map { .int64($0) })])
    }

    /// The document to insert: it carries the token of the lease under which alone the entry is moved on, and where it isn't
    /// final the mark that the next run looks for.
    func openDocument(_ entry: JournalEntry) -> BSONDocument {
        var document = entry.document
        if let token = gate.token { document.append("token", .int64(token)) }
        guard !entry.state.isFinal else { return document }
        document.append("open", true)
        // A sharded collection may hold several documents of one `_id`.
        if case .rekey = entry.content, database.server.topology != .sharded { document.append("holds", true) }
        return document
    }

    /// Takes over what earlier runs have left open. From then on those runs, should they still be alive, can't move their
    /// entries on.
    func claimOpenEntries() async throws {
        // Another application's documents stay as they are, to be named.
        try await raiseTokens([["open": true, "_id.r": ["$type": "objectId"]]])
    }

    /// Puts this run's token in the place of smaller ones, and of none.
    private func raiseTokens(_ filters: [BSONDocument]) async throws {
        guard let token = gate.token else { return }
        let writes = filters.map { filter in
            WriteModel.updateMany(
                filter: filter.replacing("token", with: ["$not": ["$gte": .int64(token)]]),
                update: ["$set": ["token": .int64(token)]])
        }
        try await writer.bulkWrite(journal, writes)
    }

    /// Moves open entries on to another state, each from the one that this run knows and under its lease; a final one closes
    /// them, for good.
    ///
    /// - Parameter concern: Final states needn't be durable where the run learns that the server has lost them
    ///   (``followed``): an entry that is open again is looked at again, which changes nothing.
    /// - Throws: ``EngineError/leaseLost`` when an entry isn't as this run knows it: another one has taken over.
    package func setState(
        _ state: JournalEntry.State, of entries: [JournalEntry], concern: WriteConcern = .majorityJournaled
    ) async throws {
        guard !entries.isEmpty else { return }
        try gate.checkLease()
        try await close(entries, as: state, concern: concern)
        if state.isFinal {
            counts.close(entries.map(\.key), unsure: concern == .inOrder ? database.client : nil)
        }
    }

    /// Counts what was changed by what the journal says of it, after a failure in which the server may have lost some.
    func agreeWithJournal() async throws {
        try await counts.agree { keys in
            // What is read here may be lost, too, until a write that comes after it is durable.
            if database.server.losesOnlyEnd { try await database.client.holdConnection() }
            var areEnded: [JournalKey: Bool] = [:]
            for start in stride(from: 0, to: keys.count, by: Self.lookedUpTogether) {
                let some = keys[start..<min(start + Self.lookedUpTogether, keys.count)]
                let found = try await database.findAll(
                    StateCollection.journal, filter: ["_id": ["$in": .array(BSONArray(some.map(\.value)))]],
                    options: ["projection": ["state": 1]])
                for document in found {
                    let fields = StateFields(StateCollection.journal, document)
                    let state = document["state"]?.string.flatMap(JournalEntry.State.init(rawValue:))
                    areEnded[try fields.require("_id", .key)] = state?.isFinal ?? false
                }
            }
            try await writeNothing()
            return areEnded
        }
    }

    private static let lookedUpTogether = 5_000

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
    ///
    /// - Throws: ``EngineError/leaseLost`` when a later holder of the lease has taken one of them over.
    package func abandon(_ keys: [JournalKey]) async throws {
        guard !keys.isEmpty else { return }
        let result = try await writer.bulkWrite(journal, [Self.abandoning(keys, notTakenOver)])
        if result.matched < keys.count { try await checkTaken(keys) }
    }

    /// Gives open entries up of which the server refused what they speak of.
    ///
    /// - Throws: ``EngineError/leaseLost`` when another run has taken over.
    package func abandon(refused entries: [JournalEntry]) async throws {
        for entry in entries { try await amend(open: entry, ["$set": ["refused": true]]) }
        try await setState(.abandoned, of: entries)
    }

    private static func abandoning(_ keys: [JournalKey], _ token: BSONValue?) -> WriteModel {
        var filter: BSONDocument = ["_id": ["$in": .array(BSONArray(keys.map(\.value)))]]
        if let token { filter.append("token", token) }
        let state = JournalEntry.State.abandoned.rawValue
        return .updateMany(
            filter: filter, update: ["$set": ["state": .string(state)], "$unset": ["open": "", "holds": ""]])
    }

    /// Finds out why entries couldn't be changed. Those that somebody has removed need no change.
    ///
    /// - Throws: ``EngineError/leaseLost`` when a later holder of the lease has taken one over; ``StateError`` when one belongs
    ///   to a lease that nobody has had.
    private func checkTaken(_ keys: [JournalKey]) async throws {
        try await confirmLease()
        guard let token = gate.token else { return }
        let found = try await database.findAll(
            StateCollection.journal,
            filter: ["_id": ["$in": .array(BSONArray(keys.map(\.value)))], "token": ["$gt": .int64(token)]],
            options: ["limit": 1])
        guard let document = found.first else { return }
        throw StateFields(StateCollection.journal, document).fault("token", "that of a run which has had the lease")
    }

    /// Changes fields of one entry durably, whoever has written it.
    ///
    /// - Throws: ``EngineError/leaseLost`` when a later holder of the lease has taken it over.
    package func amend(_ key: JournalKey, _ update: BSONDocument) async throws {
        var filter: BSONDocument = ["_id": key.value]
        if let notTakenOver { filter.append("token", notTakenOver) }
        let result = try await writer.bulkWrite(journal, [.updateOne(filter: filter, update: update)])
        if result.matched == 0 { try await checkTaken([key]) }
    }

    /// The token of what no later holder of the lease has taken over; nil without a lease.
    package var notTakenOver: BSONValue? { gate.token.map { ["$not": ["$gt": .int64($0)]] } }

    /// Takes over entries that earlier runs have written and that this one goes on with. What such a run, should it still be
    /// alive, sends from then on doesn't change them.
    ///
    /// - Throws: ``EntryIsOpen`` when such a run has opened one of them since this one has finished what was open.
    package func claim(_ filters: [BSONDocument]) async throws {
        guard gate.token != nil, !filters.isEmpty else { return }
        try await raiseTokens(filters)
        for filter in filters {
            let open = filter.replacing("state", with: ["$exists": true]).replacing("open", with: true)
            let found = try await database.findAll(
                StateCollection.journal, filter: open, options: ["limit": 1, "projection": ["_id": 1]])
            guard found.isEmpty else {
                // Once it is finished it counts among what was done before.
                if let step = totals.step { steps.reopenTotals(of: step) }
                throw EntryIsOpen()
            }
        }
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

/// An entry that a change is about is still open: finished first, by whoever holds the lease.
package struct EntryIsOpen: Error, CustomStringConvertible {
    /// Whether it is what failed, or what made a step fail.
    static func isCause(of error: any Error) -> Bool {
        switch error {
        case is EntryIsOpen: true
        case EngineError.stepFailed(_, _, _, let underlying): isCause(of: underlying)
        default: false
        }
    }

    package var description: String { "An entry of the journal that this is about was left open by another run." }
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
