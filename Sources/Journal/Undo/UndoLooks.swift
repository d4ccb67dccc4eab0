internal import BSON
internal import MongoDriver

/// Looks which moved documents can get their old `_id`s back, each with the references that followed it.
struct UndoLooks {
    /// What was found of one document.
    struct Look {
        let entry: JournalEntry
        let move: RekeyMove
        var verdict: Verdict
        /// What followed it.
        let followed: Followed
        /// How many documents refer to the `_id` that it had before.
        let references: Int
    }

    /// What can become of a document.
    enum Verdict: Equatable {
        /// It can go back.
        case ready
        /// It is back already.
        case alreadyUndone
        /// It stays, for a reason.
        case blocked(Sentence)
    }

    /// What followed a document.
    struct Followed {
        var count = 0
        /// Whether all of it is as it was when it had followed.
        var isUnchanged = true
        /// The documents that refer, where they have to be told from others.
        var ids: [Referrer: Set<BSONValue>] = [:]
    }

    /// What stands under the `_id` that a document had got, and under the one that it had before.
    private struct Standing {
        var copy: BSONDocument?
        var original: BSONDocument?
    }

    let database: Database
    let source: any ReferenceSource
    let data: PreviewedData

    /// Looks at documents of one collection.
    ///
    /// - Parameters:
    ///   - entries: The entries that they moved by.
    ///   - present: The database's collections.
    func look(_ entries: [JournalEntry], _ present: [String: CollectionDescription]) async throws -> [Look] {
        let moves = entries.compactMap { entry in
            if case .rekey(let move) = entry.content { (entry, move) } else { nil }
        }
        let references = try await data.countReferences(
            to: moves.flatMap { [$0.1.newID, $0.1.oldID] }, from: Set(moves.flatMap(\.1.referrers)), in: present)
        var looks: [Look] = []
        for start in stride(from: 0, to: moves.count, by: Run.parentsTogether) {
            let part = Array(moves[start..<min(start + Run.parentsTogether, moves.count)])
            let followed = try await followed(part)
            let ids = part.flatMap { [$0.1.newID, $0.1.oldID] }
            let found = try await data.documents(ids, in: entries[0].collection)
            for (entry, move) in part {
                let followed = followed[entry.key] ?? Followed()
                let standing = Standing(copy: found[move.newID], original: found[move.oldID])
                let verdict = verdict(move, standing, followed, references[move.newID] ?? 0)
                looks.append(
                    Look(
                        entry: entry, move: move, verdict: verdict, followed: followed,
                        references: references[move.oldID] ?? 0))
            }
        }
        return looks
    }

    /// Looks what followed some documents, a part of it at a time.
    private func followed(_ moves: [(JournalEntry, RekeyMove)]) async throws -> [JournalKey: Followed] {
        let hadReferences = Set(moves.filter { $0.1.earlierReferences > 0 }.map(\.0.key))
        var followed: [JournalKey: Followed] = [:]
        try await database.forEachChildren(of: moves.map(\.0.key)) { children in
            for (collection, groups) in Dictionary(grouping: children, by: \.collection) {
                let changes = groups.flatMap { group in group.changes.map { (group.parent, $0) } }
                let current = try await data.fields(of: changes.map(\.1), in: collection)
                for (parent, change) in changes {
                    let (now, reversed) = (current[change.id], change.reversed)
                    let isAfter = now.map(change.isAfter) ?? false
                    followed[parent, default: Followed()].count += isAfter ? 1 : 0
                    // What mended the same reference at the same moment may have been undone already: then it is back.
                    let isBack = now.map(reversed.isAfter) ?? false
                    if !isAfter, !isBack { followed[parent]?.isUnchanged = false }
                    guard hadReferences.contains(parent) else { continue }
                    for name in change.names {
                        let referrer = Referrer(collection: collection, field: name)
                        followed[parent]?.ids[referrer, default: []].insert(change.id)
                    }
                }
            }
        }
        return followed
    }

    private func verdict(
        _ move: RekeyMove, _ standing: Standing, _ followed: Followed, _ references: Int
    ) -> Verdict {
        guard let copy = standing.copy else {
            // Changes that the application made meanwhile were carried over.
            let isBack = standing.original.map { source.isSameDocument($0, move.image) } ?? false
            return isBack ? .alreadyUndone : .blocked("gone since; left as it is")
        }
        guard copy == move.copy else { return .blocked(Undo.changedSince) }
        guard standing.original == nil else { return .blocked(Self.isTaken) }
        guard followed.isUnchanged else {
            return .blocked("a reference that followed it has changed since; left as it is")
        }
        return Self.objection(staying: references - followed.count, move).map { .blocked($0) } ?? .ready
    }

    static let isTaken: Sentence = "another document has taken its old _id; left as it is"

    /// Why a document can't go back beside so many references to it that hadn't followed it.
    static func objection(staying count: Int, _ move: RekeyMove) -> Sentence? {
        guard count <= move.earlierReferences else { return "documents have come to refer to it since; left as it is" }
        // Late references have to be told from them, by a list that fits a journal entry.
        guard count <= mostStaying else {
            return "more than \(mostStaying) documents referred to it before it had its _id; left as it is"
        }
        return nil
    }

    /// With the `_id`s of so many an entry of the journal stays far below 16 MiB.
    static let mostStaying = 50_000
}
