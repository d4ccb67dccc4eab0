internal import ArgumentParser
internal import BSON
internal import Chat
internal import Checks
internal import Consistency
internal import Glibc
internal import InputFiles
internal import Journal
internal import Logging
internal import Migrations
internal import MongoDriver

/// What a command works with: a connected database, a console, and the request to stop.
struct CommandSession: Sendable {
    let command: String
    let place: Place
    let console: Console
    let pool: MongoPool
    let database: Database
    let interruption: Interruption
    /// Turned by SIGUSR1 and SIGUSR2.
    let pause: PauseSwitch
    /// What the command has changed so far.
    let trail: ChangeTrail
    /// Ends the process where a request to stop can't be heeded in time.
    let stop: StopDeadline
    /// What can be printed of the result before the command has come to its end.
    let soFar: ResultSoFar

    /// Where progress goes.
    var progress: ProgressReport { { [console] in console.progress($0) } }

    /// What advice is put into words with.
    var words: AdviceWords { console.words }

    /// What a database must hold for a command.
    enum Requirement {
        case nothing
        /// Whatever there is: the command looks for itself.
        case anything
        /// The application's collections, or this tool's state: a name that is misspelt looks like a database without.
        case knownDatabase
        /// The application's collections, or steps that were applied to them: the state alone may be another series'.
        case chatDatabase
    }

    /// Connects, runs a command, prints errors as sentences and ends with the exit code that they mean.
    ///
    /// - Parameters:
    ///   - name: The command, as results and runs call it.
    ///   - options: The options that every command takes.
    ///   - requirement: What the database must hold.
    ///   - changes: Whether it may change something: then it decides by the primary alone, whatever member may answer reads.
    ///   - words: What advice is put into words with.
    ///   - failing: Makes a result of an error, and prints it; nil where it is none.
    ///   - ended: Told of a command that came to no end of its own, and says which exit code that is; may block.
    ///   - beforeConnecting: Refuses a server before anything is sent to it, and reads files.
    ///   - body: The command.
    /// - Throws: `ExitCode`.
    static func run(
        _ name: String, _ options: GlobalOptions, requires requirement: Requirement = .knownDatabase,
        changes: Bool = false, words: AdviceWords = AdviceWords(), ended: (@Sendable (CommandEnd) -> Int32)? = nil,
        beforeConnecting: (ConnectionString) async throws -> Void = { _ in },
        failing: (any Error, Place?, Console) throws -> ExitStatus? = { _, _, _ in nil },
        _ body: (CommandSession) async throws -> ExitStatus
    ) async throws {
        let console = Console(
            isQuiet: options.quiet, isVerbose: options.verbose > 0, noColor: options.noColor, words: words)
        let interruption = Interruption()
        let pause = PauseSwitch()
        let trail = ChangeTrail()
        let soFar = ResultSoFar()
        // Where others are to be told there is more to do in the end.
        let stop = StopDeadline(interruption, telling: ended != nil) { reason, grace in
            let deadline = ContinuousClock.now + grace
            let error = reason.map { EngineError.interrupted($0) }
            let status = error.map { ExitStatus($0) } ?? .unreachable
            Console.showTyping()
            // Nobody may be reading what is printed.
            StopDeadline.after(grace) { StopDeadline.end(status.rawValue) }
            var failure = ErrorResult([unanswered(reason, trail)], trail, status, name, words)
            let code = ended?(failure.end(status, console, interruption, deadline))
            failure.exitCode = code ?? status.rawValue
            if !soFar.print(console, options.format) { report(failure, trail, options, console) }
            StopDeadline.end(code ?? status.rawValue)
        }
        let trap = await SignalTrap(interruption, pause, console)
        defer { trap.cancel() }
        let timer = startTimer(options.maxTime, interruption)
        defer { timer?.cancel() }
        let parts = Parts(
            console: console, interruption: interruption, pause: pause, trail: trail, stop: stop, soFar: soFar)
        let status: ExitStatus
        var target: ConnectionSource.Target?
        do {
            let source = try await ConnectionSource(options, typed: console.canAskSecretly)
            var found = try source.target()
            console.begin(at: found.place)
            if source.isTyped {
                let question = "Password of \(found.connection.username ?? "the user"): "
                found = try source.typing(try await console.askSecretly(question, interruption)).target()
            }
            target = found
            try await beforeConnecting(found.connection)
            status = try await connect(name, options, found, parts, requirement, changes, body)
        } catch {
            // Whoever ends the process at the deadline has told what there is to tell.
            guard stop.take() else { return await forever() }
            if let status = try failing(error, target?.place, console) { throw ExitCode(status.rawValue) }
            status = ExitStatus(error)
            let lines = sentences(error, words, name, target, hasRun: trail.run != nil)
            var failure = ErrorResult(lines, trail, status, name, words)
            let end = failure.end(status, console, interruption)
            let code = if let ended { await offPool { ended(end) } } else { status.rawValue }
            failure.exitCode = code
            report(failure, trail, options, console)
            throw ExitCode(code)
        }
        guard stop.take() else { return await forever() }
        if status != .done { throw ExitCode(status.rawValue) }
    }

    /// What a command is made of before it is connected.
    private struct Parts {
        let console: Console
        let interruption: Interruption
        let pause: PauseSwitch
        let trail: ChangeTrail
        let stop: StopDeadline
        let soFar: ResultSoFar
    }

    private static func forever() async {
        while true {
            await Task.yield()
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// An error's words, line by line, and what may help.
    private static func sentences(
        _ error: any Error, _ words: AdviceWords, _ command: String, _ target: ConnectionSource.Target?, hasRun: Bool
    ) -> [String] {
        switch error {
        case EngineError.interrupted(.timeIsUp):
            return ["The time given by --max-time is over before the end was reached."]
        case EngineError.interrupted where !hasRun: return ["Interrupted. Nothing was changed."]
        default: break
        }
        let lines = ((error as? EngineError)?.lines ?? [Sentence(of: error)]).map(words.text)
        guard let hint = target.map(ConnectionHint.init) else { return lines }
        switch error {
        case let failure as NoConnection: return [hint.words(failure.underlying)] + failure.hints
        case let error as MongoError: return [hint.words(error)] + hint.hints(for: error, of: command)
        default: return lines + hint.hints(for: error, of: command)
        }
    }

    /// Why the process is ended in the middle of something.
    private static func unanswered(_ reason: StopReason?, _ trail: ChangeTrail) -> String {
        let what =
            switch reason {
            case nil: "The server doesn't answer, so the lease couldn't be taken in the time given by --wait."
            case .timeIsUp?:
                "The time given by --max-time is over, before the next batch boundary or the server's answer."
            case .some: "Stopped before the next batch boundary or the server's answer."
            }
        guard trail.run != nil else { return what }
        return what
            + " What was begun is finished by the next run; the lease of this one is over in half a minute at most."
    }

    private static func connect(
        _ name: String, _ options: GlobalOptions, _ target: ConnectionSource.Target, _ parts: Parts,
        _ requirement: Requirement, _ changes: Bool, _ body: (CommandSession) async throws -> ExitStatus
    ) async throws -> ExitStatus {
        if let warning = target.warning { parts.console.remark(warning) }
        let logger = makeLogger(options.verbose, parts.console)
        MongoRuntime.log(to: logger)
        let pool = try await hinting(target) {
            try MongoPool(target.connection, options: RunLifecycle.poolOptions, logger: logger)
        }
        pool.keepUntilExit()
        return try await pool.withClient { client in
            let reads = options.readPreference ?? target.connection.readPreference
            var database = try await hinting(target) {
                try await Database.open(client, name: target.place.database, readPreference: changes ? nil : reads)
            }
            database.progress = { [console = parts.console] in console.progress($0) }
            parts.console.note(version: database.server.version, topology: database.server.topology.rawValue)
            if target.place.databaseFrom == nil { try await OtherDatabase(database: database).refuse(name) }
            try await check(database, requirement, name, changes)
            let session = CommandSession(
                command: name, place: target.place, console: parts.console, pool: pool, database: database,
                interruption: parts.interruption, pause: parts.pause, trail: parts.trail, stop: parts.stop,
                soFar: parts.soFar)
            return try await body(session)
        }
    }

    /// Makes the first contact.
    ///
    /// - Throws: ``NoConnection``, and what isn't a `MongoError`.
    private static func hinting<R>(
        _ target: ConnectionSource.Target, _ contact: () async throws -> R
    ) async throws -> R {
        do {
            return try await contact()
        } catch let error as MongoError {
            throw NoConnection(underlying: error, hints: await ConnectionHint(target).hints(for: error))
        }
    }

    /// A check of the wrong database would find nothing wrong with it.
    private static func check(
        _ database: Database, _ requirement: Requirement, _ command: String, _ changes: Bool
    ) async throws {
        if case .anything = requirement { return }
        // Whatever changes something looks for itself, under the lease or before it.
        if case .nothing = requirement, changes { return }
        let present = try await database.collections()
        try StateCollection.check(present, isChanged: changes)
        if case .nothing = requirement { return }
        let expected = DatabaseSchema.chat.collections.map(\.name)
        if expected.contains(where: { present[$0] != nil }) { return }
        if present[StateCollection.runs] != nil {
            if case .chatDatabase = requirement { try await checkHadSteps(database, command) }
            return
        }
        let hosts = database.client.connectionString.hosts.joined(separator: ",")
        let what =
            present.isEmpty
            ? "There is no database `\(database.name)` at \(hosts)."
            : "The database `\(database.name)` at \(hosts) has none of the collections "
                + expected.joined(separator: ", ") + "."
        throw Failure(
            .configuration, what + " Name the right one with --database; `chat-admin seed` makes a new one.")
    }

    /// A database without the application's collections may have another series' steps, and runs of theirs.
    private static func checkHadSteps(_ database: Database, _ command: String) async throws {
        let own = try await database.findAll(
            StateCollection.migrations, filter: ["series": .string(ChatMigrations.series)], options: ["limit": 1])
        guard own.isEmpty else { return }
        let expected = DatabaseSchema.chat.collections.map(\.name)
        throw Failure(
            .configuration,
            "The database `\(database.name)` has none of the collections \(expected.joined(separator: ", ")), which "
                + "`\(command)` is about. Name another database with --database"
                + (command.hasPrefix("migrate") ? ", or other steps with --steps." : "."))
    }

    private static func startTimer(_ time: Span?, _ interruption: Interruption) -> Task<Void, Never>? {
        time.map { time in
            Task {
                do {
                    try await Task.sleep(for: time.duration)
                } catch {
                    return  // Cancelled: the command ended in time.
                }
                interruption.request(.timeIsUp)
            }
        }
    }

    private static func makeLogger(_ verbosity: Int, _ console: Console) -> Logger {
        let level: Logger.Level =
            switch verbosity {
            case 0: .error
            case 1: .debug
            default: .trace
            }
        return PlainLogHandler.logger(level) { console.clearProgress() }
    }

    /// What is printed of a command that failed.
    struct ErrorResult: Encodable {
        let command: String
        let error: String
        fileprivate(set) var exitCode: Int32
        /// The run, where something was written, what it had changed and left, and the steps that it had done.
        var run: String?
        var changes: [Change]?
        var left: [ChangeResult.Left]?
        var steps: [ChangeResult.Step]?
        /// The error's lines: what looks like a line break within one is text from elsewhere.
        fileprivate var lines: [String] = []

        private enum CodingKeys: String, CodingKey {
            case command, error, exitCode, run, changes, left, steps
        }

        init(command: String, error: String, exitCode: Int32) {
            (self.command, self.error, self.exitCode) = (command, error, exitCode)
        }
    }

    /// A server repeats in its words what it refuses, and that may be a whole document.
    fileprivate static let (mostLines, longestLine) = (100, 4000)

    /// Says what went wrong: a sentence on standard error and, with `--format json`, a document on standard output.
    private static func report(
        _ failure: ErrorResult, _ trail: ChangeTrail, _ options: GlobalOptions, _ console: Console
    ) {
        console.endProgress()
        console.error(["chat-admin: \(failure.lines.first ?? "")"] + failure.lines.dropFirst())
        if let changes = trail.text(console.words) { console.error(changes) }
        guard options.format == .json else { return }
        do {
            try console.result(json: failure)
        } catch {
            console.error("chat-admin: \(error)")
        }
    }
}

extension CommandSession.ErrorResult {
    fileprivate init(
        _ lines: [String], _ trail: ChangeTrail, _ status: ExitStatus, _ command: String, _ words: AdviceWords
    ) {
        let lines = lines.prefix(CommandSession.mostLines).map {
            Redaction.redact($0).excerpt(maximumCharacters: CommandSession.longestLine)
        }
        self.init(command: command, error: lines.joined(separator: "\n"), exitCode: status.rawValue)
        self.lines = lines
        run = trail.run
        changes = trail.totals?.changes
        left = trail.totals?.leftovers.map { ChangeResult.Left($0, words) }
        if !trail.steps.isEmpty { steps = trail.steps }
    }

    func end(
        _ status: ExitStatus, _ console: Console, _ interruption: Interruption?,
        _ deadline: ContinuousClock.Instant? = nil
    ) -> CommandEnd {
        CommandEnd(
            status: status, sentence: error, json: (try? console.json(self)) ?? "{}", place: console.place,
            console: console, deadline: deadline, interruption: interruption)
    }
}
