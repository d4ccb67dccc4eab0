internal import BSON
internal import MongoDriver

/// Moving documents on a server without transactions, and finishing what a killed run had begun on any.
///
/// The journal's state is written before each act:
/// `planned` → copy inserted, references moved → `deleting` → original deleted → `done`. Each state is a compare-and-set
/// under the run's lease: where another run has taken over, nothing more is done.
///
/// On a standalone server none of this waits for the disk: each act comes after what it builds on in the server's one journal
/// (``WriteConcern/inOrder``), and waiting would keep the `_id` of a document that the application inserts from the next one.
/// Whoever resumes a run goes by what stands of the document. On any other server each act is durable before the next.
///
/// The two rules that keep a document from being lost, whatever the journal says of it: an original is deleted only where
/// its copy was seen, and a copy is taken away only by the run that made it, or where its original was seen.
extension Rekeyer {
    /// The largest two images that fit one write of at most 16 MiB, with room for the rest of it.
    private static let largestCarryOver = 14 << 20

    /// So often in a row may the application change a document while it is moved before the move is given up for now.
    private static let patience = 100

    /// Takes items from wherever they are to the end, new ones from the start.
    func moveByStates(_ items: [Item]) async throws -> [Item] {
        try await run.append(items.filter { !$0.isResumed }.map(\.entry), concern: run.inOrder)
        // Original and copy stand side by side until the batch is through: a request to stop waits for that.
        let finished = try await run.gate.uninterrupted { try await finishByStates(items) }
        if isDurable { try await run.makeDurable() }
        return finished
    }

    private func finishByStates(_ items: [Item]) async throws -> [Item] {
        var items = items
        try await lookAgain(&items)
        try await insertCopies(&items)
        for index in items.indices where items[index].isOpen && items[index].needsCopy {
            try await deleteThenInsert(&items[index])
        }
        try await follow(items)
        if isUndo { try await withdrawStuck(&items) }
        try await recheckOriginals(&items)
        let deleting = items.indices.filter { items[$0].needsDeletion }
        try await advance(deleting, of: &items, to: .deleting)
        try await deleteTogether(deleting, &items)
        for index in deleting where items[index].needsDeletion {
            try run.checkpoint()
            try await deleteOriginal(&items[index])
        }
        try await close(&items)
        return items
    }

    // MARK: Where a killed run's moves stand

    /// Looks where the documents of a killed run stand. What its journal says of them may be of another moment: a restored
    /// dump isn't taken of all collections at once.
    private func lookAgain(_ items: inout [Item]) async throws {
        let resumed = items.indices.filter { items[$0].isResumed }
        guard let first = resumed.first else { return }
        let found = try await run.documents(
            resumed.flatMap { [items[$0].move.oldID, items[$0].move.newID] }, in: items[first].entry.collection)
        for index in resumed {
            let move = items[index].move
            let original = found[move.oldID].flatMap { source.isSameDocument($0, move.image) ? $0 : nil }
            let copy = found[move.newID].flatMap { isCopy($0, items[index]) ? $0 : nil }
            try await place(&items[index], original, copy)
        }
    }

    /// Decides how an item goes on by what stands of it.
    private func place(_ item: inout Item, _ original: BSONDocument?, _ copy: BSONDocument?) async throws {
        switch (original, copy) {
        case (.some, .some(let copy)):
            item.needsCopy = false
            if item.entry.state == .withdrawing { return try await withdraw(&item) }
            try await renew(copy, &item)
        case (nil, .some):
            item.needsCopy = false
            item.isDeleted = true
        case (_, nil) where item.entry.state == .withdrawing:
            try await giveUp(&item)
        case (.some, nil): return
        case (nil, nil):
            item.isDeleted = true
            if item.entry.state != .deletingFirst {
                item.remark =
                    "was gone when a run that had been stopped was resumed, and was put back from the journal; if the "
                    + "application had deleted it, delete it again"
            }
        }
    }

    /// Whether a document that stands under the new `_id` is the moved one: as it was copied, or as it has become since.
    private func isCopy(_ document: BSONDocument, _ item: Item) -> Bool {
        document == item.move.copy || source.isSameDocument(document, item.move.image)
    }

    /// A change that was to be carried over may not have reached the copy before the run was killed.
    private func renew(_ copy: BSONDocument, _ item: inout Item) async throws {
        guard copy != item.move.copy else { return }
        let earlier = item.entry.earlier.map { $0.replacing("_id", with: item.move.newID) }
        guard earlier.contains(copy) else { return }
        try await run.writer.bulkWrite(
            namespace(item), [ExactMatch.replacing(copy, by: item.move.copy)], bypassValidation: isUndo,
            collation: ExactMatch.collation)
    }

    // MARK: The copy

    private func insertCopies(_ items: inout [Item]) async throws {
        let indices = items.indices.filter {
            items[$0].isOpen && items[$0].needsCopy && items[$0].entry.state != .deletingFirst
        }
        guard !indices.isEmpty else { return }
        let result = try await run.writer.bulkWriteCollectingErrors(
            namespace(items[indices[0]]), indices.map { .insert(items[$0].move.copy) },
            concern: run.inOrder, bypassValidation: isUndo)
        for index in indices { items[index].needsCopy = false }
        for error in result.writeErrors { try await handle(error, &items[indices[error.index]]) }
    }

    /// A copy that couldn't be inserted: it is there already, a unique key stands in its way, or it can't be.
    private func handle(_ error: BulkWriteResult.WriteError, _ item: inout Item) async throws {
        if error.code == MongoError.ServerCode.duplicateKey {
            guard let standing = try await current(item.move.newID, item) else {
                try await advance(&item, to: .deletingFirst)
                item.needsCopy = true
                return
            }
            if item.mayStand, isCopy(standing, item) { return }
        }
        if item.isDeleted { return try await keepInJournal(&item, error) }
        if error.code == MongoError.ServerCode.duplicateKey {
            if item.isResumed { try await run.revertChildren(of: item.entry) }
            try await advance(&item, to: .abandoned)
            item.outcome = .idTaken
        } else {
            try await abandon(&item, "the server refuses the copy: \(error.message)")
        }
    }

    /// The way past a unique index on another field: original and copy can't stand side by side. The journal holds
    /// the image in between.
    private func deleteThenInsert(_ item: inout Item) async throws {
        if !item.isDeleted, try await !delete(item.move.image, item) {
            let original = try await current(item.move.oldID, item)
            let stands = original.map { source.isSameDocument($0, item.move.image) } ?? false
            // After a restart, an original that is gone without a copy was deleted by us before we were killed,
            // whatever has taken its place since.
            guard item.isResumed, !stands else {
                item.outcome = .changed
                return try await advance(&item, to: .abandoned)
            }
        }
        item.needsCopy = false
        item.isDeleted = true
        let result = try await run.writer.bulkWriteCollectingErrors(
            namespace(item), [.insert(item.move.copy)], bypassValidation: isUndo)
        guard let error = result.writeErrors.first else { return }
        if let standing = try await current(item.move.newID, item), isCopy(standing, item) { return }
        try await putBack(&item, error)
    }

    /// The copy doesn't fit after all: the original returns to its place. If that is taken too, the entry stays open:
    /// the journal keeps the document, and every later run tries again.
    private func putBack(_ item: inout Item, _ error: BulkWriteResult.WriteError) async throws {
        let result = try await run.writer.bulkWriteCollectingErrors(
            namespace(item), [.insert(item.move.image)], bypassValidation: isUndo)
        guard let second = result.writeErrors.first else {
            return try await abandon(&item, "a unique key stands in its way: \(error.message)")
        }
        try await keepInJournal(&item, second)
    }

    /// A document that has no place: its entry stays open, and another document may have its `_id` meanwhile.
    private func keepInJournal(_ item: inout Item, _ error: BulkWriteResult.WriteError) async throws {
        try await run.amend(open: item.entry, ["$unset": ["holds": ""]])
        item.outcome = .refused(
            "kept in the journal (entry \(item.entry.key.number) of run \(item.entry.key.run.hex)) until its place is "
                + "free: \(error.message)")
    }

    // MARK: The original

    /// Looks at the originals once more before they are deleted.
    private func recheckOriginals(_ items: inout [Item]) async throws {
        let pending = items.indices.filter { items[$0].needsDeletion }
        guard let first = pending.first else { return }
        let found = try await run.documents(
            pending.map { items[$0].move.oldID }, in: items[first].entry.collection)
        for index in pending {
            let original = found[items[index].move.oldID]
            if original == items[index].move.image { continue }
            guard let original, source.isSameDocument(original, items[index].move.image) else {
                try await originalIsGone(&items[index])
                continue
            }
            try await carryOver(original, &items[index])
        }
    }

    /// Deletes the originals that still are as they were copied, by one command: a run that is halted for so long that
    /// another takes over has no more than that on its way when it continues.
    private func deleteTogether(_ indices: [Int], _ items: inout [Item]) async throws {
        guard let first = indices.first else { return }
        try await run.confirmLease()
        let result = try await run.writer.bulkWrite(
            namespace(items[first]), indices.map { .deleteOne(filter: ExactMatch.document(items[$0].move.image)) },
            concern: run.inOrder, collation: ExactMatch.collation)
        guard result.removed < indices.count else {
            for index in indices { items[index].isDeleted = true }
            return
        }
        // The server tells how many it deleted, not which: what is gone may be gone by this command.
        let left = try await run.documents(
            indices.map { items[$0].move.oldID }, in: items[first].entry.collection)
        for index in indices {
            let standing = left[items[index].move.oldID]
            let stands = standing.map { source.isSameDocument($0, items[index].move.image) } ?? false
            if !stands { items[index].isDeleted = true }
        }
    }

    private func deleteOriginal(_ item: inout Item) async throws {
        for _ in 0..<Self.patience where item.needsDeletion {
            if try await delete(item.move.image, item) {
                item.isDeleted = true
                return
            }
            let original = try await current(item.move.oldID, item)
            if let original, source.isSameDocument(original, item.move.image) {
                try await carryOver(original, &item)
            } else {
                try await originalIsGone(&item)
            }
        }
        // It is changed faster than it can be followed: the next look tries again.
        if item.needsDeletion { try await withdraw(&item) }
    }

    /// Somebody else has deleted the original. Of a move that this process has begun that was the application: the copy
    /// goes too. Otherwise nobody knows, and the copy is all there is.
    private func originalIsGone(_ item: inout Item) async throws {
        if item.isResumed {
            item.isDeleted = true
        } else {
            try await withdraw(&item)
        }
    }

    /// An undo undoes a document with all that followed it: where a reference couldn't go back, neither does the
    /// document.
    private func withdrawStuck(_ items: inout [Item]) async throws {
        let pending = items.indices.filter { items[$0].needsDeletion }
        var stuck: Set<Int> = []
        try await source.forEachBatch(following: pending.map { items[$0].move }) { changes in
            stuck.formUnion(changes.map { pending[$0.move] })
        }
        for index in stuck.sorted() { try await withdraw(&items[index]) }
    }

    /// The application changed the original while its copy was made: the copy gets the change, if it is untouched.
    private func carryOver(_ original: BSONDocument, _ item: inout Item) async throws {
        guard original.byteCount + item.move.image.byteCount < Self.largestCarryOver else {
            // Both images together would exceed what the server takes in one write: begin again with the new one.
            return try await withdraw(&item)
        }
        let before = item.move
        try await run.amend(
            open: item.entry,
            ["$set": ["before": .document(original), "earlier": [.document(before.image)]]])
        item.entry.earlier = [before.image]
        item.move.image = original
        let result = try await run.writer.bulkWrite(
            namespace(item),
            [ExactMatch.replacing(before.copy, by: item.move.copy)],
            bypassValidation: isUndo, collation: ExactMatch.collation)
        if result.matched == 1 { return }
        switch try await current(item.move.newID, item) {
        case item.move.copy?: return
        case nil: try await giveUp(&item)
        case .some: try await keepBoth(&item)
        }
    }

    // MARK: Giving up

    /// Takes the copy away again, if it is untouched, and puts back what followed it.
    private func withdraw(_ item: inout Item) async throws {
        if item.entry.state != .withdrawing { try await advance(&item, to: .withdrawing) }
        if try await delete(item.move.copy, item) { return try await giveUp(&item) }
        if try await current(item.move.newID, item) == nil { return try await giveUp(&item) }
        // Somebody has used the copy already.
        let original = try await current(item.move.oldID, item)
        if let original, source.isSameDocument(original, item.move.image) { return try await keepBoth(&item) }
        item.isDeleted = true
    }

    private func giveUp(_ item: inout Item) async throws {
        try await run.revertChildren(of: item.entry)
        item.outcome = .changed
        try await advance(&item, to: .abandoned)
    }

    /// Original and copy were both changed by others.
    private func keepBoth(_ item: inout Item) async throws {
        run.totals.left(
            item.entry.code, item.entry.collection, 1, field: "_id", reason: Self.changedTwice,
            samples: [item.move.oldID, item.move.newID])
        item.outcome = .conflict
        try await advance(&item, to: .conflict)
    }

    static let changedTwice: Sentence = "changed in two places while it was being moved; both documents were kept"

    private func abandon(_ item: inout Item, _ reason: String) async throws {
        if item.isResumed { try await run.revertChildren(of: item.entry) }
        try await advance(&item, to: .abandoned)
        item.outcome = .refused(reason)
    }

    // MARK: States

    private func advance(_ item: inout Item, to state: JournalEntry.State) async throws {
        try await run.setState(state, of: [item.entry])
        item.entry.state = state
    }

    private func advance(
        _ indices: [Int], of items: inout [Item], to state: JournalEntry.State
    ) async throws {
        let behind = indices.filter { items[$0].entry.state != state }
        try await run.setState(state, of: behind.map { items[$0].entry }, concern: run.inOrder)
        for index in behind { items[index].entry.state = state }
    }

    private func close(_ items: inout [Item]) async throws {
        let done = items.indices.filter { items[$0].isOpen && items[$0].isDeleted }
        for index in done { items[index].outcome = .moved }
        count(done.map { items[$0] })
        try await run.setState(.done, of: done.map { items[$0].entry }, concern: run.inOrder)
    }
}

extension Rekeyer.Item {
    /// Whether something is still to be done.
    fileprivate var isOpen: Bool { outcome == nil }

    /// Whether the original still stands beside its copy.
    fileprivate var needsDeletion: Bool { isOpen && !isDeleted }

    /// Whether a copy that is there already can be this move's.
    fileprivate var mayStand: Bool { isResumed || move.isRepeated }
}
