internal import Glibc

/// Lets one process at a time change a file that is replaced as a whole: the lock is its folder's, for that stays.
package enum FolderLock {
    /// Holds the lock of a file's folder, and blocks the thread until it has it. Where a folder can't be locked, as on some
    /// network's disks, nobody waits.
    package static func holding<R>(_ path: String, _ body: () throws -> R) rethrows -> R {
        let descriptor = open(FilePlace(resolving: path).folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return try body() }
        // Closing it gives the lock back.
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
        return try body()
    }
}
