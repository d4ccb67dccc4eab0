/// What the kernel says of a process.
package enum ProcessState {
    /// Whether a process exists and hasn't ended; one that has ended but isn't reaped yet doesn't run.
    package static func isRunning(_ pid: Int32) -> Bool {
        guard let stat = PolledFile.text("/proc/\(pid)/stat") else { return false }
        // `pid (name) state …`; the name may hold anything, also parentheses.
        let state = stat.split(separator: ")").last?.split(separator: " ").first
        return state.map { $0 != "Z" && $0 != "X" } ?? false
    }

    /// The most memory that a process has had at once, in bytes; nil where it has ended.
    static func peakMemory(_ pid: Int32) -> Int? {
        guard let lines = PolledFile.text("/proc/\(pid)/status")?.split(separator: "\n"),
            // `VmHWM:     72596 kB`
            let words = lines.first(where: { $0.hasPrefix("VmHWM:") })?.split(separator: " "), words.count > 1
        else { return nil }
        return Int(words[1]).map { $0 * 1024 }
    }
}
