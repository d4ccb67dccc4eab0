package import BSON
package import Journal
internal import MongoDriver
internal import Synchronization

/// Mends what an application with the bug writes, as it comes, within one run: `_id`s at once, references in a moment, and
/// counters once they have settled.
///
/// Each collection's `_id`s are looked after on a connection of its own: while one document has the empty `_id`, the
/// application can't insert another.
package struct RepairCycle: Sendable {
    /// What a cycle goes by.
    package struct Settings: Sendable {
        /// How long counters settle.
        package var settle: Duration
        /// How long nothing may come before the cycle ends.
        package var calm = Duration.seconds(10)
        /// How long it may take: a run is undone as a whole.
        package var longest = Duration.seconds(15 * 60)
        /// How often references and counters are looked at.
        package var every = Duration.milliseconds(250)

        /// The usual ones.
        package init(settle: Duration) { self.settle = settle }
    }

    private let run: Run
    private let schema: DatabaseSchema
    private let settings: Settings
    private let begun: Int64

    /// Prepares a cycle.
    ///
    /// - Parameters:
    ///   - run: The run that it is a part of.
    ///   - begun: When the run began, by the server's clock, in milliseconds since 1970.
    package init(_ run: Run, _ schema: DatabaseSchema, _ settings: Settings, begun: Int64) {
        (self.run, self.schema, self.settings, self.begun) = (run, schema, settings, begun)
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
        }

        private let state = Mutex(State())

        var isOver: Bool { state.withLock { $0.isOver } }
        var mendedAt: ContinuousClock.Instant { state.withLock { $0.mendedAt } }

        func end() { state.withLock { $0.isOver = true } }
        func mended() { state.withLock { $0.mendedAt = .now } }

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

    /// Works until nothing has come for a while, or the cycle has taken long enough.
    ///
    /// - Parameters:
    ///   - follower: Tells what changes.
    ///   - start: Where to begin.
    /// - Throws: `EngineError`, `MongoError`.
    package func work(_ follower: inout ChangeFollower, from start: Start) async throws {
        let shared = Shared()
        let locks = MoveLocks(schema.referringFirst)
        let names = schema.referringFirst.map(\.name)
        let present = try await run.database.collections()
        let collections = schema.referringFirst.filter { present[$0.name]?.isOrdinary ?? true }
        var following = follower
        // Whoever has been watching has seen what there was before.
        let areNew = if case .documents = start { true } else { false }
        try await run.recording(
            "what came was mended: _id, references, counts", in: names.sorted().joined(separator: ", "),
            isRepeated: true
        ) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for collection in collections {
                    group.addTask {
                        do {
                            try await run.database.client.withSibling { client in
                                try await lookAfter(
                                    collection, run.on(run.database.on(client)), shared, locks, areNew: areNew)
                            }
                        } catch {
                            // Whoever looks after the rest would notice it at the end of the cycle.
                            shared.end()
                            throw error
                        }
                    }
                }
                do {
                    try await lookAfterRest(&following, start, shared)
                    shared.end()
                    // Unlike `waitForAll`, this ends the others when one has thrown.
                    while try await group.next() != nil {}
                } catch {
                    shared.end()
                    // What the others haven't made sure of outweighs that this one was asked to stop.
                    while let result = await group.nextResult() {
                        if case .failure(let failure) = result, !failure.isStop { throw failure }
                    }
                    throw error
                }
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

    /// Moves documents as they come, and sees to it that they have moved for good, however that ends.
    ///
    /// - Parameter areNew: Whether all that is found has come since somebody watches; else what there is at first may have
    ///   moved before, and be there again from a copy.
    private func lookAfter(
        _ collection: CollectionSchema, _ run: Run, _ shared: Shared, _ locks: MoveLocks, areNew: Bool
    ) async throws {
        do {
            try await moveWhatComes(collection, run, shared, locks, areNew: areNew)
        } catch let error where error.isStop {
            try await run.makeDurable()
            throw error
        }
        try await run.makeDurable()
    }

    private func moveWhatComes(
        _ collection: CollectionSchema, _ run: Run, _ shared: Shared, _ locks: MoveLocks, areNew: Bool
    ) async throws {
        var areNew = areNew
        let database = run.database
        let repair = IdentityRepair(database: database, schema: schema, watchedSince: begun)
        let source = LockedReferenceSource(
            source: SchemaReferenceSource(database: database, schema: schema), schema: schema, locks: locks)
        // A document mustn't keep the empty `_id` for as long as the disk needs for the one before.
        let rekeyer = Rekeyer(run: run, source: source, isDurable: false)
        var refused: [BSONValue: (document: BSONDocument, refusal: IdentityRepair.Refusal)] = [:]
        var (met, lookedAt) = (ContinuousClock.now, ContinuousClock.now - Self.thorough)
        while !shared.isOver {
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
                areNew = areNew || isThorough
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

    private func lookAfterRest(
        _ follower: inout ChangeFollower, _ start: Start, _ shared: Shared
    ) async throws {
        let (database, begun) = (run.database, ContinuousClock.now)
        let repairSettings = RepairSettings()
        var counters = SettlingCounters(database, schema, settle: settings.settle)
        var counting: [String: Set<BSONValue>] = [:]
        switch start {
        case .everything:
            // What is moved meanwhile is looked at when it has.
            try await FieldRepair(database: database, schema: schema, [.references], of: .withObjectIDs)
                .applyUnrecorded(run, repairSettings)
            counting = try await drifted()
        case .documents(let ids):
            for (collection, ids) in ids { shared.add(ids, in: collection) }
        }
        var asked = begun - Self.asking
        let protected = try await CounterSafeguard(database: database, schema: schema).protected(run, repairSettings)
        while !shared.isOver {
            try await run.breathe()
            let look = ContinuousClock.now
            var ids: [String: Set<BSONValue>] = [:]
            if follower.isStream || look - asked > Self.asking {
                asked = look
                switch try await follower.next(waiting: settings.every) {
                // Whoever follows looks at everything.
                case .unknown: return
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
                counting.merge(try await self.counting(ids)) { $0.union($1) }
            }
            let settled = try await counters.settled(counting)
            counting = [:]
            for (scan, observations) in settled {
                let isProtected = protected.contains(scan.counter.counted)
                let wanted = observations.filter { !$0.wouldLose(isProtected) }
                guard !wanted.isEmpty else { continue }
                let outcome = try await CounterSetting(scan: scan, run: run).set(wanted)
                if outcome.set > 0 { shared.mended() }
            }
            let isCalm = look - shared.mendedAt > settings.calm && counters.count == 0
            if isCalm || look - begun > settings.longest { return }
            let rest = settings.every - (ContinuousClock.now - look)
            if rest > .zero { try await run.pause(for: rest) }
        }
    }

    /// How often indexes are asked: what has moved is known without.
    private static let asking = Duration.milliseconds(900)

    /// The documents whose counters look wrong.
    private func drifted() async throws -> [String: Set<BSONValue>] {
        let drifted = Mutex<[String: Set<BSONValue>]>([:])
        for collection in schema.collections {
            for counter in collection.counters {
                let scan = try await CounterScan(database: run.database, collection: collection, counter: counter)
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
                    let found = try await run.database.findAll(
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

extension Error {
    /// Whether it says that somebody asked for a stop, and nothing of what was done.
    fileprivate var isStop: Bool {
        if case .interrupted = asStop as? EngineError { true } else { false }
    }
}
