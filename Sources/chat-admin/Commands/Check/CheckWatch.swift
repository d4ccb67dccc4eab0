internal import BSON
internal import Chat
internal import Checks
internal import Consistency
internal import Journal
internal import MongoDriver
internal import Synchronization

/// Watches a database: tells what is new, and what is right again, until it is asked to stop.
struct CheckWatch {
    private let session: CommandSession
    /// Asked at its primary: a secondary may not have yet what the stream of changes has told.
    private let database: Database
    private let codes: Set<FindingCode>
    private let isCounting: Bool
    private let settle: Duration
    private let every: Duration
    private let format: OutputFormat
    private let store: (any CheckStore)?
    private let checker: Checker
    private let changes: RecentChanges
    /// Reads what is accepted.
    private let acceptances: () async throws -> [Acceptance]
    /// Looks at everything, or at what has changed since a recorded check.
    private let lookAtAll: ([CheckRecord]) async throws -> Check.LookedAt

    private var watched = WatchedFindings()
    private var counters: SettlingCounters
    private var record: CheckRecord?
    /// The place in the stream of changes up to which everything was looked at.
    private var place: BSONDocument?
    /// The server's clock when the last look began, in milliseconds since 1970.
    private var begun: Int64 = 0
    /// How far the server's clock is ahead of this machine's.
    private var clockOffset: Int64 = 0
    private var isKept = true
    private var keptAt = ContinuousClock.now
    private var cataloguedAt = ContinuousClock.now
    private var recount: Recount?
    /// Since when a count of everything is owed; nil where none is.
    private var recountSince: ContinuousClock.Instant?
    /// Since when the one that is going on may have missed something.
    private var uncountedSince: ContinuousClock.Instant?
    /// When the present look began.
    private var looking = ContinuousClock.now
    /// Where the watch was, and when: whoever goes on from a record looks again at what wasn't decided then.
    private var places: [Place] = []
    /// Since when the server has been away; nil where it answers.
    private var awaySince: ContinuousClock.Instant?

    /// A place that the watch has come to.
    private struct Place {
        let at: ContinuousClock.Instant
        let token: BSONDocument?
        let begun: Int64
    }

    /// Stores are written at most so often, and guards and indexes looked at.
    private static let keeping = Duration.seconds(10)
    private static let cataloguing = Duration.seconds(60)
    /// How long a stream is listened to before anything else is looked at.
    private static let listening = Duration.milliseconds(250)
    /// A server that is away is asked again after so long: what it has told is to be known within a second.
    private static let again = Duration.milliseconds(250)

    /// Prepares a watch.
    ///
    /// - Parameters:
    ///   - store: Where the watch keeps how far it has come; nil for nowhere.
    ///   - every: How often indexes are asked where there is no stream of changes.
    ///   - acceptances: Reads what is accepted.
    ///   - lookAtAll: Looks at everything, or at what has changed since one of some records.
    init(
        _ session: CommandSession, _ codes: Set<FindingCode>, settle: Duration, every: Duration,
        _ format: OutputFormat, _ store: (any CheckStore)?,
        acceptances: @escaping () async throws -> [Acceptance],
        lookAtAll: @escaping ([CheckRecord]) async throws -> Check.LookedAt
    ) {
        self.acceptances = acceptances
        (self.session, self.settle, self.every) = (session, settle, every)
        (self.codes, self.isCounting) = (codes, !codes.isDisjoint(with: FindingCode.ofCounters))
        (self.format, self.store, self.lookAtAll) = (format, store, lookAtAll)
        database = session.database.onPrimary
        checker = Checker(database: database, schema: .chat, settle: settle, progress: session.progress)
        changes = RecentChanges(database, .chat)
        counters = SettlingCounters(database, .chat, settle: settle)
    }

    /// Watches until a signal comes, or the time is up.
    ///
    /// - Parameter begun: Called when everything was looked at, and the watch begins.
    /// - Throws: What no waiting helps against; ``EngineError/interrupted(_:)`` where the time is up before it begins.
    mutating func run(_ records: [CheckRecord], begun: () -> Void) async throws {
        var hasBegun = false
        do {
            try await begin(records, try await acceptances())
            hasBegun = true
            begun()
            while true { try await follow() }
        } catch EngineError.interrupted(let reason) where hasBegun || reason != .timeIsUp {
            recount?.cancel()
            try await keep(now: true)
            guard hasBegun else { return session.console.remark("Stopped before everything was looked at.") }
            session.console.remark(
                "Watched. New: \(Readable.count(watched.new)); right again: \(Readable.count(watched.resolved)); "
                    + "known now: \(Readable.count(watched.count)).")
        }
    }

    // MARK: - Looking

    private mutating func begin(_ records: [CheckRecord], _ accepted: [Acceptance]) async throws {
        begun = try await session.database.serverTime()
        clockOffset = begun - WallClock.milliseconds
        let start = ContinuousClock.now
        let looked = try await lookAtAll(records)
        try session.interruption.check()
        let comparison = try CheckComparison(
            looked.report, codes: codes, records: records, accepted: accepted, now: begun)
        watched.accept(accepted, now: begun)
        let news = try watched.begin(looked.report.findings, comparison, now: begun)
        // The first record is what others are compared with: all that it holds is known.
        if store == nil || !comparison.isBaseline { try tell(news) }
        place = looked.basis?.token
        if let store {
            var record = try CheckRecord(
                looked.report, codes: codes, durationMS: (ContinuousClock.now - start).milliseconds,
                toolVersion: ToolVersion.current,
                serverVersion: session.database.server.version, now: begun, coverage: looked.plan?.coverage)
            record.basis = looked.basis
            record.items = try watched.items()
            (record.new, record.resolved) = (watched.new, watched.resolved)
            record.isBaseline = comparison.isBaseline
            self.record = try await store.append(record)
        }
        if isCounting, let objection = try await counters.objection() {
            session.console.remark(session.words.text(objection))
        }
        session.console.clearProgress()
        let known = "\(Readable.count(watched.count)) known"
        session.console.remark("Watching \(session.database.name), \(source): \(known).")
    }

    private var source: String {
        place == nil
            ? "asking indexes every \(Readable.duration(milliseconds: every.milliseconds))"
            : "by the stream of changes"
    }

    /// Follows changes until that can't go on, and prepares to begin again.
    private mutating func follow() async throws {
        do {
            var follower = try await ChangeFollower(changes, .chat, after: place, since: begun)
            do {
                while try await look(&follower) {}
            } catch {
                await follower.close()
                throw error
            }
            await follower.close()
        } catch let error as MongoError where error.isPassing {
            if awaySince == nil { session.console.remark("The server is away (\(error.message)); trying again.") }
            awaySince = awaySince ?? .now
            try await wait(Self.again)
        } catch let error as MongoError where error.isChangeHistoryLost {
            try await lookAgain(because: "the place in the stream of changes is lost")
        }
    }

    /// - Returns: Whether it can go on.
    private mutating func look(_ follower: inout ChangeFollower) async throws -> Bool {
        try session.interruption.check()
        looking = .now
        notePlace()
        let outcome = try await follower.next(waiting: Self.listening)
        if let since = awaySince {
            awaySince = nil
            let time = Readable.duration(milliseconds: (ContinuousClock.now - since).milliseconds)
            session.console.remark("The server answers again, after \(time).")
        }
        switch outcome {
        case .unknown(let reason):
            try await lookAgain(because: reason)
            return false
        case .touched(let touched, let token):
            if touched.count > 0 || !touched.slices.isEmpty { try await look(at: touched) }
            for (collection, slice) in touched.slices where slice.upper == nil {
                try tell(watched.endRound(of: collection))
            }
            let outcome = try await counters.look([:])
            try update(outcome.findings, outcome.decided)
            (place, begun) = (token, follower.since ?? begun)
            isKept = isKept && touched.count == 0
        }
        try recountIfNeeded()
        if ContinuousClock.now - cataloguedAt > Self.cataloguing {
            cataloguedAt = .now
            watched.accept(try await acceptances(), now: self.now)
            let catalogue = try await checker.lookAtCatalogue(codes)
            try update(catalogue.findings, catalogue.looked)
        }
        // What was told of a look that is over doesn't stand for the watch.
        session.console.clearProgress()
        try await keep(now: false)
        if !follower.isStream { try await wait(every) }
        return true
    }

    private mutating func look(at touched: TouchedDocuments) async throws {
        let look = try await checker.look(codes, at: touched, orphaned: watched.orphaned)
        try update(look.findings, look.looked)
        guard isCounting else { return }
        let outcome = try await counters.look(look.counting)
        try update(outcome.findings, outcome.decided)
        guard look.hasUncounted else { return }
        recountSince = recountSince ?? looking
        if recount?.isRunning ?? false { uncountedSince = uncountedSince ?? looking }
    }

    private mutating func update(_ findings: [Finding], _ looked: [Looked]) throws {
        try tell(
            try watched.update(
                findings.filter { codes.contains($0.code) }, looked, now: now))
    }

    /// Looks at everything again: it isn't known what has changed.
    private mutating func lookAgain(because reason: String) async throws {
        session.console.remark("Looking at everything again: \(reason).")
        begun = try await session.database.serverTime()
        let looked = try await lookAtAll([])
        try session.interruption.check()
        try tell(
            try watched.begin(
                looked.report.findings, nil, now: now))
        (place, isKept) = (looked.basis?.token, false)
        counters = SettlingCounters(database, .chat, settle: settle)
        record?.basis = looked.basis
    }

    // MARK: - Counting everything

    /// A count of everything, beside the watch: something was deleted, and what had counted it isn't known.
    private final class Recount: Sendable {
        private struct State {
            var report: CheckReport?
            var error: (any Error)?
            var ended: ContinuousClock.Instant?
        }

        let begun = ContinuousClock.now
        private let state = Mutex(State())
        private let work = Mutex<Task<Void, Never>?>(nil)

        init(_ database: Database, settle: Duration, _ interruption: Interruption) {
            let task = Task {
                do {
                    // On a connection of its own: the watch's waits for changes.
                    let report = try await database.client.withSibling { client in
                        try await Checker(database: database.on(client), schema: .chat, settle: settle) { _ in }
                            .check(FindingCode.ofCounters, interruption: interruption)
                    }
                    state.withLock { ($0.report, $0.ended) = (report, .now) }
                } catch {
                    state.withLock { ($0.error, $0.ended) = (error, .now) }
                }
            }
            work.withLock { $0 = task }
        }

        /// What was found, once; nil where it isn't known yet, or was taken.
        func take() throws -> CheckReport? {
            try state.withLock { state in
                defer { (state.report, state.error) = (nil, nil) }
                if let error = state.error { throw error }
                return state.report
            }
        }

        /// Whether it has ended, and the next one wouldn't take more than a twentieth of the time.
        var isLongAgo: Bool {
            state.withLock { state in
                state.ended.map { ended in ContinuousClock.now - ended > max((ended - begun) * 20, .seconds(5)) }
                    ?? false
            }
        }

        /// Whether it hasn't come to its end.
        var isRunning: Bool { state.withLock { $0.ended == nil } }

        func cancel() { work.withLock { $0?.cancel() } }
    }

    private mutating func recountIfNeeded() throws {
        let found: CheckReport?
        do {
            found = try recount?.take()
        } catch {
            // It is owed still.
            recount = nil
            throw error
        }
        if let found, !found.isCutShort {
            let collections = DatabaseSchema.chat.collections.filter { !$0.counters.isEmpty }
            try update(
                found.findings,
                collections.map { .all(FindingCode.ofCounters, collection: $0.name, field: nil) })
            // What was deleted while it counted is owed still.
            if let since = recountSince, let begun = recount?.begun, since <= begun { recountSince = uncountedSince }
            uncountedSince = nil
        }
        guard recountSince != nil, recount?.isLongAgo ?? true else { return }
        recount = Recount(database, settle: settle, session.interruption)
    }

    // MARK: - Telling and keeping

    /// Remembers where the watch is, once a second.
    private mutating func notePlace() {
        if let last = places.last, looking - last.at < .seconds(1) { return }
        let needed = safePlace.at
        places.removeAll { $0.at < needed }
        places.append(Place(at: looking, token: place, begun: begun))
    }

    /// The last place before which everything was decided.
    private var safePlace: Place {
        let present = Place(at: looking, token: place, begun: begun)
        guard let owed = [counters.oldest, recountSince].compactMap({ $0 }).min() else { return present }
        return places.last { $0.at <= owed } ?? places.first ?? present
    }

    private mutating func tell(_ news: [WatchedFindings.News]) throws {
        isKept = isKept && news.isEmpty
        for item in news {
            try session.console.printLine(WatchLine(item, session.database.name, at: now), format)
        }
    }

    /// Keeps how far the watch has come, for another one to go on from there.
    private mutating func keep(now isLast: Bool) async throws {
        guard let store, var record, !isKept, isLast || ContinuousClock.now - keptAt > Self.keeping else { return }
        record.items = try watched.items()
        (record.new, record.resolved) = (watched.new, watched.resolved)
        let safe = safePlace
        record.basis?.token = safe.token
        record.basis?.begun = safe.begun
        record.update(at: now)
        self.record = record
        try await store.replace(record)
        (isKept, keptAt) = (true, .now)
    }

    /// The time by the server's clock, in milliseconds since 1970.
    private var now: Int64 { WallClock.milliseconds + clockOffset }

    private func wait(_ duration: Duration) async throws {
        try await duration.wait(checking: session.interruption.check) { _ in }
    }
}
