internal import Foundation
internal import Glibc
internal import Synchronization

/// A program that never outlives this process, however that ends, and whose folder goes with it.
///
/// It runs under a shell that holds one end of a pair of sockets. When this process ends, killed or not, the kernel closes the
/// other end, and the shell kills the program and removes the folder. (`PR_SET_PDEATHSIG` won't do: it fires when the
/// *thread* that started the program ends.) Until the shell is let go, it doesn't reap the program, so the program's
/// number can't come to mean another process.
final class SupervisedProcess: Sendable {
    /// The program's process.
    let pid: pid_t
    /// Its folder, with `output`, what it printed, in it.
    let folder: String
    private let supervisor: pid_t
    /// This process's end of the pair; nil once the program has been let go.
    private let leash: Mutex<Int32?>

    private static let script = """
        folder=$1; shift
        "$@" </dev/null >"$folder/output" 2>&1 &
        echo $! >"$folder/pid.new" && mv "$folder/pid.new" "$folder/pid"
        read -r _
        kill -KILL $! 2>/dev/null
        wait $!
        rm -rf "$folder"
        """

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - command: The program's path and its arguments.
    ///   - folder: A folder that belongs to the program, removed when it ends.
    init(_ command: [String], folder: String) async throws {
        self.folder = folder
        let ends = try Self.makePair()
        let shell = ["/bin/sh", "-c", Self.script, "supervisor", folder] + command
        do {
            supervisor = try SpawnedProcess.start(shell, standardInput: ends.far)
        } catch {
            close(ends.far)
            close(ends.near)
            throw error
        }
        close(ends.far)
        leash = Mutex(ends.near)
        do {
            pid = try await Self.readPID(folder + "/pid")
        } catch {
            close(ends.near)
            throw error
        }
    }

    deinit { letGo() }

    /// Whether the program still runs.
    var isRunning: Bool { leash.withLock { $0 != nil } && ProcessState.isRunning(pid) }

    /// Sends the program a signal; nothing happens when it has ended.
    func send(_ signal: Int32) {
        leash.withLock { if $0 != nil { _ = kill(pid, signal) } }
    }

    /// Kills the program if it still runs, removes its folder, and waits until both are done.
    func end() async throws {
        letGo()
        try await waitUntil("the end of \(pid) and of its folder", within: .seconds(30)) {
            waitpid(supervisor, nil, WNOHANG) != 0
        }
    }

    private func letGo() {
        leash.withLock { end in
            if let descriptor = end { close(descriptor) }
            end = nil
        }
    }

    /// Makes a pair of sockets that no other program inherits: unlike a pipe's, theirs is set at once.
    private static func makePair() throws -> (far: Int32, near: Int32) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw TestSupportError("No pair of sockets: \(String(cString: strerror(errno)))")
        }
        return (ends[0], ends[1])
    }

    private static func readPID(_ path: String) async throws -> pid_t {
        var pid: pid_t?
        try await waitUntil("a process in \(path)") {
            let text = try? String(contentsOfFile: path, encoding: .utf8)
            pid = text.flatMap { pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            return pid != nil
        }
        guard let pid else { throw TestSupportError("\(path) names no process.") }
        return pid
    }
}
