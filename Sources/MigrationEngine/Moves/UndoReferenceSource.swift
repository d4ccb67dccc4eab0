internal import BSON

/// The references that followed a moved document, taken back: for an undo they are what the journal says.
struct UndoReferenceSource: ReferenceSource {
    let run: Run

    func forEachBatch(
        following moves: [RekeyMove], _ body: ([FollowingChange]) async throws -> Void
    ) async throws {
        for (index, move) in moves.enumerated() {
            guard let key = move.undoes else { continue }
            for (collection, changes) in try await run.children(of: key) {
                let pending = try await stillToMove(changes.map(\.reversed), in: collection)
                for start in stride(from: 0, to: pending.count, by: Run.batchSize) {
                    try await body(
                        pending[start..<min(start + Run.batchSize, pending.count)].map {
                            FollowingChange(move: index, collection: collection, change: $0)
                        })
                }
            }
        }
    }

    /// As the run's own source tells it: a document's old `_id` may have been taken by another one.
    func isSameDocument(_ first: BSONDocument, _ second: BSONDocument) -> Bool {
        run.source.isSameDocument(first, second)
    }

    private func stillToMove(_ changes: [FieldChange], in collection: String) async throws -> [FieldChange] {
        let unapplied = Set(try await run.unapplied(changes, in: collection))
        return changes.filter { unapplied.contains($0.id) }
    }
}
