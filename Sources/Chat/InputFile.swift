package import Foundation

/// A file that a user names, which may be a pipe.
package enum InputFile {
    /// Why it can't be read, in words.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Reads a file to its end.
    ///
    /// - Parameter path: The file's path, or `-` for standard input.
    /// - Throws: ``Failure``.
    package static func read(_ path: String) throws(Failure) -> Data {
        do {
            if path == "-" { return try FileHandle.standardInput.readToEnd() ?? Data() }
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw Failure(description: "there is no such file")
            }
            guard !isFolder.boolValue else { throw Failure(description: "it is a folder") }
            guard let handle = FileHandle(forReadingAtPath: path) else {
                throw Failure(description: "it may not be opened")
            }
            return try handle.readToEnd() ?? Data()
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(description: error.localizedDescription)
        }
    }
}
