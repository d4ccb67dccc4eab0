internal import Glibc

/// Where a file is, or will be.
package struct FilePlace: Hashable {
    /// Its folder.
    let folder: String
    /// Its name there.
    let name: String

    /// Parts a path into its folder and a name.
    private init(_ path: String) {
        let slash = path.lastIndex(of: "/")
        folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    }

    /// The place that a path names, behind symbolic links, by which it can be told from others, however it is written. The file
    /// needn't be there, and a link may name a file that isn't.
    package init(resolving path: String) {
        var path = path
        for _ in 0..<Self.mostLinks {
            if let resolved = Self.resolved(path) {
                self.init(resolved)
                return
            }
            guard let target = Self.target(of: path) else { break }
            path = target.hasPrefix("/") ? target : FilePlace(path).folder + "/" + target
        }
        let place = FilePlace(path)
        self.init((Self.resolved(place.folder) ?? place.folder) + "/" + place.name)
    }

    /// The path.
    var path: String { folder == "/" ? "/" + name : folder + "/" + name }

    /// More, the system doesn't follow either (path_resolution(7)).
    private static let mostLinks = 40

    /// A path without symbolic links; nil where nothing is there.
    private static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// What a symbolic link names; nil where there is none.
    private static func target(of link: String) -> String? {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(PATH_MAX)) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let count = readlink(link, start, buffer.count)
            return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
        }
    }
}
