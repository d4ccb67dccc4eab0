internal import BSON

/// The references that followed a moved document, taken back: for an undo they are what the journal says.
struct UndoReferenceSource: ReferenceSource {
    let run: Run

    func forEachBatch(
        following moves: [RekeyMove], _ body: ([FollowingChange]) async throws -> Void
    ) async throws {
        for start in stride(from: 0, to: moves.count, by: Run.parentsTogether) {
            let indices = start..<min(start + Run.parentsTogether, moves.count)
            let children = try await run.children(of: indices.compactMap { moves[$0].undoes })
            var changes: [String: [FollowingChange]] = [:]
            for index in indices {
                guard let key = moves[index].undoes else { continue }
                for child in children[key] ?? [] {
                    changes[child.collection, default: []] += child.changes.map {
                        FollowingChange(move: index, collection: child.collection, change: $0.reversed)
                    }
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

    /// As the run's own source tells it: a document's old `_id` may have been taken by another one.
    func isSameDocument(_ first: BSONDocument, _ second: BSONDocument) -> Bool {
        run.source.isSameDocument(first, second)
    }

    private func stillToMove(_ changes: [FollowingChange], in collection: String) async throws -> [FollowingChange] {
        zip(changes, try await run.areApplied(changes.map(\.change), in: collection)).filter { !$0.1 }.map(\.0)
    }
}
