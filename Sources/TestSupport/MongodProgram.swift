internal import Foundation

/// Which `mongod` the tests use.
package enum MongodProgram {
    /// How a version's program is started: its path, with what goes before it.
    ///
    /// - Throws: ``TestSupportError`` when there is none.
    static func command(_ version: ServerVersion) throws -> [String] {
        let tools = try ProjectFiles.root() + "/.tools"
        let program = version == .standard ? try path() : "\(tools)/mongodb/\(version.rawValue)/mongod"
        guard isProgram(program) else { throw TestSupportError("There is no \(program): run 'make setup'.") }
        // Some of those that `make setup` fetches need these libraries; no other program knows their names.
        return ["/usr/bin/env", "LD_LIBRARY_PATH=\(tools)/openssl-1.1", program]
    }

    /// The path of the program: what `CHAT_ADMIN_MONGOD` names, the one on `PATH`, or the one that `make setup` fetched.
    package static func path() throws -> String {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["CHAT_ADMIN_MONGOD"], !named.isEmpty {
            guard isProgram(named) else { throw TestSupportError("CHAT_ADMIN_MONGOD names no program: \(named)") }
            return named
        }
        let folders = (environment["PATH"] ?? "").split(separator: ":")
        if let found = folders.map({ "\($0)/mongod" }).first(where: isProgram) { return found }
        let list = try String(contentsOfFile: ProjectFiles.path("scripts/mongodb.txt"), encoding: .utf8)
        let first = list.split(separator: "\n").first { !$0.hasPrefix("#") }
        let version = first?.split(separator: " ").first ?? ""
        let fetched = try ProjectFiles.root() + "/.tools/mongodb/\(version)/mongod"
        if isProgram(fetched) { return fetched }
        throw TestSupportError(
            "There is no mongod: set CHAT_ADMIN_MONGOD, put one on PATH, or run 'make setup', which fetches one.")
    }

    private static func isProgram(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }
}
