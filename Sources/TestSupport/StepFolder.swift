internal import Foundation

/// A directory of steps of one test's own.
package struct StepFolder: Sendable {
    package let path: String

    /// Writes files, lends the directory to a closure, and removes it.
    package static func with<R: Sendable>(
        _ files: [String: String], _ body: (StepFolder) async throws -> R
    ) async throws -> R {
        let path = FileManager.default.temporaryDirectory.path + "/steps-\(UUID().uuidString)/shop"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let folder = StepFolder(path: path)
        for (name, text) in files { try folder.write(name, text) }
        do {
            let result = try await body(folder)
            try folder.removeAll()
            return result
        } catch {
            try folder.removeAll()
            throw error
        }
    }

    package func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    package func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(path)/\(name)") }

    package var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
    }

    private func removeAll() throws {
        try FileManager.default.removeItem(at: URL(fileURLWithPath: path).deletingLastPathComponent())
    }

    /// The arguments that name it.
    package var arguments: [String] { ["--steps", path] }
}
