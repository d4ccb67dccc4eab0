internal import Glibc
internal import InputFiles

/// The sandboxes of one user: where they are, which there are, and what forgotten ones have left.
package struct Sandboxes: Sendable {
    /// Their folder.
    package let root: String

    /// Those in a folder: `CHAT_ADMIN_SANDBOXES`, or what the XDG Base Directory Specification names for the state of
    /// programs.
    package init(environment: [String: String] = Environment.own) {
        let state = environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        let home = environment["HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
        let named = environment["CHAT_ADMIN_SANDBOXES"].flatMap { $0.isEmpty ? nil : $0 }
        root = Folders.absolute(named ?? "\(state ?? "\(home)/.local/state")/chat-admin/sandboxes")
    }

    /// One of them, whether it is there or not.
    ///
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/usage``.
    package func folder(_ name: String) throws(SandboxError) -> SandboxFolder {
        try SandboxFolder(name, in: root)
    }

    /// Those that are there, by name.
    package var folders: [SandboxFolder] {
        Folders.entries(root).compactMap { try? SandboxFolder($0, in: root) }
    }

    /// The record of one that runs.
    ///
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/refused``.
    package func running(_ name: String) throws(SandboxError) -> SandboxRecord {
        let folder = try folder(name)
        if let record = folder.record, record.isRunning { return record }
        let others = folders.compactMap(\.record).filter(\.isRunning).map(\.name)
        let known = others.isEmpty ? "None runs." : "There are: \(others.joined(separator: ", "))."
        throw SandboxError(.refused, "No sandbox \(name) runs. \(known)")
    }

    /// Ends what was forgotten: servers whose owner is gone, whose time is over, or that nothing is known of; and removes what
    /// they have left.
    ///
    /// - Returns: The names of the sandboxes that were ended.
    package func sweep() async throws -> [String] {
        var swept: [String] = []
        let now = Clock.milliseconds
        for folder in folders where folder.isFree {
            let record = folder.record
            let isForgotten = record.map { record in
                record.owner.map { !$0.isAlive } ?? (record.expiresAt.map { $0 <= now } ?? false)
            }
            switch isForgotten {
            case true?:
                try await folder.holding {
                    try await SandboxServers(folder).end(atOnce: true)
                    try folder.clean(isWhole: record?.owner != nil)
                }
                swept.append(folder.name)
            case false?:
                if Folders.exists(folder.writeLockMark) { try await SandboxCopies(folder).unlock() }
            case nil:
                // A start that was killed before anything was written.
                guard !SandboxServers.strays(in: folder).isEmpty else { continue }
                try await folder.holding {
                    try await SandboxServers(folder).end(atOnce: true)
                    try folder.clean(isWhole: false)
                }
                swept.append(folder.name)
            }
        }
        return swept
    }
}

extension SandboxFolder {
    /// Removes its data and what is known of it; logs and snapshots stay, unless all goes.
    func clean(isWhole: Bool) throws(SandboxError) {
        try Folders.remove(recordPath)
        for name in ["data", "write-locked"] { try Folders.remove("\(path)/\(name)") }
        guard isWhole else { return }
        for name in Folders.entries(path) where name != "lock" { try Folders.remove("\(path)/\(name)") }
        // Last: from then on another process may make it anew, and then the folder stays.
        try Folders.remove(lockPath)
        rmdir(path)
    }
}

/// The time.
enum Clock {
    /// In milliseconds since 1970.
    static var milliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
