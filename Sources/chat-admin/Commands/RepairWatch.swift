internal import ArgumentParser
internal import BSON
internal import Chat
internal import Consistency
internal import Journal
internal import MongoDriver
internal import Synchronization

/// Stays, and mends what an application with the bug writes: each cycle is a recorded run.
final class RepairWatch: Sendable {
    private let session: CommandSession
    private let change: ChangeOptions
    private let format: OutputFormat
    private let settings: RepairCycle.Settings
    private let changes: RecentChanges
    /// Why something was left, as it was told last.
    private let told = Mutex<[String]>([])

    /// A server that is away, or a lease that another run has, is asked for again after so long.
    private static let again = Duration.seconds(1)

    init(
        _ session: CommandSession, _ change: ChangeOptions, _ settings: RepairCycle.Settings, _ format: OutputFormat
    ) {
        (self.session, self.change, self.settings, self.format) = (session, change, settings, format)
        changes = RecentChanges(session.database, .chat)
    }

    /// Mends until a signal comes, or the time is up.
    ///
    /// - Parameters:
    ///   - plan: What there is to mend at first, for the question.
    ///   - begun: Called when the first cycle begins.
    /// - Throws: What no waiting helps against.
    func run(plan: () async throws -> (changes: Int, lines: [String]), begun: () -> Void) async throws {
        var isAsked = true
        while true {
            do {
                try await follow(isAsked: isAsked, plan) {
                    isAsked = false
                    begun()
                }
            } catch EngineError.interrupted(let reason) where reason != .cancelled {
                return
            } catch let error as MongoError where !isAsked && error.isPassing {
                try await pause("The server is away (\(error.message)); trying again.")
            } catch let error as EngineError where !isAsked && error.isOfLease {
                try await pause("\(error) Trying again.")
            }
            if session.interruption.reason != nil { return }
        }
    }

    private func pause(_ reason: String) async throws {
        session.console.remark(reason)
        do {
            try await Self.again.wait(checking: session.interruption.check) { _ in }
        } catch EngineError.interrupted {
            // Noticed by whoever goes on.
        }
    }

    /// Follows what changes, from a look at everything on, until it can't be told what has changed.
    private func follow(
        isAsked: Bool, _ plan: () async throws -> (changes: Int, lines: [String]), _ begun: () -> Void
    ) async throws {
        let now = try await session.database.serverTime()
        var follower = try await ChangeFollower(
            changes, .chat, after: try await changes.place()?.document, since: now, hasSlices: false)
        do {
            let counters = SettlingCounters(session.database, .chat, settle: settings.settle)
            if let objection = try await counters.objection() { session.console.remark(session.words.text(objection)) }
            var watch = DamageWatch(session.database, .chat, settle: settings.settle)
            _ = try await cycle(&follower, from: .everything, isAsked: isAsked, plan) {
                begun()
                session.console.remark("Mending \(session.database.name) as it comes, until a signal does.")
            }
            while true {
                switch try await watch.wait(&follower, session.interruption) {
                case .unknown(let reason):
                    session.console.remark("Looking at everything again: \(reason).")
                    return await follower.close()
                case .damage(let ids):
                    let mended = try await cycle(
                        &follower, from: .documents(ids), isAsked: false, { (0, []) }, {})
                    if mended == 0 { watch.giveUp(ids) }
                }
            }
        } catch {
            await follower.close()
            throw error
        }
    }

    /// Mends what comes, until nothing does for a while, and tells of it.
    ///
    /// - Returns: How much was mended.
    private func cycle(
        _ follower: inout ChangeFollower, from first: RepairCycle.Start, isAsked: Bool,
        _ plan: () async throws -> (changes: Int, lines: [String]), _ begun: () -> Void
    ) async throws -> Int {
        let now = try await session.database.serverTime()
        var following = follower
        let mended = Mutex(0)
        let start = Mutex(ContinuousClock.now)
        let end = { @Sendable [self] (run: Run) throws in
            mended.withLock { $0 += run.totals.totalChanged }
            let begun = start.withLock { begun in
                defer { begun = .now }
                return begun
            }
            try tell(run, since: begun)
        }
        var runs: RunLine?
        do {
            try end(
                try await session.change(
                    change, asks: isAsked, showsProgress: false, plan: plan, handedOver: end
                ) { line, _ in
                    // Where the connection breaks it begins again.
                    if runs == nil { begun() }
                    runs = line
                    do {
                        try await RepairCycle(line, .chat, settings, begun: now).work(&following, from: first)
                    } catch EngineError.interrupted(let reason) where reason != .cancelled {
                        // The run has come to its end: what was begun is done.
                    }
                })
        } catch let error where error.isPassedOver {
            // Nobody else tells what it had done.
            if let run = runs?.last, run.record.exists { try end(run) }
            throw error
        }
        follower = following
        return mended.withLock { $0 }
    }

    /// Tells what a run has done, if it has done anything, or has left what it hadn't before.
    private func tell(_ run: Run, since start: ContinuousClock.Instant) throws {
        let left = run.totals.leftovers.map { ChangeResult.Left($0, session.words) }
        // What can't be mended is told once.
        let isTold = told.withLock { told in
            defer { told = left.map(\.reason) }
            return told == left.map(\.reason)
        }
        guard run.record.exists || !isTold else { return }
        try session.console.printLine(session.result(run, left: left, since: start), format)
    }
}

extension Error {
    /// Whether a watch goes on after it.
    fileprivate var isPassedOver: Bool {
        (self as? MongoError)?.isPassing ?? (self as? EngineError)?.isOfLease ?? false
    }
}

extension EngineError {
    /// Whether another run has the lease.
    fileprivate var isOfLease: Bool {
        switch self {
        case .leaseHeld, .leaseLost: true
        default: false
        }
    }
}
