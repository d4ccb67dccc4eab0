internal import ArgumentParser
internal import BSON
internal import Journal

/// Makes a run that is at work pause.
struct RunsPause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Ask a run that is at work to pause at its next batch boundary.",
        discussion: "It keeps its lease. SIGUSR1 does the same to its process, SIGUSR2 lets it continue.")

    @OptionGroup var options: GlobalOptions

    @Argument(help: RunName.help)
    var run: String

    func run() async throws { try await PauseRequest(command: "runs pause", pause: true).send(run, options) }
}

/// Lets a paused run go on.
struct RunsResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let a paused run continue.")

    @OptionGroup var options: GlobalOptions

    @Argument(help: RunName.help)
    var run: String

    func run() async throws { try await PauseRequest(command: "runs resume", pause: false).send(run, options) }
}

/// What both of them do.
private struct PauseRequest {
    let command: String
    let pause: Bool

    func send(_ run: String, _ options: GlobalOptions) async throws {
        try await CommandSession.run(command, options, changes: true) { session in
            let record = try await RunRecord.find(session.database, named: run)
            try await RunRecord.setPause(pause, session.database, id: record.id)
            let result = PauseResult(
                command: command, database: session.database.name, run: record.id.hex, paused: pause)
            try session.console.print(result, options.format)
            return .done
        }
    }
}

/// What `runs pause` and `runs resume` print.
private struct PauseResult: CommandResult {
    let command: String
    let database: String
    let run: String
    let paused: Bool

    func lines(_ style: TextStyle) -> [String] {
        [
            paused
                ? "Run \(run) pauses at its next batch boundary; `runs resume \(run)` lets it continue."
                : "Run \(run) continues."
        ]
    }
}
