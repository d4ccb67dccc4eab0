internal import Journal

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
    /// When the process ends, whatever is still being told: it is being ended in the middle of something. Nil where it waits.
    let deadline: ContinuousClock.Instant?
    /// The request to stop; nil where a signal ends the process as it ends any other.
    let interruption: Interruption?
}
