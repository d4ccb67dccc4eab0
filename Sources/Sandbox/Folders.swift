internal import Glibc
internal import InputFiles

/// Folders and files by the system's own calls.
package enum Folders {
    /// The working directory, and those above it.
    static var upwards: [String] { above(fromRoot("x")).filter { !$0.isEmpty } }

    /// The folders that a path from the root on lies in, the nearest first; the root is empty.
    package static func above(_ path: String) -> [String] {
        var (rest, all) = (path[...], [String]())
        while let slash = rest.lastIndex(of: "/") {
            rest = rest[..<slash]
            all.append(String(rest))
        }
        return all
    }

    /// The one path of a file or folder, from the root on and without symbolic links, whether it is there or not: servers are
    /// known by it.
    package static func absolute(_ path: String) -> String {
        var (existing, rest) = (path[...], Substring())
        while true {
            let place = existing.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : String(existing)
            if let real = realpath(place, nil) {
                defer { free(real) }
                let names = rest.split(separator: "/").filter { $0 != "." }
                let root = String(cString: real)
                return names.isEmpty
                    ? root : ([root == "/" ? "" : root] + names.map(String.init)).joined(separator: "/")
            }
            // Neither the working directory is there, nor the root.
            guard !existing.isEmpty else { return path }
            existing = existing.lastIndex(of: "/").map { existing[..<$0] } ?? ""
            rest = path[existing.endIndex...]
        }
    }

    /// A path from the root on, as it is otherwise.
    package static func fromRoot(_ path: String) -> String {
        guard !path.hasPrefix("/"), let buffer = getcwd(nil, 0) else { return path }
        defer { free(buffer) }
        return String(cString: buffer) + "/" + path
    }

    /// The names in a folder, in order; none where it isn't there.
    static func entries(_ path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether something has this name.
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The path of the folder that something is in; empty for the root.
    static func parent(_ path: String) -> String { String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }

    /// Whether a path is a folder's.
    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Makes a folder, and those above it.
    ///
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/inputOutput``.
    static func make(_ path: String) throws(SandboxError) {
        guard !exists(path) else { return }
        let parent = parent(path)
        if !parent.isEmpty { try make(parent) }
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("made", path) }
    }

    /// Removes a file, or a folder with all that is in it; that it isn't there is no error. Symbolic links aren't followed.
    ///
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/inputOutput``.
    static func remove(_ path: String) throws(SandboxError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            guard unlink(path) == 0 || errno == ENOENT else { throw failure("removed", path) }
            return
        }
        for name in entries(path) { try remove("\(path)/\(name)") }
        guard rmdir(path) == 0 || errno == ENOENT else { throw failure("removed", path) }
    }

    /// Gives something another name.
    ///
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/inputOutput``.
    static func rename(_ old: String, to new: String) throws(SandboxError) {
        guard Glibc.rename(old, new) == 0 else { throw failure("renamed", old) }
    }

    /// Copies a folder: without copying its blocks where the file system can share them.
    ///
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/inputOutput``; what was copied by then is removed.
    static func copy(_ path: String, to target: String) async throws(SandboxError) {
        let answer = await Program.run(
            "/bin/cp", ["-a", "--reflink=auto", "--", path, target], within: .seconds(3600))
        guard answer.ending == .exited(0) else {
            try? remove(target)
            let reason = answer.output.split(separator: "\n").last.map(String.init) ?? answer.words
            throw SandboxError(.inputOutput, "\(path) couldn't be copied: \(reason). What is there stays as it was.")
        }
    }

    /// Whether there is hardly any room left for files in a folder.
    static func isFull(_ path: String) -> Bool {
        var status = statvfs()
        return statvfs(path, &status) == 0 && status.f_bavail * status.f_frsize < 64 << 10
    }

    private static func failure(_ act: String, _ path: String) -> SandboxError {
        SandboxError(.inputOutput, "The system doesn't let \(path) be \(act): \(String(cString: strerror(errno))).")
    }
}
