internal import Glibc
internal import InputFiles

/// Writes a file so that whoever reads it finds the old content or the new, and never half of either.
package enum AtomicFile {
    /// Why a file couldn't be written.
    package struct Failure: Error, CustomStringConvertible, Sendable {
        /// The file.
        package let path: String
        /// The system's words.
        package let reason: String
        /// What happened, and what to do.
        package var description: String { "\(path) couldn't be written: \(reason). What it held is as it was." }
    }

    /// Readable by all: what watches a machine runs as a user of its own.
    private static let mode: mode_t = 0o644

    /// Writes a file: into a temporary one in the same folder, which takes its place when it is on the disk. Off Swift's
    /// cooperative pool.
    ///
    /// - Throws: ``Failure``; a file that is there is then as it was.
    package static func write(_ bytes: [UInt8], to path: String) async throws(Failure) {
        let result = await offPool { Result { () throws(Failure) in try writeNow(bytes, to: path) } }
        try result.get()
    }

    /// Writes a file at once, and blocks the thread meanwhile.
    ///
    /// - Throws: ``Failure``; a file that is there is then as it was.
    package static func writeNow(_ bytes: [UInt8], to given: String) throws(Failure) {
        let place = try target(given)
        let path = place.path
        func failure() -> Failure { Failure(path: path, reason: String(cString: strerror(errno))) }
        let temporary = "\(place.folder)/.\(place.name).\(getpid()).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw failure() }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw removing(temporary, descriptor, failure())
            }
        }
        // The mode of a new file is cut by the umask.
        guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0 else {
            throw removing(temporary, descriptor, failure())
        }
        guard close(descriptor) == 0, rename(temporary, path) == 0 else {
            let failure = failure()
            unlink(temporary)
            throw failure
        }
    }

    /// Where a file is, or will be, behind symbolic links, so that a link stays one.
    ///
    /// - Throws: ``Failure`` where something else than a file is there, such as a device: it would be replaced by one; or where
    ///   links lead nowhere.
    private static func target(_ path: String) throws(Failure) -> FilePlace {
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw Failure(path: path, reason: String(cString: strerror(errno))) }
            return FilePlace(resolving: path)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(
                path: path, reason: status.st_mode & S_IFMT == S_IFDIR ? "it is a folder" : "it is no regular file")
        }
        return FilePlace(resolving: path)
    }

    private static func removing(_ temporary: String, _ descriptor: Int32, _ failure: Failure) -> Failure {
        close(descriptor)
        unlink(temporary)
        return failure
    }
}
