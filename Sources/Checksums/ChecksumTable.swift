internal import FoundationEssentials
internal import Glibc

/// The checksums of a module's source files by the files' names, and the Swift file that holds them.
package struct ChecksumTable: Hashable, Sendable {
    /// The checksums, see ``SwiftSource/checksum()``, by last path component.
    package let checksums: [String: String]

    /// Reads the files and computes their checksums.
    ///
    /// - Parameter paths: The files, absolute or relative to the working directory; their names differ.
    /// - Throws: ``ChecksumError/unreadable(path:reason:)``, ``ChecksumError/sameName(_:first:second:)``,
    ///   ``ChecksumError/noDigest``.
    package init(files paths: [String]) throws(ChecksumError) {
        var pathsByName: [String: String] = [:]
        var checksums: [String: String] = [:]
        for path in paths {
            let name = URL(filePath: path).lastPathComponent
            if let first = pathsByName.updateValue(path, forKey: name) {
                throw .sameName(name, first: first, second: path)
            }
            checksums[name] = try SwiftSource(Self.read(path)).checksum()
        }
        self.checksums = checksums
    }

    /// A Swift file with an enum `SourceChecksums` that gives each checksum by `#fileID`. Ends with a line break.
    package var swiftFile: String {
        // A string's debug description is a Swift literal of it.
        let entries = checksums.sorted { $0.key < $1.key }
            .map { "        \($0.key.debugDescription): \($0.value.debugDescription),\n" }
        let literal = entries.isEmpty ? "[:]" : "[\n\(entries.joined())    ]"
        return """
            // Written at build time by the SourceChecksums plugin; not to be edited.

            /// SHA-256 of each source file of this module, with LF as line ends.
            enum SourceChecksums {
                /// The checksum of a file, given its `#fileID`; nil if the file isn't one of this module's.
                static func of(_ fileID: String) -> String? {
                    fileID.split(separator: "/").last.flatMap { byFile[String($0)] }
                }

                private static let byFile: [String: String] = \(literal)
            }

            """
    }

    /// Writes ``swiftFile`` to `path`, all or nothing; leaves a file alone that has this content already.
    ///
    /// - Throws: ``ChecksumError/unwritable(path:reason:)``.
    package func write(to path: String) throws(ChecksumError) {
        let url = URL(filePath: path)
        let content = Data(swiftFile.utf8)
        // A file that can't be read is written.
        if let current = try? Data(contentsOf: url), current == content { return }
        do {
            try content.write(to: url, options: .atomic)
        } catch {
            throw .unwritable(path: path, reason: Self.reason(error))
        }
    }

    /// Data(contentsOf:) would leak its buffer for an empty file on Linux, which ends a build with sanitizers.
    private static func read(_ path: String) throws(ChecksumError) -> [UInt8] {
        let file = fopen(path, "re")
        defer { if let file { fclose(file) } }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while let file {
            let count = fread(&piece, 1, piece.count, file)
            if count == 0 { break }
            bytes += piece[..<count]
        }
        guard let file, ferror(file) == 0 else {
            throw .unreadable(path: path, reason: String(cString: strerror(errno)))
        }
        return bytes
    }

    /// The system's words, "No such file or directory" for instance.
    private static func reason(_ error: any Error) -> String {
        guard let underlying = (error as? CocoaError)?.underlying as? POSIXError else { return "\(error)" }
        return String(cString: strerror(underlying.code.rawValue))
    }
}
