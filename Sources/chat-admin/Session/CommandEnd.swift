/// How a command ended that came to no end of its own: by an error, at its deadline, or by a command line that can't be
/// read.
struct CommandEnd: Sendable {
    /// The exit code as it would be.
    let status: ExitStatus
    /// Why.
    let sentence: String
    /// The result as `--format json` prints it.
    let json: String
    /// The server and the database; nil where they weren't known yet.
    let place: Place?
    let console: Console
    /// Whether the process is being ended in the middle of something: there is no time to lose.
    let isForced: Bool
}
