internal import Synchronization

/// The end of a command that stays until it is asked to stop: from when it has begun, being stopped is what it was to do, also
/// where the server doesn't answer.
final class OrderlyEnd: Sendable {
    private let hasBegun = Atomic(false)

    /// Notes that it has begun.
    func begin() { hasBegun.store(true, ordering: .relaxed) }

    /// The exit code of a command that came to no end of its own.
    func exitCode(_ end: CommandEnd) -> Int32 {
        end.deadline != nil && hasBegun.load(ordering: .relaxed) ? ExitStatus.done.rawValue : end.status.rawValue
    }
}
