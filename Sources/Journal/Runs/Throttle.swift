internal import BSON
internal import MongoDriver
internal import Synchronization

/// Whether a run is asked to pause, by a signal for example.
package final class PauseSwitch: Sendable {
    private let isOnState = Mutex(false)

    /// Not paused.
    package init() {}

    /// Whether the run shall wait at the next batch boundary.
    package var isOn: Bool {
        get { isOnState.withLock { $0 } }
        set { isOnState.withLock { $0 = newValue } }
    }
}

/// Makes a run wait between two batches: while it is paused, and while a replica set's members lag behind.
///
/// It looks at most once a second, so it costs nothing where batches are fast.
package final class Throttle: Sendable {
    /// The largest replication lag at which the run goes on; nil doesn't look.
    package let maxLag: Duration?
    /// The switch that signals turn.
    package let pause: PauseSwitch
    private let start = ContinuousClock.now
    private let state = Mutex((nextLook: ContinuousClock.now, waiting: 0))

    private static let interval = Duration.seconds(1)
    private static let nap = Duration.milliseconds(250)

    /// Makes a throttle.
    package init(maxLag: Duration? = nil, pause: PauseSwitch = PauseSwitch()) {
        self.maxLag = maxLag
        self.pause = pause
    }

    /// Waits until the run may go on.
    ///
    /// - Throws: ``EngineError`` when the run is asked to stop meanwhile, `MongoError`.
    func wait(_ run: Run) async throws {
        // Where one worker has found a reason to wait, all look.
        let isTime = state.withLock { state in
            let now = ContinuousClock.now
            guard pause.isOn || state.waiting > 0 || now >= state.nextLook else { return false }
            state.nextLook = now + Self.interval
            return true
        }
        guard isTime, var reason = try await reason(run) else { return }
        state.withLock { $0.waiting += 1 }
        defer { state.withLock { $0.waiting -= 1 } }
        while true {
            try run.checkpoint()
            run.progress(ProgressUpdate("waiting", done: run.totals.totalChanged, waiting: reason))
            try await Task.sleep(for: Self.nap)
            guard let next = try await self.reason(run) else { return }
            reason = next
        }
    }

    /// Why the run has to wait just now, if it has to.
    private func reason(_ run: Run) async throws -> Sentence? {
        if pause.isOn { return "paused (\(EngineAdvice.switchPauseOff))" }
        // Nobody can have asked for it before.
        if ContinuousClock.now - start >= Self.interval, try await isPausedByRecord(run) {
            return "paused (\(EngineAdvice.resumeRun(run.id)))"
        }
        guard let maxLag, run.database.server.topology == .replicaSet else { return nil }
        let lag = try await Self.lag(run.database)
        guard lag > maxLag else { return nil }
        return "throttled: lag \(Double((lag.milliseconds + 50) / 100) / 10) s"
    }

    /// Whether somebody has asked the run to pause, in its record.
    func isPausedByRecord(_ run: Run) async throws -> Bool {
        guard run.record.exists else { return false }
        let found = try await run.database.findAll(
            StateCollection.runs, filter: ["_id": .objectID(run.id)], options: ["projection": ["pause": 1]])
        return found.first?["pause"]?.bool ?? false
    }

    /// How far the slowest member that holds data is behind the primary.
    ///
    /// - Throws: `MongoError` of kind `unauthorized` without the role `clusterMonitor`.
    static func lag(_ database: Database) async throws -> Duration {
        let status = try await database.client.run(["replSetGetStatus": 1], on: "admin")
        let members = (status["members"]?.array?.values ?? []).compactMap(\.document)
        let times = { (state: String) in
            members.filter { $0["stateStr"]?.string == state }.compactMap { $0["optimeDate"]?.date }
        }
        guard let newest = times("PRIMARY").max(), let slowest = times("SECONDARY").min() else { return .zero }
        return .milliseconds(max(newest - slowest, 0))
    }
}
