internal import BSON

/// The references that followed a moved document, undone: for an undo they are what the journal says.
struct UndoReferenceSource: ReferenceSource {
    let run: Run

    func forEachBatch(
        following moves: [RekeyMove], _ body: ([FollowingChange]) async throws -> Void
    ) async throws {
        for start in stride(from: 0, to: moves.count, by: Run.parentsTogether) {
            var indices: [JournalKey: Int] = [:]
            for index in start..<min(start + Run.parentsTogether, moves.count) {
                if let key = moves[index].undoes { indices[key] = index }
            }
            try await run.database.forEachChildren(of: Array(indices.keys)) { children in
                var changes: [String: [FollowingChange]] = [:]
                for group in children {
                    guard let index = indices[group.parent] else { continue }
                    changes[group.collection, default: []] += group.changes.map {
                        FollowingChange(move: index, collection: group.collection, change: $0.reversed)
                    }
                }
                for (collection, changes) in changes.sorted(by: { $0.key < $1.key }) {
                    let pending = try await stillToMove(changes, in: collection)
                    for start in stride(from: 0, to: pending.count, by: Run.batchSize) {
                        try await body(Array(pending[start..<min(start + Run.batchSize, pending.count)]))
                    }
                }
            }
        }
    }

    /// As the run's own source tells it: a document's old `_id` may have been taken by another one.
    func isSameDocument(_ first: BSONDocument, _ second: BSONDocument) -> Bool {
        run.source.isSameDocument(first, second)
    }

    private func stillToMove(_ changes: [FollowingChange], in collection: String) async throws -> [FollowingChange] {
        zip(changes, try await run.areApplied(changes.map(\.change), in: collection)).filter { !$0.1 }.map(\.0)
    }
}
