internal import BSON
internal import Journal

/// What `runs undo` prints: what was undone, or would be, run by run.
struct UndoResult {
    /// One run that was undone.
    struct Undone: Encodable {
        /// The run.
        let run: String
        /// Its command.
        let command: String
        /// The run that undid it; null where nothing was written.
        let by: String?
        let changed: Int
        let left: Int

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(run, forKey: .run)
            try container.encode(command, forKey: .command)
            // Present even when it is null: readers look for it.
            try container.encode(by, forKey: .by)
            try container.encode(changed, forKey: .changed)
            try container.encode(left, forKey: .left)
        }

        private enum CodingKeys: String, CodingKey {
            case run, command, by, changed, left
        }
    }

    private let database: String
    private let dryRun: Bool
    private let totals = Totals()
    private var undone: [Undone] = []
    private let words: AdviceWords

    /// - Parameter words: What advice is put into words with.
    init(database: String, dryRun: Bool, _ words: AdviceWords) {
        self.database = database
        self.dryRun = dryRun
        self.words = words
    }

    /// What is left so far.
    var left: [ChangeResult.Left] { totals.leftovers.map { ChangeResult.Left($0, words) } }

    /// Adds a run.
    ///
    /// - Parameters:
    ///   - run: The run that was undone.
    ///   - undo: The run that undid it; nil where it would be undone.
    ///   - totals: What that changed and left.
    mutating func add(_ run: RunHeading, by undo: Run?, _ totals: Totals) {
        self.totals.add(totals)
        undone.append(
            Undone(
                run: run.id.hex, command: run.command, by: undo.flatMap { $0.record.exists ? $0.id.hex : nil },
                changed: totals.totalChanged, left: totals.leftovers.reduce(0) { $0 + $1.count }))
    }

    /// The whole.
    func ended(since start: ContinuousClock.Instant) -> ChangeResult {
        var result = ChangeResult(
            command: "runs undo", database: database, run: undone.last { $0.by != nil }?.by, dryRun: dryRun,
            changes: totals.changes, left: left, durationMS: (ContinuousClock.now - start).milliseconds)
        result.undone = undone
        return result
    }
}
