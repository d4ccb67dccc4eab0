package import BSON
package import Journal
internal import MongoDriver

/// What seeding has made in a database, by its journal.
package struct SeededDocuments: Sendable {
    private let insertions: Insertions
    private let database: Database

    /// Reads it.
    ///
    /// - Throws: `StateError`, `MongoError`.
    package init(_ database: Database) async throws {
        self.database = database
        insertions = try await Insertions(by: "seed", database)
    }

    /// The runs that made it, newest first.
    package var runs: [ObjectID] { insertions.runs }

    private static let together = 1_000

    /// How many users there are that it didn't make.
    ///
    /// - Throws: `MongoError`.
    package func foreignUsers() async throws -> Int {
        let all = try await database.documentCount(of: ChatCollection.users)
        let own = Array(insertions.ids[ChatCollection.users] ?? [])
        guard all > 0, !own.isEmpty else { return all }
        var standing = 0
        for start in stride(from: 0, to: own.count, by: Self.together) {
            let some = BSONArray(own[start..<min(start + Self.together, own.count)])
            let counted = try await database.aggregateAll(
                ChatCollection.users, [["$match": ["_id": ["$in": .array(some)]]], ["$count": "n"]])
            standing += Int(counted.first?["n"]?.integer ?? 0)
        }
        return max(all - standing, 0)
    }

    /// Takes away what stands still of it once its runs are undone: what has changed since, journalled as a whole.
    ///
    /// A user, or a session, that others refer to, and that isn't to be made anew, is left.
    ///
    /// - Parameters:
    ///   - kept: Whether the document with an `_id` will be made anew.
    ///   - run: The run that does it.
    /// - Throws: `MongoError`, `EngineError`.
    package func takeAway(except kept: (BSONValue) -> Bool, _ run: Run) async throws {
        for (collection, ids) in insertions.ids.sorted(by: { $0.key < $1.key }) {
            let ids = Array(ids)
            for start in stride(from: 0, to: ids.count, by: Self.together) {
                let some = Array(ids[start..<min(start + Self.together, ids.count)])
                try await takeAway(["_id": ["$in": .array(BSONArray(some))]], collection, kept, run)
            }
        }
        for (collection, filter) in insertions.ranges { try await takeAway(filter, collection, kept, run) }
        try await run.closeAll(of: runs)
    }

    private func takeAway(
        _ filter: BSONDocument, _ collection: String, _ kept: (BSONValue) -> Bool, _ run: Run
    ) async throws {
        let found = try await database.findAll(collection, filter: filter)
        let unwanted = found.compactMap { $0["_id"] }.filter { !kept($0) }
        let referred = try await referred(unwanted, collection)
        run.totals.left(
            SeedCode.reset, collection, referred.count, reason: "others refer to it, and it isn't seeded any more",
            samples: referred)
        let changes = found.filter { !referred.contains($0["_id"] ?? .null) }.map { document in
            DocumentChange(id: document["_id"] ?? .null, before: document, after: .absent)
        }
        for batch in Run.batches(changes) {
            let missed = try await run.apply(
                documents: batch, in: collection, code: SeedCode.reset,
                JournalPosition(position: 0, isRetry: false), RepairSettings())
            run.totals.left(
                SeedCode.reset, collection, missed.count, reason: "changed while it was looked at", samples: missed)
        }
    }

    /// Those of some documents that others refer to, which seeding didn't make.
    private func referred(_ ids: [BSONValue], _ collection: String) async throws -> Set<BSONValue> {
        let fields: [(String, String)] =
            switch collection {
            case ChatCollection.users:
                [ChatCollection.sessions, ChatCollection.messages, ChatCollection.artifacts].map { ($0, "user_id") }
            case ChatCollection.sessions:
                [ChatCollection.messages, ChatCollection.artifacts].map { ($0, "session_id") }
            default: []
            }
        guard !ids.isEmpty else { return [] }
        var referred: Set<BSONValue> = []
        for (name, field) in fields {
            let own = BSONArray(insertions.ids[name] ?? [])
            var filter: BSONDocument = ["_id": ["$nin": .array(own)]]
            filter.append(field, ["$in": .array(BSONArray(ids))])
            let ranges = insertions.ranges.filter { $0.collection == name }.map { BSONValue.document($0.filter) }
            if !ranges.isEmpty { filter.append("$nor", .array(BSONArray(ranges))) }
            let groups = try await database.aggregateAll(
                name, [["$match": .document(filter)], ["$group": ["_id": .string("$" + field)]]])
            referred.formUnion(groups.compactMap { $0["_id"] })
        }
        return referred
    }
}
