internal import Glibc

/// `posix_spawn` with what a program needs that was started from one of Swift's own threads.
enum SpawnedProcess {
    /// Starts a program in a process group of its own, so that Ctrl-C reaches the test run and not the program, and
    /// with no signal blocked: Dispatch's threads block them all, and a child inherits that.
    ///
    /// - Parameters:
    ///   - command: The program's path and its arguments.
    ///   - standardInput: A descriptor for its standard input.
    ///   - output: One for both of its outputs; nil lets them go nowhere.
    ///   - environment: Its environment, as `NAME=value`.
    /// - Returns: The process, which the caller reaps.
    static func start(
        _ command: [String], standardInput: Int32, output: Int32? = nil,
        environment: [String] = ["PATH=/usr/local/bin:/usr/bin:/bin"]
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, standardInput, 0)
        for descriptor: Int32 in [1, 2] {
            if let output {
                posix_spawn_file_actions_adddup2(&actions, output, descriptor)
            } else {
                posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
            }
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

        guard let program = command.first else { throw TestSupportError("There is nothing to start.") }
        var arguments = command.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        var variables = environment.map { strdup($0) }
        variables.append(nil)
        defer { for variable in variables { free(variable) } }
        let failure = posix_spawn(&pid, program, &actions, &attributes, arguments, &variables)
        guard failure == 0 else {
            throw TestSupportError("\(program) can't be started: \(String(cString: strerror(failure)))")
        }
        return pid
    }
}
