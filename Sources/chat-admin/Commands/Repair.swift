internal import ArgumentParser
internal import Chat
internal import Consistency
internal import Journal
internal import Synchronization

/// Mends what `check` finds.
struct Repair: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Mend what check finds: ids, references, fields, counts, or all of them.",
        discussion: """
            Each repair is a recorded run that `runs undo` can undo. It exits 0 when nothing of its kind is left \
            wrong, and 1 when something is, which it names with the reason.
            """,
        subcommands: [IDs.self, References.self, Fields.self, Counts.self, All.self], defaultSubcommand: All.self)

    struct IDs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ids",
            abstract: "Give documents whose _id is empty, null or text an ObjectId; references follow.")
        @OptionGroup var repair: RepairOptions

        func run() async throws { try await RepairScope.ids.run(repair) }
    }

    struct References: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make references that are text ObjectIds, where the document that they name exists.")
        @OptionGroup var repair: RepairOptions

        func run() async throws { try await RepairScope.references.run(repair) }
    }

    struct Fields: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give fields that the application can't do without, and that are absent, their declared values.")
        @OptionGroup var repair: RepairOptions

        func run() async throws { try await RepairScope.fields.run(repair) }
    }

    struct Counts: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set message counts, and the times of last messages, to what the messages say.")
        @OptionGroup var repair: RepairOptions

        func run() async throws { try await RepairScope.counts.run(repair) }
    }

    struct All: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Repair ids, then references and fields, then counts.")
        @OptionGroup var repair: RepairOptions

        func run() async throws { try await RepairScope.all.run(repair) }
    }
}

/// What every repair takes.
struct RepairOptions: ParsableArguments {
    @OptionGroup var options: GlobalOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var recount: RecountOptions
}

/// What a repair is about.
enum RepairScope: String {
    case ids
    case references
    case fields
    case counts
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
            case .all: ["id.", "ref.", "field.", "count.", "last."]
            }
        return FindingCode.beginning(with: prefixes)
    }

    /// Which fields are mended, each document's at once.
    private var fields: Set<FieldRepair.Part> {
        switch self {
        case .ids, .counts: []
        case .references: [.references]
        case .fields: [.absentFields]
        case .all: [.references, .absentFields]
        }
    }

    func run(_ repair: RepairOptions) async throws {
        let (options, change, recount) = (repair.options, repair.change, repair.recount)
        try await CommandSession.run("repair \(rawValue)", options, requires: .chatDatabase, changes: true) { session in
            let start = ContinuousClock.now
            let settings = recount.settings(maxTime: options.maxTime)
            if change.dryRun {
                let plans = try await plans(session, settings)
                try session.console.print(session.result(plans, since: start), options.format)
                return .done
            }
            let unresolved = Atomic(0)
            let run = try await session.change(change, offline: settings.offline) {
                var result = session.result(try await plans(session, settings), since: start)
                result.isQuestion = true
                return (result.changes.reduce(0) { $0 + $1.changed }, result.lines(TextStyle(usesColor: false)))
            } _: { run, _ in
                unresolved.store(try await apply(run, settings), ordering: .relaxed)
            }
            // Counting knows by itself what it left: it looked at everything, and set it. A check would also see what the
            // application is between its two halves with. Repairing references knows whether it left any; which, a check tells.
            var checked = codes.filter { !$0.isOfCounter }
            if self == .references, unresolved.load(ordering: .relaxed) == 0 { checked = [] }
            let left = try await session.leftovers(checked, run)
            try session.console.print(session.result(run, left: left, since: start), options.format)
            return session.status(run, isWhole: left.isEmpty)
        }
    }

    private func plans(_ session: CommandSession, _ settings: RepairSettings) async throws -> [StepPlan] {
        var plans: [StepPlan] = []
        if self == .ids || self == .all {
            plans.append(try await IdentityRepair(database: session.database, schema: .chat).plan())
        }
        if !fields.isEmpty {
            plans.append(try await FieldRepair(database: session.database, schema: .chat, fields).plan())
        }
        if self == .counts || self == .all {
            plans.append(try await CounterRepair(database: session.database, schema: .chat).plan(settings))
        }
        return plans
    }

    /// - Returns: How many references were left, where they were repaired.
    private func apply(_ run: Run, _ settings: RepairSettings) async throws -> Int {
        var left = 0
        if self == .counts || self == .all {
            try await CounterSafeguard(database: run.database, schema: .chat).note(run, settings)
        }
        if self == .ids || self == .all {
            try await IdentityRepair(database: run.database, schema: .chat).apply(run)
        }
        if !fields.isEmpty {
            left = try await FieldRepair(database: run.database, schema: .chat, fields).apply(run, settings)
        }
        if self == .counts || self == .all {
            try await CounterRepair(database: run.database, schema: .chat).apply(run, settings)
        }
        return left
    }
}
