internal import Glibc
internal import InputFiles

/// A `mongod` that can be started.
package struct ServerProgram: Sendable, Equatable {
    /// Its path.
    package let path: String
    /// Its version, such as `6.0.5`.
    package let version: String
    /// What has to stand in `LD_LIBRARY_PATH` for it.
    let libraryPath: String?

    /// The first version that can be used.
    private static let oldest = 4.2

    /// The first two parts of the version.
    var release: Double { Double(version.split(separator: ".").prefix(2).joined(separator: ".")) ?? 0 }

    /// Finds a `mongod`, and asks it for its version: the one that is named, or the first of PATH, or the newest in `.tools`
    /// above the working directory.
    ///
    /// - Parameters:
    ///   - given: The one that is named, and where its name comes from.
    ///   - naming: What a user can name one with, in words.
    ///   - environment: Where PATH stands.
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/noServer``.
    package static func find(
        _ given: (path: String, origin: String)?, naming: String, environment: [String: String] = Environment.own
    ) async throws(SandboxError) -> ServerProgram {
        if let given {
            guard access(given.path, X_OK) == 0, !Folders.isFolder(given.path) else {
                throw SandboxError(
                    .noServer, "\(given.path) (from \(given.origin)) is no program that can be run. \(ways)")
            }
            let path = Folders.fromRoot(given.path)
            return try await ask(path, libraryPath: libraries(beside: path))
        }
        let folders = (environment["PATH"] ?? "").split(separator: ":").map { String($0) + "/mongod" }
        if let path = folders.first(where: { access($0, X_OK) == 0 && !Folders.isFolder($0) }) {
            return try await ask(Folders.fromRoot(path), libraryPath: nil)
        }
        guard let path = fetched() else {
            throw SandboxError(
                .noServer,
                "There is no mongod in PATH, nor in .tools here or above. Name one with \(naming), where there is one "
                    + "elsewhere. \(ways)")
        }
        return try await ask(path, libraryPath: libraries(beside: path))
    }

    /// Ways to a `mongod`.
    private static let ways = """
        Three ways to one: install the package mongodb-org-server of MongoDB (https://www.mongodb.com/docs/manual/installation), \
        and it is found in PATH; or in a clone of this project run `make setup`, which fetches one into .tools; or run one in \
        a container, `docker run --rm -p 127.0.0.1:27017:27017 mongo:6.0`, and work on that instead of a sandbox.
        """

    /// The newest that setup has fetched, in this folder or above it.
    private static func fetched() -> String? {
        for folder in Folders.upwards where !Folders.entries("\(folder)/.tools/mongodb").isEmpty {
            let versions = Folders.entries("\(folder)/.tools/mongodb").filter {
                access("\(folder)/.tools/mongodb/\($0)/mongod", X_OK) == 0
            }
            func number(_ version: String) -> [Int] { version.split(separator: ".").map { Int($0) ?? 0 } }
            let newest = versions.max { number($0).lexicographicallyPrecedes(number($1)) }
            if let newest { return "\(folder)/.tools/mongodb/\(newest)/mongod" }
        }
        return nil
    }

    /// Some of the servers that setup fetches need what it has put beside them.
    private static func libraries(beside path: String) -> String? {
        guard let tools = path.firstRange(of: "/.tools/mongodb/") else { return nil }
        let folder = path[..<tools.lowerBound] + "/.tools/openssl-1.1"
        return Folders.isFolder(String(folder)) ? String(folder) : nil
    }

    /// The same, with the libraries that stand beside it.
    var completed: ServerProgram {
        ServerProgram(path: path, version: version, libraryPath: Self.libraries(beside: path))
    }

    /// The environment that it is started with.
    func environment(_ own: [String: String] = Environment.own) -> [String: String] {
        guard let libraryPath else { return own }
        var environment = own
        environment["LD_LIBRARY_PATH"] = [libraryPath, own["LD_LIBRARY_PATH"]].compactMap { $0 }.joined(separator: ":")
        return environment
    }

    private static func ask(_ path: String, libraryPath: String?) async throws(SandboxError) -> ServerProgram {
        let unknown = ServerProgram(path: path, version: "", libraryPath: libraryPath)
        let answer = await Program.run(path, ["--version"], environment: unknown.environment(), within: .seconds(20))
        if let library = missingLibrary(answer.output) {
            let package = packages.first { library.hasPrefix($0.library) }?.package
            let help = package.map { "the package \($0) has it" } ?? "look which package of your system has it"
            throw SandboxError(.noServer, "\(path) can't run: the library \(library) is missing; \(help). \(ways)")
        }
        guard let line = answer.output.split(separator: "\n").first(where: { $0.hasPrefix("db version v") }) else {
            let said = answer.output.split(separator: "\n").first.map { ": it says \"\($0.prefix(120))\"" } ?? ""
            throw SandboxError(
                .noServer, "\(path) is no mongod: asked for its version, it \(answer.words)\(said). \(ways)")
        }
        let version = String(line.dropFirst("db version v".count).prefix { $0.isNumber || $0 == "." })
        let program = ServerProgram(path: path, version: version, libraryPath: libraryPath)
        guard program.release >= oldest else {
            throw SandboxError(.noServer, "\(path) is MongoDB \(version), and \(oldest) or newer is needed. \(ways)")
        }
        return program
    }

    /// As the dynamic linker says it.
    private static func missingLibrary(_ output: String) -> String? {
        guard let start = output.firstRange(of: "error while loading shared libraries: ") else { return nil }
        return String(output[start.upperBound...].prefix { $0 != ":" })
    }

    /// Which package of Debian and Ubuntu has what a `mongod` needs.
    private static let packages: [(library: String, package: String)] = [
        ("libcrypto.so.1.1", "libssl1.1"), ("libssl.so.1.1", "libssl1.1"), ("libcrypto.so.3", "libssl3"),
        ("libssl.so.3", "libssl3"), ("libcurl.so.4", "libcurl4"), ("liblzma.so.5", "liblzma5"),
        ("libresolv", "libc6"), ("libgssapi_krb5", "libgssapi-krb5-2"), ("libldap", "libldap-2.5-0"),
        ("libsasl2", "libsasl2-2"), ("libnetsnmp", "libsnmp40"),
    ]
}
