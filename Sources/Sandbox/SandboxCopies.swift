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
                // Also where this task is cancelled.
                try await Task { try await unlock() }.value
                throw error
            }
            try await unlock()
            try Folders.remove("\(part)/mongod.lock")
            if isReplacing { try Folders.remove(place) }
            try folder.write(record, to: folder.snapshotRecordPath(name))
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

    /// Has the sandbox go on from a copy, on the ports that it has. One that doesn't run is started as it was when the copy
    /// was taken.
    ///
    /// The copy is made beside the data before the servers are ended, and the data that it replaces stay until the servers are
    /// ready: what fails, or is killed, is taken back.
    ///
    /// - Throws: ``SandboxError``, `MongoError`; then the sandbox has the data that it had, and runs if it did, where that
    ///   can be.
    package func restore(_ name: String) async throws -> SandboxRecord {
        let place = try place(name)
        return try await folder.holding {
            guard Folders.exists(place) else {
                let names = folder.snapshotNames
                let known = names.isEmpty ? "It has none." : "It has: \(names.joined(separator: ", "))."
                throw SandboxError(.refused, "The sandbox \(folder.name) has no snapshot \(name). \(known)")
            }
            let taken = SmallFile.read(folder.snapshotRecordPath(name)).flatMap(SandboxRecord.init(json:))
            let before = folder.record
            guard var record = before ?? taken?.anew(at: Clock.milliseconds) else {
                throw SandboxError(
                    .refused, "The sandbox \(folder.name) doesn't run, and it isn't known how it ran. Start it first.")
            }
            if let taken { try check(taken, fits: record) }
            if let kept = record.kept {
                let members = record.replicaSet.map { _ in record.members.count }
                try KeptFolder(kept).check(for: folder, members: members)
            }
            try await prepare(place, record)
            let isRunning = before?.isRunning ?? false
            do {
                try await exchange(&record, isRunning: isRunning)
            } catch {
                // Also where this task is cancelled.
                await Task { await goBack(to: before, isRunning: isRunning) }.value
                throw error
            }
            for data in places(record) { try Folders.remove(data + ".old") }
            return record
        }
    }

    private func check(_ taken: SandboxRecord, fits record: SandboxRecord) throws(SandboxError) {
        guard taken.members.count == record.members.count, taken.replicaSet == record.replicaSet else {
            throw SandboxError(
                .refused,
                "The snapshot is of a \(taken.kind), and the sandbox \(folder.name) is a \(record.kind). Nothing was changed."
            )
        }
    }

    private func places(_ record: SandboxRecord) -> [String] {
        record.members.indices.map { folder.data($0, kept: record.kept) }
    }

    /// Makes the copy of a copy, beside the data. From here on what stands there as old is what the data were.
    private func prepare(_ place: String, _ record: SandboxRecord) async throws {
        let places = places(record)
        for data in places {
            for name in [data + ".old", data + ".new"] { try Folders.remove(name) }
        }
        do {
            for data in places {
                try Folders.make(Folders.parent(data))
                try await Folders.copy(place, to: data + ".new")
            }
        } catch {
            for data in places { try? Folders.remove(data + ".new") }
            throw error
        }
    }

    /// Puts the new data in the place of the old ones, and has the servers go on with them.
    private func exchange(_ record: inout SandboxRecord, isRunning: Bool) async throws {
        let servers = SandboxServers(folder)
        let ports = record.members.map(\.port)
        (record.phase, record.formerMembers) = (.restoring, record.members)
        try folder.write(record)
        try await servers.end(atOnce: true)
        for data in places(record) {
            if Folders.exists(data) { try Folders.rename(data, to: data + ".old") }
            try Folders.rename(data + ".new", to: data)
        }
        try await servers.launch(
            &record, record.serverProgram, count: ports.count, isRunning ? .own(ports) : .preferred(ports))
        if record.replicaSet != nil { try await ReplicaSetStart(record).begin() }
        (record.phase, record.formerMembers) = (nil, nil)
        try folder.write(record)
    }

    /// Takes back what was begun, and has the servers go on as they did, if that can be.
    private func goBack(to before: SandboxRecord?, isRunning: Bool) async {
        do {
            try await takeBack()
            guard var record = before else { return try folder.clean(isWhole: false) }
            guard isRunning else { return }
            let servers = SandboxServers(folder)
            let ports = record.members.map(\.port)
            do {
                (record.phase, record.formerMembers) = (.restoring, record.members)
                try await servers.launch(&record, record.serverProgram, count: ports.count, .own(ports))
                if record.replicaSet != nil { try await ReplicaSetStart(record).begin() }
                (record.phase, record.formerMembers) = (nil, nil)
                try folder.write(record)
            } catch {
                try await servers.end(atOnce: true)
                try folder.write(before ?? record)
            }
        } catch {
            // What made it fail is what is told; the next command tries to take it back again.
        }
    }

    /// Has a sandbox whose restoring was cut short have its old data again. It doesn't run then.
    func takeBack() async throws {
        guard var record = folder.record, record.phase == .restoring else { return }
        try await SandboxServers(folder).end(atOnce: true)
        record.members = record.formerMembers ?? record.members
        for data in places(record) {
            try Folders.remove(data + ".new")
            guard Folders.exists(data + ".old") else { continue }
            try Folders.remove(data)
            try Folders.rename(data + ".old", to: data)
        }
        (record.phase, record.formerMembers) = (nil, nil)
        try folder.write(record)
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
