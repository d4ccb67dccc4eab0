package import BSON
package import Journal
internal import MongoDriver
internal import Synchronization

/// What seeding has made in a database, by its journal.
package struct SeededDocuments: Sendable {
    private let insertions: Insertions
    private let database: Database

    /// Reads it.
    ///
    /// - Parameter followsMoves: Whether a document that was repaired since is known under its new `_id`.
    /// - Throws: `StateError`, `MongoError`.
    package init(_ database: Database, followsMoves: Bool = false) async throws {
        self.database = database
        insertions = try await Insertions(by: "seed", database, followsMoves: followsMoves)
    }

    private static let together = 1_000
    /// No more of them are in memory at once through one connection, but for one that is larger alone.
    private static let togetherBytes = 2 << 20
    /// So often a document that changes meanwhile is looked at again.
    private static let attempts = 10
    /// Documents are taken away through so many connections.
    private static let workers = 3

    /// Whether seeding made a document, or one that was there before it.
    package func contains(_ collection: String, _ id: BSONValue) -> Bool { insertions.contains(id, in: collection) }

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

    /// Whether a document will be made anew, by its `_id`: then others may go on referring to it.
    package typealias WillBeMade = @Sendable (BSONValue) -> Bool

    /// In this order nothing is taken away that what is still there refers to.
    private static let order = [
        ChatCollection.messages, ChatCollection.artifacts, ChatCollection.sessions, ChatCollection.users,
    ]

    /// The fields that refer to documents of a collection.
    private static func referrers(_ collection: String) -> [(collection: String, field: String)] {
        switch collection {
        case ChatCollection.users:
            [ChatCollection.sessions, ChatCollection.messages, ChatCollection.artifacts].map { ($0, "user_id") }
        case ChatCollection.sessions:
            [ChatCollection.messages, ChatCollection.artifacts].map { ($0, "session_id") }
        default: []
        }
    }

    private static let isReferredTo: Sentence = "others refer to it, and it isn't seeded any more"

    /// What would be taken away, by collection, and what would be left. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    package func look(_ willBeMade: WillBeMade) async throws -> (changes: [Change], leftovers: [Leftover]) {
        let totals = Totals()
        var left: [String: Set<BSONValue>] = [:]
        for collection in Self.order {
            left[collection] = try await stays(collection, left, willBeMade)
            var standing = -(left[collection]?.count ?? 0)
            for piece in pieces(collection) {
                let counted = try await database.aggregateAll(
                    collection, [["$match": .document(piece.filter)], ["$count": "n"]])
                standing += Int(counted.first?["n"]?.integer ?? 0)
            }
            totals.changed(SeedCode.reset, collection, max(standing, 0))
            note(left[collection] ?? [], collection, totals)
        }
        return (totals.changes.filter { $0.changed > 0 }, totals.leftovers)
    }

    /// Takes away what stands of it, whatever has become of it, journalled as a whole.
    ///
    /// A user, or a session, that others refer to, and that isn't to be made anew, is left, with a count that is right.
    ///
    /// - Throws: `MongoError`, `EngineError`.
    package func takeAway(_ willBeMade: WillBeMade, _ run: Run) async throws {
        var left: [String: Set<BSONValue>] = [:]
        // Sessions that stay, and whose messages go.
        let shrunk = Mutex<Set<BSONValue>>([])
        for collection in Self.order {
            // What refers to others is gone by now, but for what stays.
            let staying = try await stays(collection, left, willBeMade)
            left[collection] = staying
            note(staying, collection, run.totals)
            let pieces = Mutex(pieces(collection)[...])
            let total = pieces.withLock { $0.reduce(0) { $0 + $1.count } }
            let done = WorkDone("taking away \(collection)", of: total, run.progress)
            try await run.inWorkers(Self.workers) { _ in
                pieces.withLock { $0.popFirst() }
            } each: { run, piece in
                let client = run.database.client
                let cursor = try await client.find(run.database.namespace(collection), filter: piece.filter)
                try await client.forEachBatch(of: cursor, maximum: Self.together, maximumBytes: Self.togetherBytes) {
                    documents in
                    try run.checkpoint()
                    let found = documents.filter { !staying.contains($0["_id"] ?? .null) }
                    try await remove(found, collection, run)
                    guard collection == ChatCollection.messages else { return }
                    let sessions = found.compactMap { $0["session_id"] }
                    shrunk.withLock { $0.formUnion(sessions.filter { !contains(ChatCollection.sessions, $0) }) }
                }
                done.add(piece.count)
            }
        }
        let recounted = shrunk.withLock { $0 }.union(left[ChatCollection.sessions] ?? [])
        try await SessionCounts(run).correct(Array(recounted))
    }

    /// Deletes documents, also those that the application changes meanwhile.
    private func remove(_ documents: [BSONDocument], _ collection: String, _ run: Run) async throws {
        var rest = documents
        for _ in 1...Self.attempts where !rest.isEmpty {
            let stayed = try await run.remove(rest, from: collection, code: SeedCode.reset)
            rest = stayed.isEmpty ? [] : Array(try await run.documents(stayed, in: collection).values)
        }
        let ids = rest.compactMap { $0["_id"] }
        run.totals.left(
            SeedCode.reset, collection, ids.count, reason: "changed while it was looked at", samples: ids)
    }

    private func note(_ staying: Set<BSONValue>, _ collection: String, _ totals: Totals) {
        totals.left(
            SeedCode.reset, collection, staying.count, reason: Self.isReferredTo,
            samples: staying.sorted { "\($0)" < "\($1)" })
    }

    /// A number of documents that are looked for together.
    private struct Piece: Sendable {
        let filter: BSONDocument
        let count: Int
    }

    private func pieces(_ collection: String) -> [Piece] {
        let ids = Array(insertions.ids[collection] ?? [])
        return stride(from: 0, to: ids.count, by: Self.together).map { start in
            let some = ids[start..<min(start + Self.together, ids.count)]
            return Piece(filter: ["_id": ["$in": .array(BSONArray(some))]], count: some.count)
        }
            + (insertions.ranges[collection] ?? []).flatMap { $0.pieces(of: Self.together) }.map {
                Piece(filter: $0.filter, count: $0.count)
            }
    }

    /// The documents of a collection that others refer to, which seeding didn't make, and that won't be made anew.
    ///
    /// - Parameter left: What stays of the collections before it.
    private func stays(
        _ collection: String, _ left: [String: Set<BSONValue>], _ willBeMade: WillBeMade
    ) async throws -> Set<BSONValue> {
        guard !insertions.isEmpty(collection) else { return [] }
        var staying: Set<BSONValue> = []
        for (name, field) in Self.referrers(collection) {
            var filters = [BSONValue.document(insertions.others(in: name))]
            if let some = left[name], !some.isEmpty {
                filters.append(["_id": ["$in": .array(BSONArray(some))]])
            }
            let cursor = try await database.client.aggregate(
                database.namespace(name),
                pipeline: [["$match": ["$or": .array(BSONArray(filters))]], ["$group": ["_id": .string("$" + field)]]])
            try await database.client.forEachBatch(of: cursor) { groups in
                for group in groups {
                    for id in Self.meant(by: group["_id"]) where contains(collection, id) && !willBeMade(id) {
                        staying.insert(id)
                    }
                }
            }
        }
        guard !staying.isEmpty else { return [] }
        // What isn't there any more doesn't stay.
        let ids = Array(staying)
        var standing: Set<BSONValue> = []
        for start in stride(from: 0, to: ids.count, by: Self.together) {
            let some = BSONArray(ids[start..<min(start + Self.together, ids.count)])
            let found = try await database.findAll(
                collection, filter: ["_id": ["$in": .array(some)]], options: ["projection": ["_id": 1]])
            standing.formUnion(found.compactMap { $0["_id"] })
        }
        return standing
    }

    /// What a reference may mean: the `_id` that it is, or that its text stands for. The empty text means nothing.
    private static func meant(by reference: BSONValue?) -> [BSONValue] {
        guard let reference, reference != "" else { return [] }
        guard let id = reference.string.flatMap({ ObjectID(hex: $0) }) else { return [reference] }
        return [reference, .objectID(id)]
    }
}
