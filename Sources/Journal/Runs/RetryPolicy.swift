package import MongoDriver

/// When to go on after a failure that passes by itself: a broken connection, an election, a restart of the server.
///
/// The driver has retried what it may repeat blindly by then (once, as the specification of retryable writes says). What
/// is left is not repeated but resolved by looking: the journal says what was begun, the documents say what was done.
/// Pauses grow exponentially, with jitter, as in the drivers' specifications.
package struct RetryPolicy: Sendable {
    /// So many failures in a row, without a journal entry in between, are the last.
    package static let attempts = 8
    private static let shortest = Duration.milliseconds(100)
    private static let longest = Duration.seconds(5)

    private var failures = 0
    private var mark: Int64 = -1

    /// Nothing has failed yet.
    package init() {}

    /// Decides about a failure.
    ///
    /// - Parameters:
    ///   - error: What failed.
    ///   - mark: How far the run had come: any number that grows with its work.
    ///   - jitter: Between 0 and 1, for the length of the pause.
    /// - Returns: How long to pause before going on; nil when the failure stands.
    package mutating func pause(
        after error: any Error, mark: Int64, jitter: Double = .random(in: 0...1)
    ) -> Duration? {
        guard Self.transientCause(of: error) != nil else { return nil }
        failures = mark == self.mark ? failures + 1 : 1
        self.mark = mark
        guard failures < Self.attempts else { return nil }
        let pause = min(Self.shortest * (1 << (failures - 1)), Self.longest)
        return pause * (0.5 + jitter / 2)
    }

    /// Whether something may be done again at once that is about to succeed; not without end.
    mutating func mayRepeat() -> Bool {
        failures += 1
        return failures < Self.attempts
    }

    /// The failure of connection or server behind an error, if it is one that passes by itself.
    package static func transientCause(of error: any Error) -> MongoError? {
        switch error {
        case let error as MongoError: error.isTransient ? error : nil
        case let error as UnrecordedFailure: transientCause(of: error.first)
        case EngineError.stepFailed(_, _, _, let underlying): transientCause(of: underlying)
        default: nil
        }
    }
}
