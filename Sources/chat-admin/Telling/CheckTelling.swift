internal import ArgumentParser
internal import Checks
internal import Consistency
internal import Dispatch
internal import InputFiles
internal import Journal
internal import Synchronization

/// Tells whom a check's options name how it ended, however it does: at its end, by an error, or at its deadline.
final class CheckTelling: Sendable {
    /// What there is to tell.
    struct News: Sendable {
        var outcome: CheckOutcome
        /// The result as `--format json` prints it.
        let json: String
        /// Whether there was a recorded check to compare it with.
        var isCompared = false
    }

    private let options: TellingOptions
    private let failOn: FailOn
    private let database: String
    private let start = ContinuousClock.now

    private struct State {
        var hasTold = false
        var soFar: (@Sendable () -> News?)?
        var exitCode: Int32?
    }

    private let state = Mutex(State())
    /// Entered while somebody is told.
    private let telling = DispatchGroup()

    /// What is left to print, and to end, where the process ends.
    private static let lastTime = Duration.milliseconds(150)

    /// Tells whom some options name.
    ///
    /// - Parameters:
    ///   - options: The options.
    ///   - failOn: What makes the check fail.
    ///   - database: The database as far as the options name it.
    init(_ options: TellingOptions, failOn: FailOn, database: String?) {
        (self.options, self.failOn) = (options, failOn)
        self.database = database ?? ""
    }

    /// Tells whom a command line names that can't be read: a check that never runs mustn't look like one that is well.
    ///
    /// - Parameter arguments: The arguments; nil where they are no check's.
    convenience init?(refused arguments: [String]) {
        let others = Check.configuration.subcommands.compactMap { $0.configuration.commandName }
        guard let start = arguments.firstIndex(where: { !$0.hasPrefix("-") }), arguments[start] == "check",
            // A subcommand stands right behind its command.
            !arguments.dropFirst(start + 1).prefix(1).contains(where: others.contains)
        else { return nil }
        func values(of option: String) -> [String] {
            let apart = zip(arguments, arguments.dropFirst()).filter { $0.0 == option }.map(\.1)
            return apart
                + arguments.filter { $0.hasPrefix("\(option)=") }.map { String($0.dropFirst(option.count + 1)) }
        }
        var options = TellingOptions()
        options.output = values(of: "--output").compactMap(TellingOptions.OutputFile.init(argument:))
        options.metricsFile = values(of: "--metrics-file").last.flatMap { $0.isEmpty || $0.hasPrefix("-") ? nil : $0 }
        options.notify = values(of: "--notify").last
        options.nagios = arguments.contains("--nagios")
        // Of outputs that are one file, or the records themselves, none is written.
        let isDouble = options.clash(with: values(of: "--record-file").last) != nil
        if isDouble { (options.output, options.metricsFile) = ([], nil) }
        let database = values(of: "--database").last
        self.init(
            options, failOn: .any, database: database.flatMap { DatabaseName.objection(to: $0) == nil ? $0 : nil })
    }

    /// Says how to find what there is to tell before the check has come to its end.
    func tellAtDeadline(_ soFar: @escaping @Sendable () -> News?) { state.withLock { $0.soFar = soFar } }

    /// Tells how a check ended that looked at the data.
    ///
    /// - Parameter print: Prints the result, unless Nagios wants a line of its own.
    /// - Returns: The exit code; nil where it is as it was.
    func tell(
        _ news: News, _ console: Console, _ interruption: Interruption, print: () throws -> Void
    ) async throws -> ExitStatus? {
        guard claim() else { return nil }
        defer { telling.leave() }
        let (failed, news) = await offPool { [self] in
            var news = news
            return (writeFiles(&news, console), news)
        }
        // Whoever is notified hears it also where standard output is closed or full.
        let printed = Result { if options.nagios { try show(news, console) } else { try print() } }
        if let notify = options.notify, news.outcome.isNews,
            let failure = await NotifyCommand(command: notify).run(Array(news.json.utf8), interruption)
        {
            console.error("chat-admin: The command of --notify: \(failure).")
        }
        try printed.get()
        return failed ? .localIO : nil
    }

    /// Tells of a check that came to no end of its own.
    func ended(_ end: CommandEnd) -> Int32 {
        guard claim() else {
            if let deadline = end.deadline { waitUntilTold(deadline - Self.lastTime) }
            return exitCode(end.status.rawValue)
        }
        defer { telling.leave() }
        var outcome = CheckOutcome(database: end.place?.database ?? database)
        outcome.failure = end.sentence
        outcome.durationMS = (ContinuousClock.now - start).milliseconds
        let partial = end.deadline == nil ? nil : state.withLock { $0.soFar }?()
        var news = partial ?? News(outcome: outcome, json: end.json)
        // What came to no end of its own isn't all, whatever was looked at by then.
        if news.outcome.isComplete { news.outcome.failure = end.sentence }
        _ = writeFiles(&news, end.console)
        if options.nagios {
            do {
                try show(news, end.console)
            } catch {
                end.console.error("chat-admin: \(error)")
            }
        }
        // At a deadline it gets the time that is left.
        let rest = end.deadline.map { $0 - Self.lastTime - .now } ?? NotifyCommand.limit
        if let notify = options.notify, news.outcome.isNews,
            let failure = NotifyCommand(command: notify).runToEnd(
                Array(news.json.utf8), end.interruption, within: max(rest, .zero))
        {
            end.console.error("chat-admin: The command of --notify: \(failure).")
        }
        return exitCode(end.status.rawValue)
    }

    /// Waits for whoever is being told. A command that isn't done by then is ended, which is told, too.
    private func waitUntilTold(_ deadline: ContinuousClock.Instant) {
        func wait(until end: ContinuousClock.Instant) -> Bool {
            telling.wait(timeout: .now() + .milliseconds(Int(max((end - .now).milliseconds, 0)))) == .success
        }
        if wait(until: deadline) { return }
        NotifyCommand.endRunning()
        _ = wait(until: deadline + Self.lastTime / 2)
    }

    /// The exit code that whoever started the check expects.
    func exitCode(_ code: Int32) -> Int32 {
        guard options.nagios else { return code }
        return state.withLock { $0.exitCode } ?? NagiosStatus.Level.unknown.rawValue
    }

    private func claim() -> Bool {
        state.withLock { state in
            guard !state.hasTold else { return false }
            state.hasTold = true
            telling.enter()
            return true
        }
    }

    /// Writes what is to be written. What fails is a failure of the check for those told after it.
    ///
    /// - Returns: Whether something failed.
    private func writeFiles(_ news: inout News, _ console: Console) -> Bool {
        var failures: [String] = []
        for output in options.output {
            let text = output.kind == .json ? news.json + "\n" : JUnitText(news.outcome).text
            do {
                try AtomicFile.writeNow(Array(text.utf8), to: output.path)
            } catch {
                failures.append(error.description)
            }
        }
        if !failures.isEmpty, news.outcome.failure == nil { news.outcome.failure = failures[0] }
        if let path = options.metricsFile {
            do {
                // Another check may write its database's into the same file.
                try FolderLock.holding(path) {
                    let before = try Self.content(of: path)
                    let text = try MetricsText(news.outcome, now: WallClock.milliseconds, before: before).text
                    try AtomicFile.writeNow(Array(text.utf8), to: path)
                }
            } catch {
                let words = (error as? AtomicFile.Failure)?.description ?? "\(path) wasn't written: \(error)."
                failures.append(words)
                if news.outcome.failure == nil { news.outcome.failure = words }
            }
        }
        for failure in failures { console.error("chat-admin: \(failure)") }
        return !failures.isEmpty
    }

    /// What a file of metrics held; nil where there is none.
    private static func content(of path: String) throws -> String? {
        do {
            return String(decoding: try InputFile.readOrdinary(path, limit: largest), as: UTF8.self)
        } catch {
            if error.kind == .missing { return nil }
            throw error
        }
    }

    /// The largest file of metrics that is read.
    private static let largest = 16 << 20

    private func show(_ news: News, _ console: Console) throws {
        let status = NagiosStatus(news.outcome, counting: failOn, isCompared: news.isCompared)
        state.withLock { $0.exitCode = status.level.rawValue }
        try console.result([status.line], width: nil)
    }
}
