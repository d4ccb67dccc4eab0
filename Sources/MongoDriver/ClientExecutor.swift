internal import Dispatch

/// Runs one client's blocking calls on a serial queue of its own, so that none blocks Swift's cooperative pool.
///
/// libmongoc's calls wait on sockets. `DispatchSerialQueue`, which is an executor by itself, doesn't exist on Linux.
final class ClientExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(label: String) { queue = DispatchQueue(label: label) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
