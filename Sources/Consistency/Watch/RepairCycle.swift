package import BSON
package import Journal
internal import MongoDriver
internal import Synchronization

/// Mends what an application with the bug writes, as it comes: `_id`s at once, references in a moment, and counters once
/// they have settled.
///
/// Each collection's `_id`s are looked after on a connection of its own: while one document has the empty `_id`, the
/// application can't insert another. A run is undone as a whole, so one that has taken long hands over to another: that
/// one's connections stand, and its record is written, before the first one moves its last document.
package struct RepairCycle: Sendable {
    /// What a cycle goes by.
    package struct Settings: Sendable {
        /// How long counters settle.
        package var settle: Duration
        /// How long nothing may come before the cycle ends.
        package var calm = Duration.seconds(10)
        /// How long one run may take: it is undone as a whole.
        package var longest = Duration.seconds(15 * 60)
        /// How often references and counters are looked at.
        package var every = Duration.milliseconds(250)

        /// The usual ones.
        package init(settle: Duration) { self.settle = settle }
    }

    private let line: RunLine
    private let database: Database
    private let schema: DatabaseSchema
    private let settings: Settings
    private let begun: Int64

    /// Prepares a cycle.
    ///
    /// - Parameters:
    ///   - line: Its runs.
    ///   - begun: When the first of them began, by the server's clock, in milliseconds since 1970.
    package init(_ line: RunLine, _ schema: DatabaseSchema, _ settings: Settings, begun: Int64) {
        (self.line, self.schema, self.settings, self.begun) = (line, schema, settings, begun)
        database = line.last.database
    }

    /// What a cycle begins with.
    package enum Start: Sendable {
        /// Whatever is wrong.
        case everything
        /// These documents, by their collection: something is wrong with them.
        case documents([String: Set<BSONValue>])
    }

    /// What the parts of a cycle tell one another.
    private final class Shared: Sendable {
        private struct State {
            var mendedAt = ContinuousClock.now
            var isOver = false
            /// Documents that have got another `_id`, and wait for their references to be looked at.
            var moved: [String: Set<BSONValue>] = [:]
            /// Collections of which all that is found has come since somebody watches.
            var watched: Set<String> = []
        }

        private let state = Mutex(State())

        var isOver: Bool { state.withLock { $0.isOver } }
        var mendedAt: ContinuousClock.Instant { state.withLock { $0.mendedAt } }

        func end() { state.withLock { $0.isOver = true } }
        func mended() { state.withLock { $0.mendedAt = .now } }
        func watch(_ collection: String) { state.withLock { _ = $0.watched.insert(collection) } }
        func isWatched(_ collection: String) -> Bool { state.withLock { $0.watched.contains(collection) } }

        func add(_ ids: some Sequence<BSONValue>, in collection: String) {
            state.withLock { state in
                state.mendedAt = .now
                state.moved[collection, default: []].formUnion(ids)
            }
        }

        func takeMoved() -> [String: Set<BSONValue>] {
            state.withLock { state in
                defer { state.moved = [:] }
                return state.moved
            }
        }
    }

    /// One of the cycle's runs.
    private final class Turn: Sendable {
        let run: Run
        private let over = Mutex(false)
        /// The collections in which documents are still moved.
        private let moving: Mutex<Set<String>>
        /// For each collection: whoever looks after it could begin; whoever does so next may.
        private let (ready, done): ([String: Occurrence], [String: Occurrence])

        init(_ run: Run, _ collections: [CollectionSchema]) {
            self.run = run
            let each = { Dictionary(uniqueKeysWithValues: collections.map { ($0.name, Occurrence()) }) }
            (ready, done) = (each(), each())
            moving = Mutex(Set(collections.map(\.name)))
        }

        var isOver: Bool { over.withLock { $0 } }
        func end() { over.withLock { $0 = true } }

        func isReady(_ collection: String) { ready[collection]?.occur() }
        func isDone(_ collection: String) {
            let isAll = moving.withLock { moving in
                moving.remove(collection)
                return moving.isEmpty
            }
            if isAll { for occurrence in done.values { occurrence.occur() } }
        }
        func waitUntilReady() async throws { for occurrence in ready.values { try await occurrence.wait() } }
        /// Waits, as the next one in a collection, until nothing more is moved in any.
        func waitUntilDone(_ collection: String) async throws { try await done[collection]?.wait() }
    }

    /// Works until nothing has come for a while, from one run to the next.
    ///
    /// - Parameters:
    ///   - follower: Tells what changes.
    ///   - start: Where to begin.
    /// - Throws: `EngineError`, `MongoError`.
    package func work(_ follower: inout ChangeFollower, from start: Start) async throws {
        let shared = Shared()
        let locks = MoveLocks(schema.referringFirst)
        let names = schema.referringFirst.map(\.name)
        let present = try await database.collections()
        let collections = schema.referringFirst.filter { present[$0.name]?.isOrdinary ?? true }
        // Whoever has been watching has seen what there was before.
        if case .documents = start { for name in names { shared.watch(name) } }
        var following = follower
        try await withThrowingTaskGroup(of: Turn.self) { group in
            let begin = { (turn: Turn, before: Turn?, group: inout ThrowingTaskGroup<Turn, any Error>) in
                for collection in collections {
                    group.addTask {
                        do {
                            try await lookAfter(collection, turn, after: before, shared, locks)
                            return turn
                        } catch {
                            // Whoever looks after the rest would notice it at the end of the cycle.
                            shared.end()
                            throw error
                        }
                    }
                }
                return turn.run.beginRecording(
                    "what came was mended: _id, references, counts", in: names.sorted().joined(separator: ", "),
                    isRepeated: true)
            }
            do {
                var turn = Turn(line.last, collections)
                var recorded = begin(turn, nil, &group)
                var rest = Rest(counters: SettlingCounters(database, schema, settle: settings.settle))
                rest.counting = try await first(start, turn.run, shared)
                while try await lookAfterRest(&following, &rest, turn.run, shared) == .isLong {
                    let next = Turn(try await line.begin(), collections)
                    let nextRecorded = begin(next, turn, &group)
                    try await next.waitUntilReady()
                    turn.end()
                    var left = collections.count
                    while left > 0, let ended = try await group.next() { left -= ended === turn ? 1 : 0 }
                    recorded()
                    try await line.endEarlier()
                    follower = following
                    (turn, recorded) = (next, nextRecorded)
                }
                shared.end()
                // Unlike `waitForAll`, this ends the others when one has thrown.
                while try await group.next() != nil {}
                recorded()
            } catch {
                shared.end()
                // What the others haven't made sure of outweighs that this one was asked to stop.
                while let result = await group.nextResult() {
                    if case .failure(let failure) = result, !failure.isStop { throw failure }
                }
                throw error
            }
        }
        follower = following
    }

    // MARK: `_id`s

    /// How soon a collection is looked at again: at once where something has come a moment ago.
    private static let (soon, later) = (Duration.milliseconds(1), Duration.milliseconds(25))
    /// How long something that has come counts as a moment ago.
    private static let moment = Duration.seconds(3)
    /// How often all `_id`s are looked at, not only the one that keeps others out.
    private static let thorough = Duration.milliseconds(250)

    /// Moves documents as they come, from when the run before moves none any more, and sees to it that they have moved for
    /// good, however that ends.
    private func lookAfter(
        _ collection: CollectionSchema, _ turn: Turn, after before: Turn?, _ shared: Shared, _ locks: MoveLocks
    ) async throws {
        // However it ends, nobody waits for it in vain.
        defer {
            turn.isReady(collection.name)
            turn.isDone(collection.name)
        }
        try await database.client.withSibling { client in
            let run = turn.run.on(database.on(client))
            // The connection stands before it is needed.
            _ = try await IdentityScan(database: run.database).emptyOnes(collection.name)
            turn.isReady(collection.name)
            // All of it: a run is undone before those that came before it.
            try await before?.waitUntilDone(collection.name)
            try await run.durably {
                try await moveWhatComes(collection, run, turn, shared, locks)
                turn.isDone(collection.name)
            }
        }
    }

    private func moveWhatComes(
        _ collection: CollectionSchema, _ run: Run, _ turn: Turn, _ shared: Shared, _ locks: MoveLocks
    ) async throws {
        // Else what there is at first may have moved before, and be there again from a copy.
        var areNew = shared.isWatched(collection.name)
        let database = run.database
        let repair = IdentityRepair(database: database, schema: schema, watchedSince: begun)
        let source = LockedReferenceSource(
            source: SchemaReferenceSource(database: database, schema: schema), schema: schema, locks: locks)
        // A document mustn't keep the empty `_id` for as long as the disk needs for the one before.
        let rekeyer = Rekeyer(run: run, source: source, isDurable: false)
        var refused: [BSONValue: (document: BSONDocument, refusal: IdentityRepair.Refusal)] = [:]
        var (met, lookedAt) = (ContinuousClock.now, ContinuousClock.now - Self.thorough)
        while !turn.isOver && !shared.isOver {
            try run.checkpoint()
            var found = try await IdentityScan(database: database).emptyOnes(collection.name)
            let isThorough = found.isEmpty && ContinuousClock.now - lookedAt > Self.thorough
            if isThorough {
                lookedAt = .now
                try await repair.forEachBatch(collection, skipping: []) { documents in
                    if found.count < Self.together { found += documents }
                }
            }
            // Another document may have the `_id` of one that couldn't be moved.
            found.removeAll { refused[$0["_id"] ?? .undefined]?.document == $0 }
            guard !found.isEmpty else {
                if isThorough && !areNew {
                    areNew = true
                    shared.watch(collection.name)
                }
                try await Task.sleep(for: ContinuousClock.now - met < Self.moment ? Self.soon : Self.later)
                continue
            }
            met = .now
            // One that couldn't be moved, and has changed since, isn't another.
            let known = found.filter { document in
                refused[document["_id"] ?? .undefined].map { source.isSameDocument($0.document, document) } ?? false
            }
            let others = found.filter { !known.contains($0) }
            let outcome = try await locks.moving(in: collection.name) {
                var outcome = try await repair.repair(known, in: collection, rekeyer, run)
                let rest = try await repair.repair(others, in: collection, rekeyer, run, areNew: areNew)
                outcome.refused.formUnion(rest.refused)
                outcome.moved += rest.moved
                return outcome
            }
            for document in found { refused[document["_id"] ?? .undefined] = nil }
            for refusal in outcome.refused {
                guard let document = found.first(where: { $0["_id"] == refusal.id }) else { continue }
                refused[refusal.id] = (document, refusal)
            }
            if !outcome.moved.isEmpty { shared.add(outcome.moved, in: collection.name) }
        }
        for refused in refused.values { run.totals.left(refused.refusal.leftover) }
    }

    /// So many documents are moved together.
    private static let together = 500

    // MARK: References and counters

    /// What is waited for from one look to the next.
    private struct Rest {
        var counters: SettlingCounters
        /// Documents whose counters are to be looked at.
        var counting: [String: Set<BSONValue>] = [:]
        /// When it was asked last what has changed.
        var asked: ContinuousClock.Instant?
    }

    /// Why the looking ended.
    private enum End {
        /// Nothing has come for a while; or whoever follows has to look at everything.
        case isCalm
        /// The run has taken long.
        case isLong
    }

    /// Looks at what a cycle begins with.
    ///
    /// - Returns: The documents whose counters look wrong.
    private func first(_ start: Start, _ run: Run, _ shared: Shared) async throws -> [String: Set<BSONValue>] {
        switch start {
        case .everything:
            // What is moved meanwhile is looked at when it has.
            try await FieldRepair(database: database, schema: schema, [.references], of: .withObjectIDs)
                .applyUnrecorded(run, RepairSettings())
            return try await drifted(run)
        case .documents(let ids):
            for (collection, ids) in ids { shared.add(ids, in: collection) }
            return [:]
        }
    }

    private func lookAfterRest(
        _ follower: inout ChangeFollower, _ rest: inout Rest, _ run: Run, _ shared: Shared
    ) async throws -> End {
        let begun = ContinuousClock.now
        let repairSettings = RepairSettings()
        let protected = try await CounterSafeguard(database: database, schema: schema).protected(run, repairSettings)
        while !shared.isOver {
            try await run.breathe()
            let look = ContinuousClock.now
            var ids: [String: Set<BSONValue>] = [:]
            if follower.isStream || rest.asked.map({ look - $0 > Self.asking }) ?? true {
                rest.asked = look
                switch try await follower.next(waiting: settings.every) {
                // Whoever follows looks at everything.
                case .unknown: return .isCalm
                case .touched(let touched, _): ids = touched.ids
                }
            }
            ids.merge(shared.takeMoved()) { $0.union($1) }
            // The others' references are looked at once they have moved.
            ids = ids.mapValues { $0.filter { $0.type == .objectID } }.filter { !$0.value.isEmpty }
            if !ids.isEmpty {
                let before = run.totals.totalChanged
                try await FieldRepair(database: database, schema: schema, [.references], of: .some(ids))
                    .applyUnrecorded(run, repairSettings)
                if run.totals.totalChanged > before { shared.mended() }
                rest.counting.merge(try await self.counting(ids)) { $0.union($1) }
            }
            let settled = try await rest.counters.settled(rest.counting)
            rest.counting = [:]
            for (scan, observations) in settled {
                let isProtected = protected.contains(scan.counter.counted)
                let wanted = observations.filter { !$0.wouldLose(isProtected) }
                guard !wanted.isEmpty else { continue }
                let outcome = try await CounterSetting(scan: scan, run: run).set(wanted)
                if outcome.set > 0 { shared.mended() }
            }
            if look - shared.mendedAt > settings.calm && rest.counters.count == 0 { return .isCalm }
            if look - begun > settings.longest && run.totals.totalChanged > 0 { return .isLong }
            let pause = settings.every - (ContinuousClock.now - look)
            if pause > .zero { try await run.pause(for: pause) }
        }
        return .isCalm
    }

    /// How often indexes are asked: what has moved is known without.
    private static let asking = Duration.milliseconds(900)

    /// The documents whose counters look wrong.
    private func drifted(_ run: Run) async throws -> [String: Set<BSONValue>] {
        let drifted = Mutex<[String: Set<BSONValue>]>([:])
        for collection in schema.collections {
            for counter in collection.counters {
                let scan = try await CounterScan(database: database, collection: collection, counter: counter)
                _ = try await scan.forEachDrift(workers: RepairSettings.defaultWorkers, run) { _, drifts, _ in
                    drifted.withLock { drifted in
                        // More than so many are for `repair counts`, which holds none of them.
                        guard drifted[collection.name]?.count ?? 0 < Self.mostDrifted else { return }
                        drifted[collection.name, default: []].formUnion(drifts.map(\.id))
                    }
                }
            }
        }
        return drifted.withLock { $0 }
    }

    private static let mostDrifted = 200_000

    /// The documents whose counters may have changed, by the changes of others.
    private func counting(_ ids: [String: Set<BSONValue>]) async throws -> [String: Set<BSONValue>] {
        var counting: [String: Set<BSONValue>] = [:]
        for holder in schema.collections {
            for counter in holder.counters {
                counting[holder.name, default: []].formUnion(ids[holder.name] ?? [])
                let counted = Array(ids[counter.counted] ?? [])
                for start in stride(from: 0, to: counted.count, by: Self.together) {
                    let some = counted[start..<min(start + Self.together, counted.count)]
                    let found = try await database.findAll(
                        counter.counted, filter: ["_id": ["$in": .array(BSONArray(some))]],
                        options: ["projection": [counter.reference: 1]])
                    // What isn't an ObjectId yet is looked at again once it is.
                    counting[holder.name]?.formUnion(
                        found.compactMap { $0[counter.reference]?.objectID }.map { .objectID($0) })
                }
            }
        }
        return counting
    }
}
