internal import Glibc

/// Where a file is, or will be.
package struct FilePlace: Hashable {
    /// Its folder.
    let folder: String
    /// Its name there.
    let name: String

    /// Parts a path into its folder and a name.
    init(_ path: String) {
        let slash = path.lastIndex(of: "/")
        folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    }

    /// The place that a path names, by which it can be told from others, however it is written; the file needn't be there.
    package init(resolving path: String) {
        if let resolved = Self.resolved(path) {
            self.init(resolved)
        } else {
            let place = FilePlace(path)
            self.init((Self.resolved(place.folder) ?? place.folder) + "/" + place.name)
        }
    }

    /// A path without symbolic links; nil where nothing is there.
    static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
