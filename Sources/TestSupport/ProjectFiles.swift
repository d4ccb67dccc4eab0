internal import Foundation

/// Where the project's own files are, as seen from the sources of the tests.
package enum ProjectFiles {
    /// The folder with `Package.swift`, `fixtures` and `.tools` in it.
    ///
    /// - Throws: ``TestSupportError`` when the sources were moved away since they were compiled.
    package static func root() throws -> String {
        try folder(holding: "fixtures/users.json")
    }

    /// The path of a file or folder of the project.
    package static func path(_ relative: String) throws -> String {
        let path = try root() + "/" + relative
        guard FileManager.default.fileExists(atPath: path) else { throw TestSupportError("There is no \(path).") }
        return path
    }

    /// Looks from this source file upward for a folder that holds a file. Symbolic links are followed first, so that
    /// sources which are linked into another package still find the project.
    private static func folder(holding file: String) throws -> String {
        var folder = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        while folder.path != "/" {
            if FileManager.default.fileExists(atPath: folder.appending(path: file).path) { return folder.path }
            folder.deleteLastPathComponent()
        }
        throw TestSupportError("No folder above \(#filePath) holds \(file).")
    }
}
