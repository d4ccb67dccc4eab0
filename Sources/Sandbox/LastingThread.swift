internal import Dispatch
internal import Glibc
internal import Synchronization

/// A thread that lives as long as the process.
///
/// The kernel sends a parent-death signal when the *thread* ends that started the child (prctl(2), PR_SET_PDEATHSIG); those
/// that Swift runs tasks on come and go.
enum LastingThread {
    private static let work = Mutex<[@Sendable () -> Void]>([])
    private static let waiting = DispatchSemaphore(value: 0)
    private static let begun: Void = {
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { _ in
                while true {
                    LastingThread.waiting.wait()
                    let next = LastingThread.work.withLock { $0.isEmpty ? nil : $0.removeFirst() }
                    next?()
                }
            }, nil)
    }()

    /// Starts a program from that thread.
    static func start(_ start: ChildProcess.Start) async -> Result<ChildProcess, ChildProcess.Failure> {
        begun
        return await withCheckedContinuation { continuation in
            work.withLock { work in
                work.append {
                    continuation.resume(
                        returning: Result { () throws(ChildProcess.Failure) in try ChildProcess(start) })
                }
            }
            waiting.signal()
        }
    }
}

extension ChildProcess {
    /// Starts a program that the kernel ends when this process ends, and not before.
    package static func lasting(_ start: Start) async -> Result<ChildProcess, Failure> {
        await LastingThread.start(start)
    }
}
