internal import Glibc

/// The folder that a sandbox's data stay in: in it a folder for each server, called by its number.
struct KeptFolder {
    private let path: String

    /// - Parameter path: Its one path, as ``Folders/absolute(_:)`` makes it.
    init(_ path: String) { self.path = path }

    /// Sees whether a sandbox can go on from what is there, or begin with nothing.
    ///
    /// - Parameter members: How many servers its replica set is to have; nil for a standalone server.
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/refused``.
    func check(for folder: SandboxFolder, members: Int?) throws(SandboxError) {
        for other in Sandboxes(root: folder.root).folders where other.name != folder.name {
            guard let record = other.record, record.kept == path, record.isAlive || !other.isFree else { continue }
            throw SandboxError(.refused, "\(path) is in use by the sandbox \(other.name).")
        }
        guard Folders.exists(path) else { return }
        guard Folders.isFolder(path) else { throw SandboxError(.refused, "\(path) is no folder.") }
        // What a file system, or a version control system, has in any folder is in nobody's way.
        let names = Folders.entries(path).filter { !$0.hasPrefix(".") && $0 != "lost+found" }
        if let foreign = names.first(where: { !isData($0) }) {
            throw SandboxError(
                .refused,
                "\(path) holds \(foreign), which is no data of a sandbox. Name an empty folder, or one that a sandbox has kept "
                    + "its data in.")
        }
        let there = names.filter { Int($0) != nil }.count
        // What the missing ones don't see would be missing in them for good. Further ones get all from the others.
        guard there > members ?? 1 else { return }
        throw SandboxError(
            .refused, "\(path) holds the data of a replica set of \(there) servers, and goes on with as many, or more.")
    }

    /// Whether something in the folder is, or was, the data of one server.
    private func isData(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard Int(parts[0]) != nil, parts.count == 1 || parts.count == 2 && ["old", "new"].contains(parts[1]) else {
            return false
        }
        // What the server writes first; a folder in which it has begun nothing is empty.
        let entries = Folders.entries("\(path)/\(name)")
        let known: Set = ["WiredTiger", "WiredTiger.lock", "mongod.lock", "storage.bson", "journal"]
        return Folders.isFolder("\(path)/\(name)") && (entries.isEmpty || entries.contains(where: known.contains))
    }
}
