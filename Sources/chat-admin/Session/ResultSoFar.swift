internal import Synchronization

/// What can be printed of a command's result before it has come to its end.
final class ResultSoFar: Sendable {
    private let make = Mutex<(@Sendable () -> any CommandResult)?>(nil)

    /// Says how to tell what there is by now.
    func tell(_ result: @escaping @Sendable () -> any CommandResult) { make.withLock { $0 = result } }

    /// Prints it.
    ///
    /// - Returns: Whether there was anything to print.
    func print(_ console: Console, _ format: OutputFormat) -> Bool {
        guard let make = make.withLock({ $0 }) else { return false }
        do {
            try console.print(make(), format)
        } catch {
            console.error("chat-admin: \(error)")
        }
        return true
    }
}
