/// What the kernel says of a process.
enum ProcessState {
    /// Whether a process exists and hasn't ended; one that has ended but isn't reaped yet doesn't run.
    static func isRunning(_ pid: Int32) -> Bool {
        guard let stat = PolledFile.text("/proc/\(pid)/stat") else { return false }
        // `pid (name) state …`; the name may hold anything, also parentheses.
        let state = stat.split(separator: ")").last?.split(separator: " ").first
        return state.map { $0 != "Z" && $0 != "X" } ?? false
    }
}
