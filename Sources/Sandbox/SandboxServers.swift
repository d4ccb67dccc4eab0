internal import BSON
internal import Glibc
internal import InputFiles
internal import MongoDriver

/// Starts and ends the servers of one sandbox.
package struct SandboxServers: Sendable {
    let folder: SandboxFolder

    /// A server that hasn't ended by itself after so long is killed.
    private static let patience = Duration.seconds(20)
    /// A cold start takes about a second; a busy machine may need many times that.
    private static let starting = Duration.seconds(60)
    /// So long a port is tried again that the sandbox has had itself: what had it may just be ending.
    private static let releasing = Duration.seconds(5)

    /// Looks after a sandbox.
    package init(_ folder: SandboxFolder) { self.folder = folder }

    // MARK: - Starting

    /// Starts a sandbox, and waits until it takes writes.
    ///
    /// - Throws: ``SandboxError``; nothing runs then.
    package func start(_ program: ServerProgram, _ options: SandboxOptions) async throws -> SandboxRecord {
        try await folder.holding {
            if let record = folder.record, record.isRunning {
                throw SandboxError(
                    .refused, "The sandbox \(folder.name) runs already: \(record.uri). Stop it, or take another name.")
            }
            try await end(atOnce: true)
            try folder.clean(isWhole: false)
            let now = Clock.milliseconds
            var record = SandboxRecord(
                name: folder.name, program: program, replicaSet: options.members == nil ? nil : "sandbox", members: [],
                database: options.database, startedAt: now, expiresAt: options.lifetime.map { now + $0 * 1000 },
                kept: options.kept, owner: options.isOwned ? ProcessIdentity.own : nil)
            do {
                try await launch(&record, program, count: options.members ?? 1, port: options.port)
                if options.members != nil { try await ReplicaSetStart(record).initiate() }
                try folder.write(record)
                return record
            } catch {
                // Also where this task is cancelled.
                try await Task { try await end(atOnce: true) }.value
                throw error
            }
        }
    }

    /// Starts the servers of a record, on the ports that it names or on others.
    func launch(_ record: inout SandboxRecord, _ program: ServerProgram, count: Int, port: Int?) async throws {
        let ports = record.members.map(\.port)
        record.members = []
        let deadline = ContinuousClock.now + Self.releasing
        var attempts = 0
        while true {
            do {
                record.members = try await launchOnce(record, program, count: count, port: port, ports: ports)
                return
            } catch let error as PortTaken {
                try await end(atOnce: true)
                attempts += 1
                // A port that was free may be taken a moment later, and one's own still be held.
                let isWorthIt = ports.isEmpty ? port == nil && attempts < 3 : ContinuousClock.now < deadline
                guard isWorthIt else {
                    throw SandboxError(
                        .refused, "The port \(error.port) of 127.0.0.1 is taken by another program. Take another one.")
                }
                if !ports.isEmpty { try await Task.sleep(for: .milliseconds(50)) }
            }
        }
    }

    private struct PortTaken: Error { let port: Int }

    private func launchOnce(
        _ record: SandboxRecord, _ program: ServerProgram, count: Int, port: Int?, ports: [Int]
    ) async throws -> [SandboxRecord.Member] {
        var started: [(child: ChildProcess, port: Int)] = []
        for index in 0..<count {
            guard let chosen = ports.dropFirst(index).first ?? port.map({ $0 + index }) ?? FreePort.any() else {
                throw SandboxError(.refused, "No port of 127.0.0.1 is free.")
            }
            guard FreePort.isFree(chosen) else { throw PortTaken(port: chosen) }
            let (data, log) = (folder.data(index, kept: record.kept), folder.log(index))
            // A process that was killed while it brought back a copy.
            if !Folders.exists(data), Folders.exists(data + ".old") { try Folders.rename(data + ".old", to: data) }
            try Folders.make(data)
            try Folders.make(folder.path + "/log")
            started.append((try await launch(program, record, data: data, log: log, port: chosen), chosen))
        }
        var members: [SandboxRecord.Member] = []
        for (index, server) in started.enumerated() {
            try await waitUntilReady(server.child, index, server.port)
            guard let process = ProcessIdentity(server.child.identifier) else {
                throw ended(index, server.child.waitBlocking())
            }
            members.append(
                SandboxRecord.Member(
                    port: server.port, process: process, dataFolder: folder.data(index, kept: record.kept),
                    log: folder.log(index)))
        }
        return members
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
        var start = ChildProcess.Start(
            program.path, arguments, environment: program.environment(), output: descriptor)
        start.isDetached = true
        if record.owner != nil { start.deathSignal = SIGKILL }
        if let end = record.expiresAt {
            start.seconds = UInt32(clamping: max(1, (end - Clock.milliseconds + 999) / 1000))
        }
        do {
            return try await LastingThread.start(start).get()
        } catch {
            throw SandboxError(.noServer, "\(program.path) couldn't be started: \(error).")
        }
    }

    private func waitUntilReady(_ child: ChildProcess, _ index: Int, _ port: Int) async throws {
        let deadline = ContinuousClock.now + Self.starting
        let server = SandboxClient(port: port)
        while true {
            if let ending = child.endingNow() {
                // mongod's code for a port that it can't listen on.
                if ending == .exited(48) { throw PortTaken(port: port) }
                throw ended(index, ending)
            }
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

    private func ended(_ index: Int, _ ending: ChildProcess.Ending) -> SandboxError {
        // What a full disk keeps from being written is also its reason.
        let full = Folders.isFull(folder.path) ? "the disk of \(folder.path) is full" : nil
        let reason = (full ?? ServerLog(folder.log(index)).reason).map { ": \($0)" } ?? ""
        return SandboxError(
            full == nil ? .unreachable : .inputOutput,
            "The server ended with \(ending.code) before it was ready\(reason). Its log is \(folder.log(index)).")
    }

    // MARK: - Ending

    /// Ends a sandbox. Data that aren't kept go; logs and snapshots stay.
    ///
    /// - Parameter isWhole: Whether logs and snapshots go, too.
    /// - Throws: ``SandboxError``.
    package func stop(isWhole: Bool) async throws {
        try await folder.holding {
            try await end(atOnce: false)
            try folder.clean(isWhole: isWhole)
        }
    }

    /// Ends a sandbox at once, and removes whatever it has.
    ///
    /// - Throws: ``SandboxError``.
    package func remove() async throws {
        try await folder.holding {
            try await end(atOnce: true)
            try folder.clean(isWhole: true)
        }
    }

    /// Ends its servers, known ones and others on its data, and waits until they have.
    func end(atOnce: Bool) async throws {
        let known = folder.record?.members.filter(\.isAlive).map(\.process) ?? []
        let processes = known + Self.strays(in: folder).filter { !known.contains($0) }
        for process in processes {
            process.send(atOnce ? SIGKILL : SIGTERM)
            // What is stopped hears nothing else.
            process.send(SIGCONT)
        }
        let deadline = ContinuousClock.now + Self.patience
        while processes.contains(where: \.isAlive) {
            if ContinuousClock.now > deadline { for process in processes { process.send(SIGKILL) } }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Servers on the data of a sandbox, whether anything is known of them or not.
    static func strays(in folder: SandboxFolder) -> [ProcessIdentity] {
        ProcessIdentity.all.filter { process in
            let arguments = process.arguments
            guard let index = arguments.firstIndex(of: "--dbpath"), index + 1 < arguments.count else { return false }
            return arguments[index + 1].hasPrefix(folder.path + "/data/")
        }
    }
}
