internal import Glibc
internal import Journal
internal import Synchronization

/// Ends the process where a request to stop can't be heeded in time: the server has stopped answering, or takes long over
/// one command. As safe as `kill -9`: the next run finishes what was begun.
///
/// It works on threads of its own, for all others may wait on the server.
final class StopDeadline: Sendable {
    /// How long a command may take from a request to stop to its end: with what printing takes, two seconds.
    private let grace: Duration

    /// How long the telling may take, where nobody reads it.
    private let lastGrace: Duration

    private struct State {
        var isOver = false
        var watches = 0
    }

    private let state = Mutex(State())
    private let tell: @Sendable (_ reason: StopReason?, _ grace: Duration) -> Void

    /// Makes a deadline that begins with a request to stop.
    ///
    /// - Parameters:
    ///   - interruption: The request.
    ///   - telling: Whether there is more to tell than a line: files to be written, say.
    ///   - end: Tells what there is to tell within a time, and ends the process; given the reason, or nil where waiting took
    ///     too long.
    init(
        _ interruption: Interruption, telling: Bool = false,
        end: @escaping @Sendable (_ reason: StopReason?, _ grace: Duration) -> Void
    ) {
        tell = end
        lastGrace = .milliseconds(telling ? 750 : 250)
        grace = .milliseconds(1_950) - lastGrace
        interruption.whenRequested { [self] reason in
            Self.after(grace) { [self] in if take() { tell(reason, lastGrace) } }
        }
    }

    /// Claims the end of the command for the caller; false where the process is being ended already.
    func take() -> Bool {
        state.withLock { state in
            defer { state.isOver = true }
            return !state.isOver
        }
    }

    /// Limits one piece of waiting, until ``release()``.
    func limit(_ duration: Duration) {
        let watch = state.withLock { state in
            state.watches += 1
            return state.watches
        }
        Self.after(duration + grace) { [self] in
            if state.withLock({ $0.watches == watch && !$0.isOver }), take() { tell(nil, lastGrace) }
        }
    }

    /// The waiting came to its end.
    func release() { state.withLock { $0.watches += 1 } }

    /// Ends the process at once: the terminal shows what is typed, and no command that is being told goes on by itself.
    static func end(_ code: Int32) -> Never {
        Console.showTyping()
        NotifyCommand.endRunning()
        _exit(code)
    }

    /// Does something later, on a thread of its own.
    static func after(_ duration: Duration, _ body: @escaping @Sendable () -> Void) {
        let task = Unmanaged.passRetained(Delayed(duration, body))
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { argument in
                argument.map { Unmanaged<Delayed>.fromOpaque($0).takeRetainedValue().run() }
                return nil
            }, task.toOpaque())
        guard failure == 0 else { return task.release() }
        pthread_detach(thread)
    }

    /// What a thread is handed.
    private final class Delayed: Sendable {
        private let duration: Duration
        private let body: @Sendable () -> Void

        init(_ duration: Duration, _ body: @escaping @Sendable () -> Void) {
            self.duration = duration
            self.body = body
        }

        func run() {
            let (seconds, attoseconds) = duration.components
            var left = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
            var rest = timespec()
            while nanosleep(&left, &rest) != 0, errno == EINTR { left = rest }
            body()
        }
    }
}
