internal import ArgumentParser
internal import Chat
internal import Consistency
internal import Journal
internal import MigrationEngine
internal import Migrations
internal import MongoDriver
internal import Synchronization

/// Mends what `check` finds.
struct Repair: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Mend what check finds: ids, references, fields, counts, a lost guard or index, or all of them.",
        discussion: """
            Each repair is a recorded run that `runs undo` can undo. It exits 0 when nothing of its kind is left \
            wrong, and 1 when something is, which it names with the reason.
            """,
        subcommands: [
            IDs.self, References.self, Fields.self, Counts.self, Guards.self, Indexes.self, All.self,
        ], defaultSubcommand: All.self)

    struct IDs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ids",
            abstract: "Give documents whose _id is empty, null or text an ObjectId; references follow.")
        @OptionGroup var repair: RepairOptions

        func run() async throws { try await repair.run(.ids) }
    }

    struct References: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make references that are text ObjectIds, where the document that they name exists.")
        @OptionGroup var repair: RepairOptions

        func run() async throws { try await repair.run(.references) }
    }

    struct Fields: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give fields that the application can't do without, and that are absent, their declared values.")
        @OptionGroup var repair: RepairOptions

        func run() async throws { try await repair.run(.fields) }
    }

    struct Counts: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set message counts, and the times of last messages, to what the messages say.")
        @OptionGroup var repair: RepairOptions

        func run() async throws { try await repair.run(.counts) }
    }

    struct Guards: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "guard", abstract: "Set the guard again where it got lost since step 1 set it.",
            discussion: lost)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var change: ChangeOptions

        func run() async throws { try await RepairScope.guards.run(options, change, RepairSettings()) }
    }

    struct Indexes: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the indexes again that got lost since steps 4 and 6 made them.", discussion: lost)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var change: ChangeOptions

        func run() async throws { try await RepairScope.indexes.run(options, change, RepairSettings()) }
    }

    private static let lost = """
        For what somebody dropped, or was dropped with its collection. Steps that aren't applied are `migrate up`'s: this \
        refuses to do their work (exit code 4).
        """

    struct All: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Repair a lost guard, ids, references and fields, lost indexes, counts.",
            discussion: """
                With --watch it stays, and mends the ids, references and counts that an application with the bug writes, until a \
                signal comes: the application's inserts go through, for an empty _id is gone before the next one comes. \
                What it mends until nothing has come for ten seconds is one run; one that has taken a quarter of an hour \
                (--cycle) hands over to the next one.
                """)
        @OptionGroup var repair: RepairOptions

        @Flag(help: "Stay, and mend what the application writes as it comes, until a signal comes.")
        var watch = false

        @Option(
            help: ArgumentHelp(
                "How long one run may take with --watch; each is undone as a whole. (default: 15m)",
                valueName: "duration"))
        var cycle: Span?

        func validate() throws {
            guard watch else {
                guard cycle == nil else {
                    throw ValidationError("--cycle is about the runs of --watch, which isn't given.")
                }
                return
            }
            if let cycle, !Self.cycles.contains(cycle.seconds) {
                throw ValidationError("--cycle must be from 1s to 24h.")
            }
            let others = [
                ("--dry-run", repair.change.dryRun), ("--max-changes", repair.change.maxChanges != nil),
                ("--offline", repair.recount.offline),
            ]
            if let other = others.first(where: \.1) {
                throw ValidationError("\(other.0) is about a repair that has an end, and --watch has none.")
            }
        }

        func run() async throws {
            guard watch else { return try await repair.run(.all) }
            try await repair.stay(cycle: cycle?.duration)
        }

        /// How long a run of --watch may be, in seconds.
        private static let cycles = 1.0...86_400
    }
}

/// What every repair takes.
struct RepairOptions: ParsableArguments {
    @OptionGroup var options: GlobalOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var recount: RecountOptions

    /// Mends what comes until a signal does, or the time is up: an orderly end, also where the server doesn't answer.
    ///
    /// - Parameter cycle: How long one run may take; nil for as long as usual.
    func stay(cycle: Duration?) async throws {
        let end = OrderlyEnd()
        try await CommandSession.run(
            "repair all", options, requires: .chatDatabase, changes: true, ended: end.exitCode
        ) { session in
            let start = ContinuousClock.now
            var settings = RepairCycle.Settings(settle: recount.settle.duration)
            if let cycle { settings.longest = cycle }
            let watch = RepairWatch(session, change, settings, options.format)
            try await watch.run(
                plan: {
                    var result = session.result(
                        try await RepairScope.all.plans(session.database, recount.settings(maxTime: nil)), since: start)
                    result.isQuestion = true
                    return (
                        max(result.changes.reduce(0) { $0 + $1.changed }, 1), result.lines(TextStyle(usesColor: false))
                    )
                }, begun: end.begin)
            return .done
        }
    }

    func run(_ scope: RepairScope) async throws {
        try await scope.run(options, change, recount.settings(maxTime: options.maxTime))
    }
}

/// What a repair is about.
enum RepairScope: String {
    case ids
    case references
    case fields
    case counts
    case guards = "guard"
    case indexes
    case all

    /// The findings that it mends or reports.
    var codes: Set<FindingCode> {
        let prefixes: [String] =
            switch self {
            case .ids: ["id."]
            // The others are reported by a check; no repair of references has a say in them.
            case .references: ["ref.string", "ref.empty"]
            case .fields: ["field.missing"]
            case .counts: ["count.", "last."]
            case .guards: ["guard."]
            case .indexes: ["index."]
            case .all: ["id.", "ref.", "field.", "count.", "last."]
            }
        return FindingCode.beginning(with: prefixes)
    }

    /// Which fields are mended, each document's at once.
    private var fields: Set<FieldRepair.Part> {
        switch self {
        case .ids, .counts, .guards, .indexes: []
        case .references: [.references]
        case .fields: [.absentFields]
        case .all: [.references, .absentFields]
        }
    }

    func run(_ options: GlobalOptions, _ change: ChangeOptions, _ settings: RepairSettings) async throws {
        try await CommandSession.run("repair \(rawValue)", options, requires: .chatDatabase, changes: true) { session in
            let start = ContinuousClock.now
            if change.dryRun {
                session.console.enter(stage: "planning")
                let plans = try await plans(session.database, settings)
                try session.console.print(session.result(plans, since: start), options.format)
                return .done
            }
            // Refused before anybody is asked.
            _ = try await lost(session.database)
            let damage =
                try await setsGuard(session.database) ? DamageResult.newest(session.database, isKnown: false) : nil
            let unresolved = Atomic(0)
            let run = try await session.change(
                change, offline: settings.offline, remark: damage?.remark(setsGuard: true)
            ) {
                var result = session.result(try await plans(session.database, settings), since: start)
                result.isQuestion = true
                return (result.changes.reduce(0) { $0 + $1.changed }, result.lines(TextStyle(usesColor: false)))
            } _: { run, _ in
                unresolved.store(try await apply(run, settings), ordering: .relaxed)
            }
            // Counting knows by itself what it left: it looked at everything, and set it. A check would also see what the
            // application is between its two halves with. Repairing references knows whether it left any; which, a check tells.
            var checked = codes.filter { !$0.isOfCounter && $0.severity == .error }
            if self == .references, unresolved.load(ordering: .relaxed) == 0 { checked = [] }
            let left = try await session.leftovers(checked, run)
            try session.console.print(session.result(run, left: left, since: start), options.format)
            return session.status(run, isWhole: left.isEmpty)
        }
    }

    /// What applied steps have made, of what this repair puts back.
    ///
    /// - Throws: ``Failure`` where the repair is about nothing else, and the steps aren't applied.
    private func lost(_ database: Database) async throws -> Set<Installed> {
        let wanted: Set<Installed> =
            switch self {
            case .ids, .references, .fields, .counts: []
            case .guards: [.guards]
            case .indexes: [.indexes, .uniqueIndexes]
            case .all: Set(Installed.allCases)
            }
        guard !wanted.isEmpty else { return [] }
        let states: [StepStatus]
        do {
            let numbers = wanted.map(\.rawValue)
            states = try await ChatMigrations.runner.status(database).filter { numbers.contains($0.version) }
        } catch is StateError where self == .all {
            // The rest has nothing to do with the ledger, and `migrate` says what is wrong with it.
            return []
        }
        let made = Set(states.filter { $0.state == .applied }.compactMap { Installed(rawValue: $0.version) })
        guard made.isEmpty, self != .all else { return made }
        let words = states.map { "step \($0.version) is \($0.state.rawValue)" }.joined(separator: ", ")
        throw Failure(
            .refused,
            "Only what an applied step has made can be put back, and \(words). "
                + "`migrate up --to \(states.first?.version ?? 0)` goes on with that.")
    }

    func plans(_ database: Database, _ settings: RepairSettings) async throws -> [StepPlan] {
        let lost = try await lost(database)
        var plans: [StepPlan] = []
        if lost.contains(.guards) { plans.append(try await GuardRepair(database: database, schema: .chat).plan()) }
        if self == .ids || self == .all {
            plans.append(try await IdentityRepair(database: database, schema: .chat).plan())
        }
        if !fields.isEmpty {
            plans.append(try await FieldRepair(database: database, schema: .chat, fields).plan())
        }
        for isUnique in Self.kinds(lost) {
            plans.append(
                try await IndexRepair(database: database, schema: .chat, isUnique: isUnique).plan(leavesBlocked: true))
        }
        if self == .counts || self == .all {
            plans.append(try await CounterRepair(database: database, schema: .chat).plan(settings))
        }
        return plans
    }

    /// - Returns: How many references were left, where they were repaired.
    private func apply(_ run: Run, _ settings: RepairSettings) async throws -> Int {
        var left = 0
        // Asked again under the lease: a step may have been reverted meanwhile.
        let lost = try await lost(run.database)
        if self == .counts || self == .all {
            try await CounterSafeguard(database: run.database, schema: .chat).note(run, settings)
        }
        if lost.contains(.guards) { try await setGuard(run) }
        if self == .ids || self == .all {
            try await IdentityRepair(database: run.database, schema: .chat).apply(run)
        }
        if !fields.isEmpty {
            left = try await FieldRepair(database: run.database, schema: .chat, fields).apply(run, settings)
        }
        for isUnique in Self.kinds(lost) {
            let repair = IndexRepair(database: run.database, schema: .chat, isUnique: isUnique)
            try await repair.apply(run, leavesBlocked: true)
        }
        if self == .counts || self == .all {
            try await CounterRepair(database: run.database, schema: .chat).apply(run, settings)
        }
        return left
    }

    /// Whether it sets a guard that got lost.
    private func setsGuard(_ database: Database) async throws -> Bool {
        guard try await lost(database).contains(.guards) else { return false }
        return try await !GuardRepair(database: database, schema: .chat).stands()
    }

    private func setGuard(_ run: Run) async throws {
        do {
            try await GuardRepair(database: run.database, schema: .chat).apply(run)
        } catch let error as MongoError where error.kind == .unauthorized && self == .all {
            // The rest needs less.
            run.totals.left(
                FindingCode.missingGuard.rawValue, "", 1,
                reason: "the user may not set it again: `repair guard` needs the role dbAdmin too")
        }
    }

    /// The kinds of indexes to be looked after: whether they are unique.
    private static func kinds(_ lost: Set<Installed>) -> [Bool] {
        (lost.contains(.indexes) ? [false] : []) + (lost.contains(.uniqueIndexes) ? [true] : [])
    }
}
