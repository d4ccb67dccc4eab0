internal import ArgumentParser

/// What earlier runs did.
struct Runs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List what earlier runs did, look into one, and undo one.",
        subcommands: [RunsList.self, RunsShow.self, RunsUndo.self, RunsPause.self, RunsResume.self])
}

/// How people name a run.
enum RunName {
    static let help: ArgumentHelp =
        "The run's id, as `runs list` shows it, or the beginning of it; `latest` is the newest."
}
