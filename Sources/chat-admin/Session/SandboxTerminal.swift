internal import Glibc

/// What a terminal sends to all programs in its foreground.
enum SandboxTerminal {
    /// What Ctrl-C sends.
    static let interrupt = SIGINT
    /// What asks a program to end.
    static let termination = SIGTERM

    /// Whether this process is in the foreground of a terminal.
    static var isForeground: Bool {
        let descriptor = open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return tcgetpgrp(descriptor) == getpgrp()
    }
}

/// Paths of files.
enum FilePath {
    /// This program's own.
    static var program: String {
        guard let path = realpath("/proc/self/exe", nil) else { return "/proc/self/exe" }
        defer { free(path) }
        return String(cString: path)
    }
}
