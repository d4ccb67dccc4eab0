internal import Glibc

/// A process, told from another one that gets its number later by when it began.
package struct ProcessIdentity: Sendable, Equatable, Codable {
    /// Its number.
    package let pid: Int32
    /// When it began, in the kernel's ticks since the machine did (proc(5), field 22 of `stat`).
    package let startTime: UInt64
    /// What tells this start of the machine from others.
    package let boot: String

    /// The process that has a number now; nil where there is none, or it has ended and nobody has noticed yet.
    package init?(_ pid: Int32) {
        guard let status = Self.status("/proc/\(pid)"), let boot = Self.bootIdentifier else { return nil }
        guard !Self.hasEnded(status.state) || Self.hasLiveThread(pid) else { return nil }
        (self.pid, startTime, self.boot) = (pid, status.startTime, boot)
    }

    /// This process.
    package static var own: ProcessIdentity? { ProcessIdentity(getpid()) }

    /// Whether it runs.
    package var isAlive: Bool { ProcessIdentity(pid) == self }

    /// Sends it a signal, unless its number is another's by now.
    package func send(_ signal: Int32) { if isAlive { kill(pid, signal) } }

    /// Its command line.
    package var arguments: [String] { strings("cmdline") }

    /// The variables of the environment that it began with, each as `NAME=value`; none where it is another user's.
    var variables: [String] { strings("environ") }

    private func strings(_ file: String) -> [String] {
        guard let bytes = SmallFile.read("/proc/\(pid)/\(file)") else { return [] }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func hasEnded(_ state: Substring) -> Bool { state == "Z" || state == "X" }

    /// Whether one of its threads hasn't ended. A process that is killed shows the state of its first thread, and that may
    /// have ended some milliseconds before the others, which hold ports and locks until then.
    private static func hasLiveThread(_ pid: Int32) -> Bool {
        Folders.entries("/proc/\(pid)/task").contains { thread in
            status("/proc/\(pid)/task/\(thread)").map { !hasEnded($0.state) } ?? false
        }
    }

    private static func status(_ folder: String) -> (state: Substring, startTime: UInt64)? {
        guard let bytes = SmallFile.read("\(folder)/stat") else { return nil }
        // The program's name stands in parentheses, and may have any character in it.
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = String(decoding: bytes[(end + 1)...], as: UTF8.self).split(separator: " ")
        guard fields.count > 19, let startTime = UInt64(fields[19]) else { return nil }
        return (fields[0], startTime)
    }

    private static let bootIdentifier = SmallFile.read("/proc/sys/kernel/random/boot_id").map {
        String(decoding: $0.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// All processes that there are.
    static var all: [ProcessIdentity] {
        Folders.entries("/proc").compactMap { Int32($0) }.compactMap { ProcessIdentity($0) }
    }
}

/// Reads files of a few kilobytes at most, such as the kernel's.
enum SmallFile {
    private static let limit = 1 << 20

    static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var (bytes, part): ([UInt8], [UInt8]) = ([], [UInt8](repeating: 0, count: 4096))
        while bytes.count < limit {
            let count = Glibc.read(descriptor, &part, part.count)
            if count == 0 { return bytes }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            bytes += part.prefix(count)
        }
        return bytes
    }
}

extension SmallFile {
    /// The last 64 KB of a file.
    static func readEnd(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let size = lseek(descriptor, 0, SEEK_END)
        var bytes = [UInt8](repeating: 0, count: Int(min(size, 65_536)))
        let count = pread(descriptor, &bytes, bytes.count, max(0, size - 65_536))
        return count >= 0 ? Array(bytes.prefix(count)) : nil
    }
}
