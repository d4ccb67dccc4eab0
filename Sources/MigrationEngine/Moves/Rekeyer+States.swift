internal import BSON
internal import MongoDriver

/// Moving documents on a server without transactions.
///
/// The journal's state is written durably before each act:
/// `planned` → copy inserted, references moved → `deleting` → original deleted → `done`.
extension Rekeyer {
    /// The largest two images that fit one write of at most 16 MiB, with room for the rest of it.
    private static let largestCarryOver = 14 << 20

    /// Takes items from wherever their journal entries say they are to the end.
    ///
    /// - Parameter isNew: Whether the entries have still to be written.
    func moveByStates(_ items: [Item], isNew: Bool) async throws -> [Item] {
        if isNew { try await run.append(items.map(\.entry)) }
        // Original and copy stand side by side until the batch is through: a request to stop waits for that.
        return try await run.uninterrupted { try await finishByStates(items, isNew: isNew) }
    }

    private func finishByStates(_ items: [Item], isNew: Bool) async throws -> [Item] {
        var items = items
        try await insertCopies(&items, isNew: isNew)
        for index in items.indices where items[index].outcome == nil && items[index].entry.state == .deletingFirst {
            try await deleteThenInsert(&items[index], isNew: isNew)
        }
        try await follow(items)
        if isUndo { try await withdrawStuck(&items) }
        for index in items.indices where items[index].needsDeletion {
            try await recheckOriginal(&items[index])
        }
        let deleting = items.indices.filter { items[$0].needsDeletion }
        try await run.setState(.deleting, of: deleting.map { items[$0].entry.key })
        for index in deleting {
            try run.checkpoint()
            try await deleteOriginal(&items[index], isNew: isNew)
        }
        try await close(&items)
        return items
    }

    private func insertCopies(_ items: inout [Item], isNew: Bool) async throws {
        let indices = items.indices.filter { items[$0].entry.state == .planned }
        guard !indices.isEmpty else { return }
        let result = try await run.writer.bulkWriteCollectingErrors(
            namespace(items[indices[0]]), indices.map { .insert(items[$0].move.copy) },
            bypassValidation: isUndo)
        for error in result.writeErrors {
            try await handle(error, &items[indices[error.index]], isNew: isNew)
        }
    }

    /// A copy that couldn't be inserted: it is there already, a unique key stands in its way, or it can't be.
    private func handle(
        _ error: BulkWriteResult.WriteError, _ item: inout Item, isNew: Bool
    ) async throws {
        guard error.code == MongoError.ServerCode.duplicateKey else {
            return try await abandon(&item, "the server refuses the copy: \(error.message)")
        }
        if let standing = try await current(item.move.newID, item) {
            // After a restart the copy may be our own, as it was inserted or as the application has changed it since.
            let isOurs = standing == item.move.copy || source.isSameDocument(standing, item.move.image)
            if isNew || !isOurs {
                try await run.setState(.abandoned, of: [item.entry.key])
                item.outcome = .idTaken
            }
            return
        }
        try await run.setState(.deletingFirst, of: [item.entry.key])
        item.entry.state = .deletingFirst
    }

    /// The way past a unique index on another field: original and copy can't stand side by side. The journal holds
    /// the image in between.
    private func deleteThenInsert(_ item: inout Item, isNew: Bool) async throws {
        if try await current(item.move.newID, item) == nil {
            let isDeleted = try await delete(item.move.image, item)
            let original = isDeleted ? nil : try await current(item.move.oldID, item)
            let stands = original.map { source.isSameDocument($0, item.move.image) } ?? false
            // After a restart, an original that is gone without a copy was deleted by us before we were killed,
            // whatever has taken its place since.
            guard isDeleted || (!isNew && !stands) else {
                item.outcome = .changed
                return try await run.setState(.abandoned, of: [item.entry.key])
            }
            let result = try await run.writer.bulkWriteCollectingErrors(
                namespace(item), [.insert(item.move.copy)], bypassValidation: isUndo)
            if let error = result.writeErrors.first { return try await putBack(&item, error) }
        }
        item.isDeleted = true
    }

    /// The copy doesn't fit after all: the original returns to its place. If that is taken too, the entry stays open:
    /// the journal keeps the document, and every later run tries again.
    private func putBack(_ item: inout Item, _ error: BulkWriteResult.WriteError) async throws {
        let result = try await run.writer.bulkWriteCollectingErrors(
            namespace(item), [.insert(item.move.image)], bypassValidation: isUndo)
        guard let second = result.writeErrors.first else {
            return try await abandon(&item, "a unique key stands in its way: \(error.message)")
        }
        item.outcome = .refused(
            "kept in the journal (entry \(item.entry.key.number) of run \(item.entry.key.run.hex)) until its place is "
                + "free: \(second.message)")
    }

    /// Looks at the original once more before it is deleted.
    private func recheckOriginal(_ item: inout Item) async throws {
        guard item.entry.state == .planned else { return }
        guard let original = try await current(item.move.oldID, item) else {
            return try await withdrawCopy(&item)
        }
        if original == item.move.image { return }
        guard source.isSameDocument(original, item.move.image) else { return try await withdrawCopy(&item) }
        try await carryOver(original, &item)
    }

    private func deleteOriginal(_ item: inout Item, isNew: Bool) async throws {
        let isResumedDeletion = !isNew && item.entry.state == .deleting
        while item.outcome == nil {
            if try await delete(item.move.image, item) {
                item.isDeleted = true
                return
            }
            let original = try await current(item.move.oldID, item)
            if let original, source.isSameDocument(original, item.move.image) {
                try await carryOver(original, &item)
            } else if isResumedDeletion {
                // In the state `deleting` a missing original is our own deletion, made before we were killed.
                item.isDeleted = true
                return
            } else {
                try await withdrawCopy(&item)
            }
        }
    }

    /// An undo takes a document back with all that followed it: where a reference couldn't go back, neither does the
    /// document.
    private func withdrawStuck(_ items: inout [Item]) async throws {
        let pending = items.indices.filter { items[$0].needsDeletion }
        var stuck: Set<Int> = []
        try await source.forEachBatch(following: pending.map { items[$0].move }) { changes in
            stuck.formUnion(changes.map { pending[$0.move] })
        }
        for index in stuck.sorted() { try await withdrawCopy(&items[index]) }
    }

    /// The application changed the original while its copy was made: the copy gets the change, if it is untouched.
    private func carryOver(_ original: BSONDocument, _ item: inout Item) async throws {
        guard original.byteCount + item.move.image.byteCount < Self.largestCarryOver else {
            // Both images together would exceed what the server takes in one write: begin again with the new one.
            return try await withdrawCopy(&item)
        }
        var changed = item.move
        changed.image = original
        try await run.amend(
            item.entry.key,
            ["$set": ["before": .document(original)], "$push": ["earlier": .document(item.move.image)]])
        let result = try await run.writer.bulkWrite(
            namespace(item),
            [ExactMatch.replacing(item.move.copy, by: changed.copy)],
            bypassValidation: isUndo, collation: ExactMatch.collation)
        item.move = changed
        if result.matched == 1 { return }
        if try await current(changed.newID, item) == changed.copy { return }
        run.tally.left(
            item.entry.code, item.entry.collection, 1,
            reason: "changed in two places while it was being moved; both documents were kept")
        item.outcome = .conflict
        try await run.setState(.conflict, of: [item.entry.key])
    }

    /// The application deleted the original before we did: its copy, if untouched, goes too, and what followed it
    /// goes back.
    private func withdrawCopy(_ item: inout Item) async throws {
        guard try await delete(item.move.copy, item) else {
            // Somebody has used the copy already: it is the document now.
            item.isDeleted = true
            return
        }
        try await run.revertChildren(of: item.entry)
        item.outcome = .changed
        try await run.setState(.abandoned, of: [item.entry.key])
    }

    private func abandon(_ item: inout Item, _ reason: String) async throws {
        try await run.setState(.abandoned, of: [item.entry.key])
        item.outcome = .refused(reason)
    }

    private func close(_ items: inout [Item]) async throws {
        let done = items.indices.filter { items[$0].outcome == nil && items[$0].isDeleted }
        for index in done { items[index].outcome = .moved }
        count(done.map { items[$0] })
        try await run.setState(.done, of: done.map { items[$0].entry.key })
    }
}

extension Rekeyer.Item {
    /// Whether the original still stands beside its copy.
    fileprivate var needsDeletion: Bool { outcome == nil && !isDeleted && entry.state != .references }
}
