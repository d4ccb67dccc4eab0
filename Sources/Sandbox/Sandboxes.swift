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

    init(root: String) { self.root = root }

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
        if folder.record?.isAlive ?? false {
            throw SandboxError(.refused, "The sandbox \(name) is being started or restored just now.")
        }
        let others = folders.compactMap(\.record).filter(\.isRunning).map(\.name)
        let known = others.isEmpty ? "None runs." : "There are: \(others.joined(separator: ", "))."
        throw SandboxError(.refused, "No sandbox \(name) runs. \(known)")
    }

    /// What was swept up.
    package enum Swept: Sendable {
        /// A sandbox was ended that nobody would have ended any more.
        case forgotten(String)
        /// A sandbox has the data again that it had before it was restored, for that was cut short; it doesn't run.
        case halfRestored(String)
    }

    /// Ends what was forgotten: servers whose owner is gone, whose time is over, or that nothing is known of; takes back what
    /// was cut short; and removes what all of them have left.
    package func sweep() async throws -> [Swept] {
        var swept: [Swept] = []
        for folder in folders where Leftover(folder) != nil {
            try await folder.holdingIfFree {
                // Another process may have swept it up, or begun something, a moment ago.
                guard let leftover = Leftover(folder) else { return }
                if let done = try await leftover.sweep(folder) { swept.append(done) }
            }
        }
        return swept
    }
}

/// What a sandbox that nobody is changing has left over.
private enum Leftover {
    /// Servers whose owner is gone, whose time is over, or whose start was cut short.
    case forgotten
    /// Data that were on the way back from a copy.
    case halfRestored
    /// Servers that aren't the record's.
    case strays
    /// A lock that lets nobody write.
    case writeLock
    /// A folder of an `exec` that was killed before anything was in it.
    case shell

    init?(_ folder: SandboxFolder) {
        guard let record = folder.record else {
            guard SandboxServers.strays(in: folder).isEmpty else {
                self = .forgotten
                return
            }
            guard folder.isNameless, folder.snapshotNames.isEmpty else { return nil }
            self = .shell
            return
        }
        let isOver = record.expiresAt.map { $0 <= Clock.milliseconds } ?? false
        if record.owner.map({ !$0.isAlive }) ?? isOver {
            self = .forgotten
            return
        }
        switch record.phase {
        case .starting?: self = .forgotten
        case .restoring?: self = .halfRestored
        case nil:
            if !record.isRunning, !SandboxServers.strays(in: folder).isEmpty {
                self = .strays
            } else if Folders.exists(folder.writeLockMark) {
                self = .writeLock
            } else {
                return nil
            }
        }
    }

    func sweep(_ folder: SandboxFolder) async throws -> Sandboxes.Swept? {
        let servers = SandboxServers(folder)
        switch self {
        case .forgotten, .shell:
            try await servers.end(atOnce: true)
            try folder.clean(isWhole: folder.goesWhole)
            if case .shell = self { return nil }
            return .forgotten(folder.name)
        case .halfRestored:
            try await SandboxCopies(folder).takeBack()
            return .halfRestored(folder.name)
        case .strays:
            try await servers.end(atOnce: true)
            return .forgotten(folder.name)
        case .writeLock:
            try await SandboxCopies(folder).unlock()
            return nil
        }
    }
}

extension SandboxFolder {
    /// Removes its data and what is known of it; logs and snapshots stay, unless all goes. Whoever calls holds its lock.
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
