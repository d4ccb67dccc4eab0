internal import Foundation

/// Where the built `chat-admin` is.
package enum ToolProgram {
    /// The path of the program: what `CHAT_ADMIN_BIN` names, or what was built beside the running tests.
    package static func path() throws -> String {
        if let named = ProcessInfo.processInfo.environment["CHAT_ADMIN_BIN"], !named.isEmpty {
            guard FileManager.default.isExecutableFile(atPath: named) else {
                throw TestSupportError("CHAT_ADMIN_BIN names no program: \(named)")
            }
            return URL(filePath: named).path
        }
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let built = URL(filePath: tests).deletingLastPathComponent().appending(path: "chat-admin").path
        guard FileManager.default.isExecutableFile(atPath: built) else {
            throw TestSupportError("There is no \(built): build it, or set CHAT_ADMIN_BIN.")
        }
        return built
    }
}
