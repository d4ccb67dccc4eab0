internal import BSON
internal import Checksums
internal import MongoDriver

extension Undo {
    /// Puts whole documents back that are as the run left them.
    func revertDocuments(_ entry: JournalEntry, _ changes: [DocumentChange]) async throws {
        let missed = Set(entry.missed)
        let wanted = changes.filter { !missed.contains($0.id) }
        let current = try await run.documents(wanted.map(\.id), in: entry.collection)
        var writes: [WriteModel] = []
        var left = 0
        for change in wanted where current[change.id] != change.before {
            guard try Self.isAsLeft(current[change.id], change.after) else {
                left += 1
                continue
            }
            switch (current[change.id], change.before) {
            case (nil, let before?): writes.append(.insert(before))
            case (let now?, let before?):
                writes.append(.replaceOne(filter: ExactMatch.document(now), replacement: before))
            case (let now?, nil): writes.append(.deleteOne(filter: ExactMatch.document(now)))
            case (nil, nil): continue
            }
        }
        // An undo may write what a validator refuses, for it restores what was there.
        let result = try await run.writer.bulkWriteCollectingErrors(
            run.database.namespace(entry.collection), writes, bypassValidation: true,
            collation: ExactMatch.collation)
        let done = result.inserted + result.matched + result.removed
        run.tally.changed(entry.code, entry.collection, done)
        for error in result.writeErrors {
            run.tally.left(
                entry.code, entry.collection, 1, reason: "the server refused to restore it: \(error.message)")
        }
        run.tally.left(
            entry.code, entry.collection, left + writes.count - done - result.writeErrors.count,
            reason: Undo.changedSince)
    }

    private static func isAsLeft(_ current: BSONDocument?, _ outcome: DocumentChange.Outcome) throws -> Bool {
        switch outcome {
        case .document(let after): current == after
        case .absent: current == nil
        case .digest(let digest): try current.map { try SHA256.digest($0.bytes) == digest } ?? false
        // A command was killed before anybody looked at what it had made.
        case .unknown: false
        }
    }

    /// Makes a collection again that was dropped, empty; its documents follow from the entries before.
    func revertDrop(_ entry: JournalEntry, _ options: BSONDocument, _ indexes: [BSONDocument]) async throws {
        let namespace = run.database.namespace(entry.collection)
        if try await run.database.client.listCollections(run.database.name)[entry.collection] == nil {
            try await run.writer.createCollection(namespace, options: options)
            run.tally.changed(entry.code, entry.collection, 1)
        }
        let present = Set(try await run.database.client.listIndexes(namespace).compactMap { $0["name"]?.string })
        let missing = indexes.filter { !present.contains($0["name"]?.string ?? "") }
        if !missing.isEmpty { try await run.writer.createIndexes(namespace, missing) }
    }
}
