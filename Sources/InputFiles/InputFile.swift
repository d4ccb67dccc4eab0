internal import Dispatch
internal import Glibc

/// Reads a file that a user names, whatever it is: never more than a number of bytes, and never waiting for ever.
///
/// An ordinary file, a pipe, `<(…)` of a shell, a named pipe whose writer is still to come, and a terminal work. A folder,
/// a socket, a disk, a file of gigabytes or a source without an end are refused with the reason.
package enum InputFile {
    /// Why a file can't be used.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        /// What kind of reason it is.
        package enum Kind: Sendable {
            /// There is no such file.
            case missing
            /// It can't be opened or read, or isn't a file.
            case unreadable
            /// Nothing came out of a pipe.
            case silent
            /// It holds more than is wanted.
            case tooLarge
            /// It isn't text in UTF-8.
            case encoding
        }

        /// What kind of reason it is.
        package let kind: Kind
        /// The reason, to stand behind "can't be read: ". Neither the path nor anything from the file is in it.
        package let description: String
    }

    /// How much of a file is wanted.
    package enum Extent: Sendable {
        /// All of it.
        case whole
        /// At least its first line: what stands behind it may be missing, and isn't waited for.
        case firstLine
    }

    /// How long a pipe or a terminal may take, unless said otherwise: enough to type a passphrase for what writes to it.
    package static let patience = Duration.seconds(60)

    /// Reads a file, off Swift's cooperative pool.
    ///
    /// - Parameters:
    ///   - path: Its path, or `-` for standard input.
    ///   - limit: The most bytes that it may hold.
    ///   - extent: How much of it is wanted.
    ///   - patience: How long a pipe may take.
    /// - Throws: ``Failure``.
    package static func read(
        _ path: String, limit: Int, extent: Extent = .whole, patience: Duration = patience
    ) async throws(Failure) -> [UInt8] {
        let result: Result<[UInt8], Failure> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    returning: Result { () throws(Failure) in
                        try open(path) { (descriptor) throws(Failure) in
                            let isOrdinary = try checkKind(descriptor, limit)
                            return try read(
                                descriptor, limit, extent, isOrdinary ? nil : ContinuousClock.now + patience)
                        }
                    })
            }
        }
        return try result.get()
    }

    /// Reads an ordinary file at once; anything that might keep one waiting is refused.
    ///
    /// - Throws: ``Failure``.
    package static func readOrdinary(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        try open(path) { (descriptor) throws(Failure) in
            guard try checkKind(descriptor, limit) else {
                throw Failure(kind: .unreadable, description: "it is no ordinary file, and it is read more than once")
            }
            return try read(descriptor, limit, .whole, nil)
        }
    }

    /// Lends a descriptor. Opening never waits: not for the writer of a named pipe either.
    private static func open<R>(
        _ path: String, _ body: (Int32) throws(Failure) -> R
    ) throws(Failure) -> R {
        if let inherited = inheritedDescriptor(path) { return try body(inherited) }
        let descriptor = Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw failure(errno) }
        defer { close(descriptor) }
        return try body(descriptor)
    }

    /// The descriptor that a path stands for. It is read as it is: opened anew, a pipe whose writer has ended would never
    /// come to its end.
    private static func inheritedDescriptor(_ path: String) -> Int32? {
        if path == "-" || path == "/dev/stdin" { return STDIN_FILENO }
        for folder in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(folder) {
            return Int32(path.dropFirst(folder.count)).flatMap { $0 >= 0 ? $0 : nil }
        }
        return nil
    }

    /// Whether it is an ordinary file, which never keeps one waiting.
    private static func checkKind(_ descriptor: Int32, _ limit: Int) throws(Failure) -> Bool {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            guard status.st_size <= limit else { throw tooLarge(limit) }
            return true
        case S_IFDIR: throw Failure(kind: .unreadable, description: "it is a folder")
        case S_IFBLK: throw Failure(kind: .unreadable, description: "it is a device")
        default: return false
        }
    }

    private static func read(
        _ descriptor: Int32, _ limit: Int, _ extent: Extent, _ deadline: ContinuousClock.Instant?
    ) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count <= limit {
            if let deadline { try wait(descriptor, until: deadline) }
            let wanted = min(chunk, limit + 1 - bytes.count)
            var count = 0
            let piece = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, initialized in
                count = Glibc.read(descriptor, buffer.baseAddress, wanted)
                initialized = max(0, count)
            }
            if count == 0 { return bytes }
            guard count > 0 else {
                if errno == EINTR || errno == EAGAIN { continue }
                throw failure(errno)
            }
            bytes += piece
            if extent == .firstLine, piece.contains(UInt8(ascii: "\n")) { return bytes }
        }
        throw tooLarge(limit)
    }

    private static let chunk = 65_536

    /// Waits until there is something to read, or the end.
    private static func wait(_ descriptor: Int32, until deadline: ContinuousClock.Instant) throws(Failure) {
        while true {
            let left = deadline - ContinuousClock.now
            guard left > .zero else {
                throw Failure(
                    kind: .silent,
                    description:
                        "it isn't a file but a pipe or a terminal, and its end didn't come in time; start what "
                        + "writes to it first, or name a file")
            }
            var input = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let milliseconds = Int32(clamping: left.components.seconds * 1000 + 1000)
            if poll(&input, 1, min(milliseconds, 1000)) > 0 { return }
        }
    }

    private static func tooLarge(_ limit: Int) -> Failure {
        Failure(kind: .tooLarge, description: "it holds more than \(limit >> 10) KB, the most that is read")
    }

    private static func failure(_ code: Int32) -> Failure {
        switch code {
        case ENOENT: Failure(kind: .missing, description: String(cString: strerror(code)))
        case ENXIO: Failure(kind: .unreadable, description: "it is a socket, or a device that isn't there")
        case EBADF: Failure(kind: .unreadable, description: "it is closed, or not open for reading")
        default: Failure(kind: .unreadable, description: String(cString: strerror(code)))
        }
    }
}
