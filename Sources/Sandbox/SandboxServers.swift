internal import BSON
internal import Glibc
internal import InputFiles
internal import MongoDriver

/// Starts and ends the servers of one sandbox.
package struct SandboxServers: Sendable {
    let folder: SandboxFolder

    /// A server that hasn't ended by itself after so long is killed.
    private static let patience = Duration.seconds(20)

    /// Looks after a sandbox.
    package init(_ folder: SandboxFolder) { self.folder = folder }

    // MARK: - Starting

    /// Starts a sandbox, waits until it takes writes, and fills it. Others see it from the moment on when it is filled.
    ///
    /// - Parameter fill: Puts into it what was asked for.
    /// - Throws: ``SandboxError``, and what filling throws; then nothing runs, and no data are left but kept ones.
    package func start(
        _ program: ServerProgram, _ options: SandboxOptions, filling fill: (SandboxRecord) async throws -> Void
    ) async throws -> SandboxRecord {
        try await folder.holding {
            if let record = folder.record, record.isRunning {
                throw SandboxError(
                    .refused, "The sandbox \(folder.name) runs already: \(record.uri). Stop it, or take another name.")
            }
            if let kept = options.kept { try KeptFolder(kept).check(for: folder, members: options.members) }
            try await end(atOnce: true)
            try folder.clean(isWhole: false)
            let now = Clock.milliseconds
            var record = SandboxRecord(
                name: folder.name, program: program, replicaSet: options.members == nil ? nil : "sandbox", members: [],
                database: options.database, startedAt: now, expiresAt: options.lifetime.map { now + $0 * 1000 },
                kept: options.kept, owner: options.isOwned ? ProcessIdentity.own : nil)
            record.phase = .starting
            do {
                try await launch(
                    &record, program, count: options.members ?? 1, options.port.map { .from($0) } ?? .any)
                if record.replicaSet != nil { try await ReplicaSetStart(record).begin() }
                try await fill(record)
                try Task.checkCancellation()
                record.phase = nil
                try folder.write(record)
                return record
            } catch {
                // Also where this task is cancelled.
                let isKept = options.kept != nil
                try await Task {
                    try await end(atOnce: !isKept)
                    try folder.clean(isWhole: folder.goesWhole)
                }.value
                throw error
            }
        }
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

    /// Ends a sandbox with the program that it was for: at once, where its data aren't kept. One that nobody has named goes
    /// with all that it has.
    ///
    /// - Throws: ``SandboxError``.
    package func remove() async throws {
        try await folder.holding {
            try await end(atOnce: folder.record?.kept == nil)
            try folder.clean(isWhole: folder.goesWhole)
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

    /// The variable in a server's environment that names the folder of its sandbox: kept data are elsewhere.
    static let variable = "CHAT_ADMIN_SANDBOX"

    /// Servers of a sandbox, whether anything is known of them or not.
    static func strays(in folder: SandboxFolder) -> [ProcessIdentity] {
        ProcessIdentity.all.filter { process in
            let arguments = process.arguments
            guard let index = arguments.firstIndex(of: "--dbpath"), index + 1 < arguments.count else { return false }
            return arguments[index + 1].hasPrefix(folder.path + "/data/")
                || process.variables.contains("\(variable)=\(folder.path)")
        }
    }
}
