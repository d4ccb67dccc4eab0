internal import BSON
internal import Checksums
internal import MongoDriver

extension Undo {
    /// Puts whole documents back that are as the run left them.
    func revertDocuments(_ entry: JournalEntry, _ changes: [DocumentChange]) async throws {
        Self.leaveUnclear(entry, run.totals)
        let wanted = Self.changes(reverting: entry, changes)
        let current = try await run.documents(wanted.map(\.id), in: entry.collection)
        var writes: [(id: BSONValue, write: WriteModel)] = []
        var left: Set<BSONValue> = []
        for change in wanted where current[change.id] != change.before {
            guard try Self.isAsLeft(current[change.id], change.after) else {
                left.insert(change.id)
                continue
            }
            switch (current[change.id], change.before) {
            case (nil, let before?): writes.append((change.id, .insert(before)))
            case (let now?, let before?): writes.append((change.id, ExactMatch.replacing(now, by: before)))
            case (let now?, nil): writes.append((change.id, .deleteOne(filter: ExactMatch.document(now))))
            case (nil, nil): continue
            }
        }
        // An undo may write what a validator refuses, for it restores what was there.
        let result = try await run.writer.bulkWriteCollectingErrors(
            run.database.namespace(entry.collection), writes.map(\.write), bypassValidation: true,
            collation: ExactMatch.collation)
        let done = result.inserted + result.matched + result.removed
        run.totals.changed(entry.code, entry.collection, done)
        for error in result.writeErrors {
            run.totals.left(
                entry.code, entry.collection, 1, reason: "the server refused to restore it: \(error.message)",
                samples: [writes[error.index].id])
        }
        run.totals.left(
            entry.code, entry.collection, left.count + writes.count - done - result.writeErrors.count,
            reason: Undo.changedSince, samples: wanted.map(\.id).filter(left.contains))
        if !left.isEmpty, done == writes.count {
            try await release(entry, wanted.map(\.id).filter { !left.contains($0) })
        }
    }

    /// Names the documents of which the journal doesn't know whether a step's change is in them.
    static func leaveUnclear(_ entry: JournalEntry, _ totals: Totals) {
        let again = Set(entry.again)
        totals.leftUnknown(entry.code, entry.collection, entry.missed.filter { !again.contains($0) })
    }

    /// The changes of whole documents that an undo reverts.
    static func changes(reverting entry: JournalEntry, _ changes: [DocumentChange]) -> [DocumentChange] {
        let missed = Set(entry.missed)
        return changes.filter { !missed.contains($0.id) && $0.after != .same }
    }

    /// What went back is out of an entry's hands while others of it are left: another undo must not touch it, and a step
    /// that is applied again has to look at it again.
    func release(_ entry: JournalEntry, _ ids: [BSONValue]) async throws {
        let each: BSONValue = ["$each": .array(BSONArray(ids))]
        try await run.amend(entry.key, ["$addToSet": ["missed": each, "again": each, "restored": each]])
    }

    static func isAsLeft(_ current: BSONDocument?, _ outcome: DocumentChange.Outcome) throws -> Bool {
        switch outcome {
        case .document(let after): current == after
        case .absent: current == nil
        case .digest(let digest): try current.map { try SHA256.digest($0.bytes) == digest } ?? false
        // A command was killed before anybody looked at what it had made.
        case .unknown, .same: false
        }
    }

    /// Makes a collection again that was dropped, empty; its documents follow from the entries before.
    func revertDrop(_ entry: JournalEntry, _ options: BSONDocument, _ indexes: [BSONDocument]) async throws {
        let namespace = run.database.namespace(entry.collection)
        let isMissing = try await run.database.client.listCollections(run.database.name)[entry.collection] == nil
        if isMissing, indexes.isEmpty {
            try await run.changeCatalog(CatalogCommand.create(entry.collection, options))
            run.totals.changed(entry.code, entry.collection, 1)
        }
        let present = Set(try await run.database.client.listIndexes(namespace).compactMap { $0["name"]?.string })
        for index in indexes where !present.contains(index["name"]?.string ?? "") {
            do {
                try await run.changeCatalog(CatalogCommand.createIndexes(entry.collection, [index]))
            } catch let error as MongoError where error.isRefusal && error.kind != .unauthorized {
                run.totals.left(
                    entry.code, entry.collection, 1,
                    reason: "the index \(index["name"]?.string ?? "?") can't be made again: \(error.message)")
            }
        }
    }
}
