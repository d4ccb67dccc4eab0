internal import Foundation
internal import Glibc
internal import Synchronization

/// What a program wrote to a terminal, byte for byte, with the times.
///
/// Unlike ``Terminal``, which shows what a person sees at a moment, this tells when each of it was written.
package struct TerminalRecording: Sendable {
    /// Some bytes that came together.
    package struct Piece: Sendable {
        /// When they came, since the program was started.
        package let time: Duration
        package let text: String
    }

    /// A line that is written over again and again, as it was once.
    package struct Line: Sendable {
        package let time: Duration
        package let text: String
    }

    /// The program's exit code.
    package let exitCode: Int32
    /// How long it ran.
    package let duration: Duration
    /// Everything that it wrote.
    package let pieces: [Piece]

    /// What takes a line away, for another to be written.
    private static let erase = "\r\u{1B}[K"

    /// Everything that was written, together.
    package var text: String { pieces.map(\.text).joined() }

    /// The lines that were written over, each as often as it changed.
    package var lines: [Line] {
        pieces.flatMap { piece in
            piece.text.components(separatedBy: Self.erase).dropFirst().compactMap { text in
                let line = text.prefix { !$0.isNewline }
                return line.isEmpty || line.count < text.count ? nil : Line(time: piece.time, text: String(line))
            }
        }
    }

    /// Runs the tool on a terminal of its own, and records what it writes until it ends.
    ///
    /// - Parameters:
    ///   - arguments: What follows the program's name.
    ///   - columns: The terminal's width.
    ///   - timeLimit: When to kill it.
    package static func of(
        _ arguments: [String], columns: UInt16, timeLimit: Duration = .seconds(300)
    ) async throws -> TerminalRecording {
        let home = FileManager.default.temporaryDirectory.path + "/chat-admin-home-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: home) }
        let (near, far) = try open(columns)
        let start = ContinuousClock.now
        let pid: pid_t
        do {
            defer { close(far) }
            let launch = #"cd "$1" && shift && exec "$@""#
            pid = try SpawnedProcess.start(
                ["/bin/sh", "-c", launch, "sh", home, try ToolProgram.path()] + arguments, standardInput: far,
                output: far,
                environment: ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=\(home)", "TERM=xterm", "LC_ALL=C.UTF-8"])
        } catch {
            close(near)
            throw error
        }
        let limit = Task {
            try await Task.sleep(for: timeLimit)
            kill(pid, SIGKILL)
        }
        defer { limit.cancel() }
        let pieces = await read(near, since: start)
        close(near)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        let duration = ContinuousClock.now - start
        guard status & 0x7f == 0 else {
            throw TestSupportError("The tool was ended by signal \(status & 0x7f):\n\(pieces.map(\.text).joined())")
        }
        return TerminalRecording(exitCode: (status >> 8) & 0xff, duration: duration, pieces: pieces)
    }

    /// Opens a terminal: the end that this process reads, and the program's. Neither is inherited by what another test starts.
    ///
    /// As `unlockpt` and `ptsname` do, which Swift's module of the C library hasn't got (ioctl_tty(2)).
    private static func open(_ columns: UInt16) throws -> (near: Int32, far: Int32) {
        let near = Glibc.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var (isLocked, number): (Int32, UInt32) = (0, 0)
        guard near >= 0, ioctl(near, lock, &isLocked) == 0, ioctl(near, getNumber, &number) == 0 else {
            throw TestSupportError("There is no terminal: \(String(cString: strerror(errno)))")
        }
        let far = Glibc.open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard far >= 0 else {
            throw TestSupportError("The terminal can't be opened: \(String(cString: strerror(errno)))")
        }
        var size = winsize(ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(far, UInt(TIOCSWINSZ), &size)
        return (near, far)
    }

    /// TIOCSPTLCK and TIOCGPTN, which aren't imported.
    private static let (lock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)

    /// Reads until nobody has the terminal open any more: then the kernel says EIO.
    private static func read(_ terminal: Int32, since start: ContinuousClock.Instant) async -> [Piece] {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var pieces: [Piece] = []
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                while true {
                    let count = Glibc.read(terminal, &buffer, buffer.count)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { break }
                    let text = String(decoding: buffer[..<count], as: UTF8.self)
                    pieces.append(Piece(time: ContinuousClock.now - start, text: text))
                }
                continuation.resume(returning: pieces)
            }
        }
    }
}
