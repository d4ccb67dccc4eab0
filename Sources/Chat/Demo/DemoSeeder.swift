package import BSON
package import Journal
internal import MongoDriver
internal import Synchronization

/// Makes sure that demo chats are there: many at once, by their numbers, in memory that doesn't grow with them.
package struct DemoSeeder: Sendable {
    private let database: Database
    private let recipe: DemoRecipe
    private let settings: SeedSettings
    private let owners: [ObjectID]

    /// How many connections work at once: while one waits for its entry of the journal, others send.
    private static let workers = 3

    /// Makes a seeder.
    ///
    /// - Parameter plan: What is done about the users, those of the chats among them.
    /// - Throws: ``Objection`` where one of those may be somebody else.
    package init(
        database: Database, recipe: DemoRecipe, settings: SeedSettings, users plan: Seeder.Plan
    ) throws {
        self.database = database
        self.recipe = recipe
        self.settings = settings
        let plans = Dictionary(plan.users.map { ($0.user.username, $0) }, uniquingKeysWith: { first, _ in first })
        owners = try DemoUsers.users(recipe.users).map { user in
            guard let plan = plans[user.username], !plan.isSomebodyElse else { throw Objection(user: user.username) }
            return plan.id
        }
    }

    /// Tells the `_id`s of the chats from others.
    ///
    /// - Throws: What hashing throws.
    package func isOwn() throws -> @Sendable (BSONValue) -> Bool {
        let chats = try DemoChats(recipe, owners: owners, now: 0)
        return { id in
            guard let id = id.objectID else { return false }
            return DemoPart.allCases.contains { part in
                chats.first(part).distance(to: id).map { (0..<chats.count(part)).contains($0) } ?? false
            }
        }
    }

    /// Why chats can't be made.
    package struct Objection: Error, CustomStringConvertible {
        let user: String

        package var description: String {
            "Demo chats would belong to `\(user)`, and there is a user of that name, or with its email, who is somebody "
                + "else. Nothing was changed; another database can be seeded instead."
        }
    }

    /// The users whom chats of a recipe belong to.
    package static func users(_ recipe: DemoRecipe) -> [SeedUser] { DemoUsers.users(recipe.users) }

    /// How things stand, or what was made of them.
    package struct Outcome: Sendable {
        /// How many documents were missing, by collection.
        package fileprivate(set) var missing: [String: Int] = [:]
        /// How many were there, and right.
        package fileprivate(set) var kept: [String: Int] = [:]
        /// What differs, by collection and field, with some `_id`s.
        fileprivate var different: [Field: (count: Int, samples: [BSONValue])] = [:]
        /// What was taken for now, in milliseconds since 1970.
        package let now: Int64
        /// What a check has to find, where the chats are broken.
        package fileprivate(set) var truth: [DemoTruth] = []

        fileprivate struct Field: Hashable {
            let collection: String
            let name: String
        }

        fileprivate init(now: Int64) { self.now = now }

        /// The changes that would be made.
        package var changes: [Change] {
            missing.filter { $0.value > 0 }.map {
                Change(code: SeedCode.made($0.key), collection: $0.key, changed: $0.value)
            }.sorted { ($0.collection, $0.code) < ($1.collection, $1.code) }
        }

        /// What differs, and stays.
        package var leftovers: [Leftover] {
            different.map { field, found in
                Leftover(
                    code: SeedCode.made(field.collection), collection: field.collection, field: field.name,
                    count: found.count, reason: "changed since it was made (\(SeedAdvice.reset))",
                    samples: found.samples)
            }.sorted { ($0.collection, $0.field ?? "") < ($1.collection, $1.field ?? "") }
        }

        fileprivate mutating func differ(_ collection: String, _ field: String, _ id: BSONValue) {
            var found = different[Field(collection: collection, name: field)] ?? (0, [])
            found.count += 1
            if found.samples.count < Leftover.mostSamples { found.samples.append(id) }
            different[Field(collection: collection, name: field)] = found
        }
    }

    /// Looks what there is. Changes nothing.
    ///
    /// - Parameter gone: Whether a document is taken for one that isn't there, because it will be taken away before.
    /// - Throws: `MongoError`, `EngineError`.
    package func look(
        _ progress: @escaping ProgressReport, without gone: @escaping Seeder.Gone = { _, _ in false }
    ) async throws -> Outcome {
        try await work(nil, gone, progress)
    }

    /// Makes what is missing.
    ///
    /// - Throws: `MongoError`, `EngineError`.
    package func apply(_ run: Run) async throws -> Outcome {
        let outcome = try await work(run, { _, _ in false }, run.progress)
        for left in outcome.leftovers { run.totals.left(left) }
        return outcome
    }

    /// A number of documents that are looked at, or made, together.
    private struct Piece: Sendable {
        let part: DemoPart
        let numbers: Range<Int>
    }

    /// Buffers that wait for the next piece; each worker has one at a time.
    private final class Buffers: Sendable {
        private let waiting = Mutex<[BSONRows]>([])
        private let isUnvalidated: Bool

        init(isUnvalidated: Bool) { self.isUnvalidated = isUnvalidated }

        func take(_ part: DemoPart, _ count: Int) -> BSONRows {
            waiting.withLock { $0.popLast() }
                ?? NumberedDocuments.rows(
                    into: part.collection, isUnvalidated: isUnvalidated, capacity: part.usualBytes * count)
        }

        func giveBack(_ rows: BSONRows) { waiting.withLock { $0.append(rows) } }
    }

    private func work(
        _ run: Run?, _ gone: @escaping Seeder.Gone, _ progress: @escaping ProgressReport
    ) async throws -> Outcome {
        var made = try DemoChats(recipe, owners: owners, now: try await now(gone))
        if run != nil { made.additions = try await additions(made) }
        let chats = made
        let outcome = Mutex(Outcome(now: chats.now))
        for part in DemoPart.allCases where chats.count(part) > 0 {
            let total = chats.count(part)
            let done = WorkDone("\(run == nil ? "looking at" : "making") \(part.collection)", of: total, progress)
            let next = Mutex(0)
            let buffers = Buffers(isUnvalidated: isDamage)
            let take: @Sendable () -> Piece? = {
                next.withLock { next in
                    guard next < total else { return nil }
                    let end = min(next + recipe.scenario.batch, total)
                    defer { next = end }
                    return Piece(part: part, numbers: next..<end)
                }
            }
            if let run {
                try await run.inWorkers(Self.workers) { _ in
                    take()
                } each: { run, piece in
                    try await make(piece, chats, buffers, run.database, run, gone, outcome)
                    done.add(piece.numbers.count)
                }
            } else {
                try await database.inWorkers(Self.workers) { _ in
                    take()
                } each: { database, piece in
                    try await make(piece, chats, buffers, database, nil, gone, outcome)
                    done.add(piece.numbers.count)
                }
            }
        }
        try await makeStrays(chats, run, gone, outcome)
        return outcome.withLock { $0 }
    }

    /// Makes what has no number.
    private func makeStrays(
        _ chats: DemoChats, _ run: Run?, _ gone: Seeder.Gone, _ outcome: borrowing Mutex<Outcome>
    ) async throws {
        let truth = try chats.truth()
        outcome.withLock { $0.truth = truth }
        for (collection, group) in Dictionary(grouping: try DemoStrays(chats).documents, by: \.collection) {
            let wanted = group.map(\.document)
            let ids = BSONArray(wanted.map { $0["_id"] ?? .null })
            let present = try await database.findAll(collection, filter: ["_id": ["$in": .array(ids)]])
                .filter { !gone(collection, $0["_id"] ?? .null) }
            let found = Dictionary(present.map { ($0["_id"] ?? .null, $0) }, uniquingKeysWith: { first, _ in first })
            let missing = wanted.filter { found[$0["_id"] ?? .null] == nil }
            outcome.withLock { outcome in
                outcome.missing[collection, default: 0] += missing.count
                for document in wanted {
                    guard let standing = found[document["_id"] ?? .null] else { continue }
                    let field = ["title", "content", "name", "session_id", "user_id"].first {
                        standing[$0] != document[$0]
                    }
                    if let field {
                        outcome.differ(collection, field, document["_id"] ?? .null)
                    } else {
                        outcome.kept[collection, default: 0] += 1
                    }
                }
            }
            if let run { try await insert(missing, collection, run) }
        }
    }

    /// Makes what is missing of a piece, or counts it.
    private func make(
        _ piece: Piece, _ chats: DemoChats, _ buffers: Buffers, _ database: Database, _ run: Run?,
        _ gone: Seeder.Gone, _ outcome: borrowing Mutex<Outcome>
    ) async throws {
        let collection = piece.part.collection
        let first = DemoChats.id(chats.first(piece.part), piece.numbers.lowerBound)
        let last = DemoChats.id(chats.first(piece.part), piece.numbers.upperBound - 1)
        let present = try await database.findAll(
            collection, filter: ["_id": ["$gte": .objectID(first), "$lte": .objectID(last)]],
            options: ["sort": ["_id": 1], "hint": ["_id": 1]]
        ).filter { !gone(collection, $0["_id"] ?? .null) }
        guard !present.isEmpty else {
            outcome.withLock { $0.missing[collection, default: 0] += piece.numbers.count }
            guard let run else { return }
            var rows = buffers.take(piece.part, piece.numbers.count)
            chats.write(piece.part, piece.numbers, to: &rows)
            try await SeedRefusal.naming(collection) {
                try await run.insert(
                    numbered: NumberedDocuments(rows, first: first, into: collection, code: SeedCode.made(collection)))
            }
            buffers.giveBack(rows)
            return
        }
        var rows = buffers.take(piece.part, piece.numbers.count)
        chats.write(piece.part, piece.numbers, to: &rows)
        defer { buffers.giveBack(rows) }
        let found = Dictionary(present.map { ($0["_id"] ?? .null, $0) }, uniquingKeysWith: { first, _ in first })
        var missing: [BSONDocument] = []
        for wanted in rows.documents {
            let id = wanted["_id"] ?? .null
            guard let standing = found[id] else {
                missing.append(wanted)
                continue
            }
            let fields = standing == wanted ? [] : piece.part.compared.filter { standing[$0] != wanted[$0] }
            outcome.withLock { outcome in
                if fields.isEmpty { outcome.kept[collection, default: 0] += 1 }
                for field in fields { outcome.differ(collection, field, id) }
            }
        }
        outcome.withLock { $0.missing[collection, default: 0] += missing.count }
        guard let run else { return }
        for batch in Run.batches(missing) { try await insert(batch, collection, run) }
    }

    /// Whether what is made is what the guard keeps out: it is there to practise on.
    private var isDamage: Bool { recipe.scenario == .broken }

    private func insert(_ documents: [BSONDocument], _ collection: String, _ run: Run) async throws {
        let code = SeedCode.made(collection)
        try await SeedRefusal.naming(collection) {
            if isDamage {
                try await run.insert(unvalidated: documents, into: collection, code: code)
            } else {
                try await run.insert(documents, into: collection, code: code)
            }
        }
    }

    /// What others have added to sessions that aren't there any more: it counts where they are made again.
    private func additions(_ chats: DemoChats) async throws -> [Int: ChatPlan.Tally] {
        guard recipe.sessions > 0, try await database.collections()[ChatCollection.messages] != nil else { return [:] }
        func ids(_ first: ObjectID, _ count: Int) -> BSONDocument {
            ["$gte": .objectID(first), "$lte": .objectID(DemoChats.id(first, max(count, 1) - 1))]
        }
        let sessions = ids(chats.firstSession, recipe.sessions)
        let standing = try await database.aggregateAll(
            ChatCollection.sessions, [["$match": ["_id": .document(sessions)]], ["$count": "n"]])
        guard Int(standing.first?["n"]?.integer ?? 0) < recipe.sessions else { return [:] }
        let groups = try await database.aggregateAll(
            ChatCollection.messages,
            [
                [
                    "$match": [
                        "session_id": .document(sessions), "deleted": false,
                        "_id": ["$not": .document(ids(chats.firstMessage, recipe.messages))],
                    ]
                ],
                ["$group": ["_id": "$session_id", "n": ["$sum": 1], "newest": ["$max": "$created_at"]]],
            ])
        return groups.reduce(into: [:]) { additions, group in
            guard let number = group["_id"]?.objectID.flatMap({ chats.firstSession.distance(to: $0) }) else { return }
            additions[number] = ChatPlan.Tally(
                live: Int(group["n"]?.integer ?? 0), newest: group["newest"]?.date)
        }
    }

    /// What is taken for now: what was when the chats were made, where they are there and nothing else is said.
    ///
    /// Some of them may have been changed since: what most of a few say is taken.
    private func now(_ gone: Seeder.Gone) async throws -> Int64 {
        guard !settings.isNowGiven, recipe.sessions > 0 else { return settings.now }
        let chats = try DemoChats(recipe, owners: owners, now: 0)
        let last = DemoChats.id(chats.firstSession, recipe.sessions - 1)
        let found = try await database.findAll(
            ChatCollection.sessions,
            filter: ["_id": ["$gte": .objectID(chats.firstSession), "$lte": .objectID(last)]],
            options: ["sort": ["_id": 1], "limit": 25, "projection": ["created_at": 1]])
        var votes: [Int64: Int] = [:]
        for session in found {
            guard let id = session["_id"]?.objectID, !gone(ChatCollection.sessions, .objectID(id)),
                let number = chats.firstSession.distance(to: id), let created = session["created_at"]?.date
            else { continue }
            let age = chats.session(number, chats.layout.block(ofSession: number)).age
            let (now, isTooLarge) = created.addingReportingOverflow(age)
            if !isTooLarge { votes[now, default: 0] += 1 }
        }
        // The smaller of two that as many say: the same every time.
        return votes.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? settings.now
    }
}
