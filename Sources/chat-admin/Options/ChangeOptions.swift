internal import ArgumentParser
internal import Journal

/// Options of commands that change the database.
struct ChangeOptions: ParsableArguments {
    @Flag(help: "Show what would be done, and write nothing at all.")
    var dryRun = false

    @Flag(help: "Don't ask; needed where there is no terminal to answer at.")
    var yes = false

    @Option(
        help: ArgumentHelp(
            "Change nothing if the plan is larger: a number of documents, or a percentage of all.",
            valueName: "n|n%"))
    var maxChanges: ChangeLimit?

    @Option(help: ArgumentHelp("Wait this long for another run to end.", valueName: "duration"))
    var wait: Span = Span(0)

    @Option(
        help: ArgumentHelp(
            "Wait between batches while a member of the replica set is further behind; needs the role clusterMonitor.",
            valueName: "duration"))
    var maxLag: Span?

    func validate() throws {
        if let objection = Seconds.objection("--wait", to: wait) { throw ValidationError(objection) }
        if let maxLag, let objection = Seconds.objection("--max-lag", to: maxLag) { throw ValidationError(objection) }
    }
}

/// Options of commands that recount.
struct RecountOptions: ParsableArguments {
    @Flag(help: "Nobody else writes to the database: set counters at once instead of letting them settle.")
    var offline = false

    @Option(
        help: ArgumentHelp(
            "How long a wrong counter must stay as it is before it is set; more than the application's longest gap "
                + "between a message and its count.", valueName: "duration"))
    var settle: Span = Span(10)

    @Option(
        help: ArgumentHelp(
            "How many times to look at all counts; what is still being changed then is left as unsettled.",
            valueName: "n"))
    var rounds = RepairSettings.defaultRounds

    @Option(
        help: ArgumentHelp(
            "How many connections work at once; as many again where counts settle meanwhile.", valueName: "n"))
    var workers = RepairSettings.defaultWorkers

    @Flag(
        help: ArgumentHelp(
            "Set counts to zero also where there isn't a single message: without it they are left, for a database that was "
                + "restored in part looks like that."))
    var zeroCounts = false

    func validate() throws {
        guard (1...Self.mostWorkers).contains(workers) else {
            throw ValidationError("--workers must be between 1 and \(Self.mostWorkers).")
        }
        guard rounds >= 1 else { throw ValidationError("--rounds must be at least 1.") }
        if let objection = Seconds.objection("--settle", to: settle) { throw ValidationError(objection) }
    }

    /// More would only wait for each other, and for the pool's connections.
    private static let mostWorkers = 32

    func settings(maxTime: Span?) -> RepairSettings {
        var settings = RepairSettings()
        settings.workers = workers
        settings.offline = offline
        settings.setsZero = zeroCounts
        settings.rounds = rounds
        settings.settle = settle.duration
        settings.maxTime = maxTime?.duration
        return settings
    }
}

/// The largest plan that may be carried out.
enum ChangeLimit: ExpressibleByArgument, Equatable {
    case documents(Int)
    case percent(Double)

    init?(argument: String) {
        if argument.hasSuffix("%") {
            guard let percent = Double(argument.dropLast()), (0...100).contains(percent) else { return nil }
            self = .percent(percent)
        } else {
            guard let documents = Int(argument), documents >= 0 else { return nil }
            self = .documents(documents)
        }
    }

    /// Whether a plan is within the limit.
    func allows(_ changes: Int, of total: Int) -> Bool {
        switch self {
        case .documents(let limit): changes <= limit
        case .percent(let percent): Double(changes) <= Double(total) * percent / 100
        }
    }
}
