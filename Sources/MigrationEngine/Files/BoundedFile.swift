internal import Foundation

/// Reads files that were written by others: in bounded time and memory, whatever they turn out to be.
enum BoundedFile {
    /// A larger file of commands isn't read: it and what is made of it are held in memory.
    static let mostBytes = 64 << 20

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - path: Where it lies.
    ///   - limit: The largest number of bytes.
    /// - Throws: ``StepFileError``: it can't be read, isn't a file (but a pipe or a device, which may have no end), or is
    ///   larger.
    static func bytes(of path: String, limit: Int = mostBytes) throws(StepFileError) -> [UInt8] {
        // Without O_NONBLOCK opening a pipe waits for somebody who writes.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(path) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw StepFileError(.inputOutput, path: path, reason: "it can't be read (it is a directory)")
        default:
            throw StepFileError(
                .inputOutput, path: path, reason: "it can't be read: it is a pipe, a device or a socket, and no file")
        }
        guard status.st_size <= limit else { throw tooLarge(path, limit) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(status.st_size))
        var buffer = [UInt8](repeating: 0, count: blockBytes)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(path) }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
            // It may grow while it is read.
            guard bytes.count <= limit else { throw tooLarge(path, limit) }
        }
    }

    private static let blockBytes = 64 << 10

    private static func unreadable(_ path: String) -> StepFileError {
        StepFileError(.inputOutput, path: path, reason: "it can't be read (\(String(cString: strerror(errno))))")
    }

    private static func tooLarge(_ path: String, _ limit: Int) -> StepFileError {
        StepFileError(
            .malformed, path: path, reason: "it is larger than \(limit >> 20) MB; divide it into several steps")
    }
}
