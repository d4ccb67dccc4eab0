internal import BSON
internal import InputFiles
internal import MongoDriver

/// Takes and brings back copies of a sandbox's data.
package struct SandboxCopies: Sendable {
    private let folder: SandboxFolder

    /// Looks after the copies of one sandbox.
    package init(_ folder: SandboxFolder) { self.folder = folder }

    private func place(_ name: String) throws(SandboxError) -> String {
        try SandboxFolder.check(name, of: "snapshot")
        return "\(folder.snapshots)/\(name)"
    }

    private func running() throws(SandboxError) -> SandboxRecord {
        guard let record = folder.record, record.isRunning else {
            throw SandboxError(.refused, "The sandbox \(folder.name) doesn't run.")
        }
        return record
    }

    // MARK: - Taking

    /// Copies the data as they are at one moment; whoever writes meanwhile waits. Of a replica set the primary's are taken:
    /// the others' are the same.
    ///
    /// - Parameters:
    ///   - name: What the copy is called.
    ///   - isReplacing: Whether one that is called so goes.
    /// - Throws: ``SandboxError``, `MongoError`.
    package func take(_ name: String, isReplacing: Bool) async throws {
        let place = try place(name)
        try await folder.holding {
            let record = try running()
            guard isReplacing || !Folders.exists(place) else {
                throw SandboxError(
                    .refused,
                    "The sandbox \(folder.name) has a snapshot \(name) already. Take another name, or replace it.")
            }
            let port = try await ReplicaSetStart(record).primary()
            guard let member = record.members.first(where: { $0.port == port }) else { return }
            let part = "\(folder.snapshots)/.\(name).part"
            try Folders.make(folder.snapshots)
            try Folders.remove(part)
            // A killed process leaves the mark, and the next one lets writers go on.
            try SmallFile.mark(folder.writeLockMark, String(port))
            do {
                _ = try await SandboxClient(port: port).run(["fsync": 1, "lock": true])
                try await Folders.copy(member.dataFolder, to: part)
            } catch {
                try await unlock()
                throw error
            }
            try await unlock()
            try Folders.remove("\(part)/mongod.lock")
            if isReplacing { try Folders.remove(place) }
            try Folders.rename(part, to: place)
        }
    }

    /// Lets writers go on that a copy has stopped.
    ///
    /// A killed process may have asked for the lock, and the server not have it yet. Locks are taken one after the other and
    /// counted: with one of one's own, all that were asked for are known.
    func unlock() async throws {
        guard let bytes = SmallFile.read(folder.writeLockMark) else { return }
        if let port = Int(String(decoding: bytes, as: UTF8.self)), folder.record?.isRunning ?? false {
            let server = SandboxClient(port: port)
            _ = try await server.run(["fsync": 1, "lock": true])
            while try await server.run(["fsyncUnlock": 1])["lockCount"]?.integer ?? 0 > 0 {}
        }
        try Folders.remove(folder.writeLockMark)
    }

    // MARK: - Bringing back

    /// Has the sandbox go on from a copy, on the ports that it had. It is made beside the data before the servers are ended:
    /// a process that is killed leaves the one or the other.
    ///
    /// - Throws: ``SandboxError``, `MongoError`.
    package func restore(_ name: String) async throws -> SandboxRecord {
        let place = try place(name)
        return try await folder.holding {
            var record = try running()
            guard Folders.exists(place) else {
                let names = folder.snapshotNames
                let known = names.isEmpty ? "It has none." : "It has: \(names.joined(separator: ", "))."
                throw SandboxError(.refused, "The sandbox \(folder.name) has no snapshot \(name). \(known)")
            }
            let program = ServerProgram(path: record.program, version: record.version, libraryPath: nil).completed
            let places = record.members.map(\.dataFolder)
            for data in places {
                try Folders.remove(data + ".new")
                try await Folders.copy(place, to: data + ".new")
            }
            let servers = SandboxServers(folder)
            try await servers.end(atOnce: true)
            for data in places {
                try Folders.remove(data + ".old")
                try Folders.rename(data, to: data + ".old")
                try Folders.rename(data + ".new", to: data)
                try Folders.remove(data + ".old")
            }
            try await servers.launch(&record, program, count: places.count, port: nil)
            if record.replicaSet != nil { try await ReplicaSetStart(record).wait() }
            try folder.write(record)
            return record
        }
    }
}

extension SmallFile {
    /// - Throws: ``SandboxError``.
    fileprivate static func mark(_ path: String, _ text: String) throws(SandboxError) {
        do {
            try write(Array(text.utf8), to: path)
        } catch {
            throw SandboxError(.inputOutput, "\(path) couldn't be written: \(error). Is the disk full?")
        }
    }
}
