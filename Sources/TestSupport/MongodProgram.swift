internal import Foundation

/// Which `mongod` the tests use.
enum MongodProgram {
    /// The path of the program: what `CHAT_ADMIN_MONGOD` names, the one on `PATH`, or the one that `make setup` fetched.
    ///
    /// - Throws: ``TestSupportError`` when there is none.
    static func path() throws -> String {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["CHAT_ADMIN_MONGOD"], !named.isEmpty {
            guard isProgram(named) else { throw TestSupportError("CHAT_ADMIN_MONGOD names no program: \(named)") }
            return named
        }
        let folders = (environment["PATH"] ?? "").split(separator: ":")
        if let found = folders.map({ "\($0)/mongod" }).first(where: isProgram) { return found }
        let fetched = try ProjectFiles.root() + "/.tools/mongodb"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: fetched)) ?? []
        if let found = versions.sorted().reversed().map({ "\(fetched)/\($0)/mongod" }).first(where: isProgram) {
            return found
        }
        throw TestSupportError(
            "There is no mongod: set CHAT_ADMIN_MONGOD, put one on PATH, or run 'make setup', which fetches one.")
    }

    private static func isProgram(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }
}
