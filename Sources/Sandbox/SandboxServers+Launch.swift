internal import Glibc
internal import InputFiles
internal import MongoDriver

extension SandboxServers {
    /// Which ports servers are to listen on.
    enum Ports {
        /// Whichever are free.
        case any
        /// This one, and those that follow it.
        case from(Int)
        /// Those that they have had themselves until now: what holds one may just be ending.
        case own([Int])
        /// Those that they had before, or others where somebody has one of them by now.
        case preferred([Int])

        /// The port of a member; nil for any.
        fileprivate func port(_ member: Int) -> Int? {
            switch self {
            case .any: nil
            case .from(let first): first + member
            case .own(let ports), .preferred(let ports): ports.dropFirst(member).first
            }
        }
    }

    /// A cold start takes about a second; a busy machine may need many times that.
    private static let starting = Duration.seconds(60)
    /// So long a port is tried again that the sandbox has had itself.
    private static let releasing = Duration.seconds(5)
    /// So often others are tried where those that were free have been taken a moment later.
    private static let mostAttempts = 3

    /// Starts the servers of a record. It is written before the first one and after each, so that whatever comes finds them.
    ///
    /// - Throws: ``SandboxError``; some may run then.
    func launch(_ record: inout SandboxRecord, _ program: ServerProgram, count: Int, _ ports: Ports) async throws {
        let deadline = ContinuousClock.now + Self.releasing
        var (ports, attempts) = (ports, 0)
        while true {
            do {
                return try await launchOnce(&record, program, count: count, ports)
            } catch let error as PortTaken {
                try await end(atOnce: true)
                attempts += 1
                switch ports {
                case .any where attempts < Self.mostAttempts: continue
                case .preferred: ports = .any
                case .own where ContinuousClock.now < deadline: try await Task.sleep(for: .milliseconds(50))
                case .any, .from, .own:
                    throw SandboxError(
                        .refused, "The port \(error.port) of 127.0.0.1 is taken by another program. Take another one.")
                }
            }
        }
    }

    private struct PortTaken: Error { let port: Int }

    private func launchOnce(
        _ record: inout SandboxRecord, _ program: ServerProgram, count: Int, _ ports: Ports
    ) async throws {
        record.members = []
        try folder.write(record)
        var children: [ChildProcess] = []
        for index in 0..<count {
            guard let port = ports.port(index) ?? FreePort.any() else {
                throw SandboxError(.refused, "No port of 127.0.0.1 is free.")
            }
            guard FreePort.isFree(port) else { throw PortTaken(port: port) }
            let (data, log) = (folder.data(index, kept: record.kept), folder.log(index))
            // Of another sandbox, that was killed while it brought back a copy.
            if !Folders.exists(data), Folders.exists(data + ".old") { try Folders.rename(data + ".old", to: data) }
            try Folders.make(data)
            try Folders.make(folder.path + "/log")
            let child = try await launch(program, record, data: data, log: log, port: port)
            guard let process = ProcessIdentity(child.identifier) else {
                throw failure(index, record, program, child.waitBlocking(), port)
            }
            children.append(child)
            record.members.append(SandboxRecord.Member(port: port, process: process, dataFolder: data, log: log))
            try folder.write(record)
        }
        for (index, child) in children.enumerated() { try await waitUntilReady(child, index, record, program) }
    }

    private func launch(
        _ program: ServerProgram, _ record: SandboxRecord, data: String, log: String, port: Int
    ) async throws(SandboxError) -> ChildProcess {
        let descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SandboxError(.inputOutput, "\(log) can't be written: \(String(cString: strerror(errno))).")
        }
        defer { close(descriptor) }
        var arguments = [
            "--dbpath", data, "--port", String(port), "--bind_ip", "127.0.0.1", "--nounixsocket",
            "--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false",
            // By itself a server sets 100 MB aside at once for each part of its journal.
            "--wiredTigerEngineConfigString", "log=(file_max=16MB,prealloc=false)",
        ]
        if let name = record.replicaSet { arguments += ["--replSet", name, "--oplogSize", "256"] }
        // By itself the primary of a set waits 15 s for its clients before it ends.
        if program.release >= 5 { arguments += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"] }
        var environment = program.environment()
        environment[Self.variable] = folder.path
        var start = ChildProcess.Start(program.path, arguments, environment: environment, output: descriptor)
        start.isDetached = true
        // Only a process that stays until the end may take its servers with it.
        if let owner = record.owner, owner == ProcessIdentity.own { start.deathSignal = SIGKILL }
        if let end = record.expiresAt {
            start.seconds = UInt32(clamping: max(1, (end - Clock.milliseconds + 999) / 1000))
        }
        do {
            return try await LastingThread.start(start).get()
        } catch {
            throw SandboxError(.noServer, "\(program.path) couldn't be started: \(error).")
        }
    }

    private func waitUntilReady(
        _ child: ChildProcess, _ index: Int, _ record: SandboxRecord, _ program: ServerProgram
    ) async throws {
        let deadline = ContinuousClock.now + Self.starting
        let port = record.members[index].port
        let server = SandboxClient(port: port)
        while true {
            if let ending = child.endingNow() { throw failure(index, record, program, ending, port) }
            if await server.isReady(process: child.identifier) { return }
            guard ContinuousClock.now < deadline else {
                throw SandboxError(
                    .unreachable,
                    "The server on port \(port) didn't answer within \(Self.starting.components.seconds) s. Its log is \(folder.log(index))."
                )
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Why a server ended before it was ready: mongod's exit codes
    /// (https://www.mongodb.com/docs/manual/reference/exit-codes), and what it has logged.
    private func failure(
        _ index: Int, _ record: SandboxRecord, _ program: ServerProgram, _ ending: ChildProcess.Ending, _ port: Int
    ) -> any Error {
        let data = folder.data(index, kept: record.kept)
        let log = "Its log is \(folder.log(index))."
        switch ending {
        case .exited(48): return PortTaken(port: port)
        case .exited(62):
            return SandboxError(
                .refused,
                "The data in \(data) are of another version of MongoDB, which \(program.version) (\(program.path)) can't go on "
                    + "from. Take the mongod that they are of, or other data. \(log)")
        case .exited(100) where ServerLog(folder.log(index)).isOfDataInUse:
            return SandboxError(.refused, "The data in \(data) are in use by another server. \(log)")
        default: break
        }
        // What a full disk keeps from being written is also its reason.
        let full = Folders.isFull(folder.path) ? "the disk of \(folder.path) is full" : nil
        let reason = (full ?? ServerLog(folder.log(index)).reason).map { ": \($0)" } ?? ""
        return SandboxError(
            full == nil ? .unreachable : .inputOutput,
            "The server ended with \(ending.code) before it was ready\(reason). \(log)")
    }
}
