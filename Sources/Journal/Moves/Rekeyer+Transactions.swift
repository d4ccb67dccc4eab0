internal import BSON
internal import MongoDriver

extension Rekeyer {
    /// At most this many references move inside a document's own transaction; the rest follow in batches.
    static let referencesPerTransaction = 1000

    /// Moves each document in a transaction of its own, then the references that didn't fit.
    func moveInTransactions(_ items: [Item]) async throws -> [Item] {
        guard !items.isEmpty else { return [] }
        try await run.record.begin(run)
        let known = try await gatherReferences(items)
        var items = items
        var stop: (any Error)?
        for index in items.indices where stop == nil {
            do {
                try run.checkpoint()
            } catch {
                stop = error
                continue
            }
            items[index].outcome = try await moveInTransaction(items[index], known[index] ?? [])
            if items[index].outcome == .moved { items[index].entry.state = .references }
            advanced(1, 0)
        }
        // A document that has moved takes its references along, whatever asks to stop.
        let moved = items.filter { $0.outcome == .moved }
        try await run.gate.uninterrupted {
            try await follow(moved)
            count(moved)
            try await run.setState(.done, of: moved.map(\.entry))
        }
        if let stop { throw stop }
        return items
    }

    /// Finds the first references to each document, in one pass for all of them.
    private func gatherReferences(_ items: [Item]) async throws -> [Int: [FollowingChange]] {
        var known: [Int: [FollowingChange]] = [:]
        // "Writes in transactions are not allowed on capped collections": their references follow afterwards.
        let capped = Set(
            try await run.database.client.listCollections(run.database.name).values.filter(\.isCapped).map(\.name))
        try await source.forEachBatch(following: items.map(\.move)) { changes in
            for change in changes
            where !capped.contains(change.collection)
                && known[change.move, default: []].count < Self.referencesPerTransaction
            {
                known[change.move, default: []].append(change)
            }
        }
        return known
    }

    private func moveInTransaction(_ item: Item, _ references: [FollowingChange]) async throws -> Outcome {
        do {
            return try await attempt(item, references)
        } catch {
            guard Self.isAboutDocuments(error) else { throw error }
            // It may be a reference that changed under our hands, or that the server refuses to change. An undo takes
            // all or nothing; a repair moves the document alone, and lets the next pass look at its references.
            if references.isEmpty || isUndo { return try await outcome(of: error, item) }
        }
        do {
            return try await attempt(item, [])
        } catch {
            guard Self.isAboutDocuments(error) else { throw error }
            return try await outcome(of: error, item)
        }
    }

    /// Whether an error speaks of the documents, and not of the connection or the server.
    private static func isAboutDocuments(_ error: any Error) -> Bool {
        let kind = (error as? MongoError)?.kind
        return error is ReferenceChanged || kind == .duplicateKey || kind == .documentValidation
    }

    private func outcome(of error: any Error, _ item: Item) async throws -> Outcome {
        guard let error = error as? MongoError else { return .changed }
        if error.kind == .documentValidation {
            return .refused("the collection's validator refuses it: \(error.message)")
        }
        let isTaken = try await current(item.move.newID, item) != nil
        return isTaken ? .idTaken : .refused("a unique key stands in its way: \(error.message)")
    }

    private func attempt(_ item: Item, _ references: [FollowingChange]) async throws -> Outcome {
        var entry = item.entry
        entry.state = .references
        let relative = references.map { FollowingChange(move: 0, collection: $0.collection, change: $0.change) }
        let children = run.makeEntries(children(of: [item], relative), state: .done)
        let documents = [run.openDocument(entry)] + children.map(\.document)
        let client = try run.writer
        do {
            try await client.withTransaction { session in
                try await run.confirmLease(session)
                do {
                    try await client.bulkWrite(
                        run.journal, documents.map { .insert($0) }, ordered: true, session: session)
                } catch let error as MongoError where error.kind == .duplicateKey {
                    throw EntryIsOpen()
                }
                guard try await delete(item.move.image, item, session: session) else { throw DocumentChanged() }
                try await client.bulkWrite(
                    namespace(item), [.insert(item.move.copy)], bypassValidation: isUndo, session: session)
                try await update(children, session)
            }
        } catch is DocumentChanged {
            return .changed
        }
        for child in children { run.totals.changed(child.code, child.collection, child.fieldChanges.count) }
        advanced(0, references.count)
        return .moved
    }

    private func update(_ children: [JournalEntry], _ session: ClientSession) async throws {
        for child in children {
            let changes = child.fieldChanges
            let result = try await run.writer.bulkWrite(
                run.database.namespace(child.collection),
                changes.map { .updateOne(filter: $0.filter, update: $0.update) },
                bypassValidation: isUndo, collation: ExactMatch.collation, session: session)
            guard result.matched == changes.count else { throw ReferenceChanged() }
        }
    }

    private struct DocumentChanged: Error {}
    private struct ReferenceChanged: Error {}
}
