internal import BSON
internal import MongoDriver

/// Gives documents another `_id`: a copy under the new one, the references moved, the original deleted.
///
/// Where the server has transactions each document moves in one; elsewhere the journal's states make every step
/// repeatable, so that a run that is killed anywhere can be finished.
package struct Rekeyer: Sendable {
    /// What became of a move.
    package enum Outcome: Sendable, Equatable {
        /// The document stands under its new `_id`.
        case moved
        /// The document changed or went away meanwhile; nothing was done.
        case changed
        /// Its new `_id` was taken meanwhile; nothing was done, and another one can be tried.
        case idTaken
        /// It can't be moved, for a reason in words; nothing was done.
        case refused(String)
        /// Original and copy were both changed by others; both stand.
        case conflict
    }

    let run: Run
    let source: any ReferenceSource
    /// An undo restores what was there: it may write what a validator refuses, and a document's references go back with
    /// it or it stays.
    let isUndo: Bool
    /// Whether what has moved is on the disk before more is moved; else whoever moves sees to that in the end
    /// (``Run/makeDurable()``).
    let isDurable: Bool
    /// Told how many more documents came to their end, moved or not, and how many more references followed them.
    let advanced: @Sendable (_ documents: Int, _ references: Int) -> Void
    private let pace = MovePace()

    /// Makes a rekeyer for a run.
    ///
    /// - Parameters:
    ///   - run: The run.
    ///   - source: Knows which references follow.
    ///   - isDurable: Whether what has moved is on the disk before more is moved; else whoever moves sees to that in the end
    ///     (``Run/makeDurable()``).
    ///   - advanced: Told how many more documents came to their end, moved or not, and how many more references followed
    ///     them.
    package init(
        run: Run, source: any ReferenceSource, isDurable: Bool = true,
        advanced: @escaping @Sendable (_ documents: Int, _ references: Int) -> Void = { _, _ in }
    ) {
        self.init(run: run, source: source, isUndo: false, isDurable: isDurable, advanced: advanced)
    }

    init(
        run: Run, source: any ReferenceSource, isUndo: Bool, isDurable: Bool = true,
        advanced: @escaping @Sendable (_ documents: Int, _ references: Int) -> Void = { _, _ in }
    ) {
        self.run = run
        self.source = source
        self.isUndo = isUndo
        self.isDurable = isDurable
        self.advanced = advanced
    }

    /// Moves documents of one collection.
    ///
    /// - Parameters:
    ///   - moves: The documents; their images together must fit memory (a few hundred at a time).
    ///   - collection: Their collection.
    ///   - code: The finding of each that is mended, for the counts.
    /// - Returns: What became of each, in the order given.
    /// - Throws: ``EngineError`` at a batch boundary, ``MongoError``.
    package func move(
        _ moves: [(move: RekeyMove, code: String)], in collection: String
    ) async throws -> [Outcome] {
        guard !moves.isEmpty else { return [] }
        let entries = run.makeEntries(moves.map { (collection, $0.code, .rekey($0.move), nil) })
        let items = zip(entries, moves).map { Item(entry: $0, move: $1.move) }
        guard run.database.server.hasTransactions else {
            return try await moveInParts(items).map { $0.outcome ?? .changed }
        }
        // Where the copy stands already, a transaction that inserts it fails.
        let repeated = items.indices.filter { items[$0].move.isRepeated }
        var finished = items
        for (index, item) in zip(repeated, try await moveByStates(repeated.map { items[$0] })) {
            finished[index] = item
        }
        advanced(repeated.count, 0)
        let others = items.indices.filter { !items[$0].move.isRepeated }
        for (index, item) in zip(others, try await moveInTransactions(others.map { items[$0] })) {
            finished[index] = item
        }
        return finished.map { $0.outcome ?? .changed }
    }

    /// Moves documents by states, a part after another: of each part original and copy stand side by side until it is
    /// through, and a request to stop has to wait for that.
    private func moveInParts(_ items: [Item]) async throws -> [Item] {
        var finished: [Item] = []
        while finished.count < items.count {
            let part = Array(items[finished.count..<min(finished.count + pace.size, items.count)])
            let start = ContinuousClock.now
            finished += try await moveByStates(part)
            pace.took(ContinuousClock.now - start, documents: part.count)
            advanced(part.count, 0)
            try run.checkpoint()
        }
        return finished
    }

    /// Counts documents that have moved.
    func count(_ items: [Item]) {
        for item in items where item.outcome == .moved {
            run.counts.count(item.entry, 1)
        }
    }

    /// One document on its way.
    struct Item: Sendable {
        var entry: JournalEntry
        var move: RekeyMove
        /// Set once nothing is left to do.
        var outcome: Outcome?
        /// Whether the original is gone: deleted by this process, or by a killed one.
        var isDeleted = false
        /// Whether the copy has still to be inserted.
        var needsCopy = true
        /// Whether an earlier attempt, which may have come anywhere, wrote the entry.
        var isResumed = false
        /// What people should know of how it was finished.
        var remark: String?
    }

    func namespace(_ item: Item) -> Namespace { run.database.namespace(item.entry.collection) }

    /// Moves the references that follow these items, batch by batch, each journalled under its document's entry.
    func follow(_ items: [Item]) async throws {
        let live = items.filter { $0.outcome == nil || $0.outcome == .moved }
        guard !live.isEmpty else { return }
        try await source.forEachBatch(following: live.map(\.move)) { changes in
            let entries = run.makeEntries(children(of: live, changes))
            try await run.append(entries, concern: run.inOrder)
            try await run.execute(entries, bypassesValidation: isUndo, concern: run.inOrder)
            advanced(0, changes.count)
        }
    }

    /// Groups changes of references by document and collection: one journal entry each.
    func children(
        of items: [Item], _ changes: [FollowingChange]
    ) -> [(collection: String, code: String, content: JournalEntry.Content, parent: Int64?)] {
        let groups = Dictionary(grouping: changes) { Child(move: $0.move, collection: $0.collection) }
        return groups.sorted { ($0.key.move, $0.key.collection) < ($1.key.move, $1.key.collection) }.map {
            group, changes in
            (
                group.collection, "references", .fields(changes.map(\.change)), items[group.move].entry.key.number
            )
        }
    }

    private struct Child: Hashable {
        let move: Int
        let collection: String
    }

    /// Reads a document as it is now.
    func current(_ id: BSONValue, _ item: Item) async throws -> BSONDocument? {
        try await run.database.findAll(
            item.entry.collection, filter: ["_id": ["$eq": id]], options: ["limit": 1]
        ).first
    }

    /// Deletes a document if it still is exactly as given; says whether it was.
    func delete(_ image: BSONDocument, _ item: Item, session: ClientSession? = nil) async throws -> Bool {
        if session == nil { try await run.confirmLease() }
        let removed = try await run.writer.findAndModify(
            namespace(item), query: ExactMatch.document(image),
            ["remove": true, "collation": .document(ExactMatch.collation), "fields": ["_id": 1]],
            concern: run.inOrder, session: session)
        return removed != nil
    }
}
