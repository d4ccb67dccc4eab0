internal import BSON
internal import Glibc
internal import InputFiles
internal import Logging
internal import MongoDriver
internal import Sandbox

/// Puts into a new sandbox what was asked for.
struct SandboxContents {
    private let options: SandboxStartOptions
    private let record: SandboxRecord
    private let session: SandboxSession

    init(_ options: SandboxStartOptions, _ record: SandboxRecord, _ session: SandboxSession) {
        (self.options, self.record, self.session) = (options, record, session)
    }

    /// - Throws: ``Failure``, `MongoError`.
    func fill() async throws {
        if options.incident { try await loadIncident() }
        if options.seed { try await seed([]) }
        if let demo = options.demo { try await seed(["--demo", demo]) }
    }

    /// By this very program, as its user would.
    private func seed(_ arguments: [String]) async throws {
        let quiet = session.console.isQuiet ? ["--quiet"] : []
        let connection = ["--uri", record.uri, "--database", record.database]
        // What it prints is no part of this command's result.
        let start = ChildProcess.Start(
            FilePath.program, ["seed"] + arguments + connection + quiet + ["--yes", "--allow-here"],
            output: STDERR_FILENO)
        let child = try ChildProcess(start)
        let ending = await offPool { child.waitBlocking() }
        guard ending == .exited(0) else {
            throw Failure(.internalError, "Seeding the sandbox ended with \(ending.code); it is ended, too.")
        }
    }

    // MARK: - The incident

    private func loadIncident() async throws {
        guard let folder = Self.incidentFolders.first(where: { access("\($0)/users.jsonl", R_OK) == 0 }) else {
            throw Failure(
                .configuration,
                "The incident's files (users.jsonl and others) aren't found: neither in fixtures/incident here or above, "
                    + "nor in share/chat-admin/incident beside this program.")
        }
        let pool = try MongoPool(
            try ConnectionString(record.uri), logger: Logger(label: "sandbox") { _ in SwiftLogNoOpLogHandler() })
        pool.keepUntilExit()
        try await pool.withClient { client in
            for name in ["users", "chat_sessions", "messages", "artifacts"] {
                let documents = try await Self.documents("\(folder)/\(name).jsonl")
                for start in stride(from: 0, to: documents.count, by: 1_000) {
                    let some = documents[start..<min(start + 1_000, documents.count)]
                    _ = try await client.bulkWrite(
                        Namespace(record.database, name), some.map { .insert($0) })
                }
            }
        }
        session.console.remark("Loaded the incident into \(record.database).")
    }

    private static func documents(_ path: String) async throws -> [BSONDocument] {
        let text: String
        do {
            text = try await InputFile.readText(path, limit: 64 << 20)
        } catch {
            throw Failure(.localIO, "\(path) can't be read: \(error).")
        }
        return try text.split(separator: "\n").map { try ExtendedJSON.document(String($0)) }
    }

    /// Where the incident is in a clone, here or where this program was built, and where it is installed.
    private static var incidentFolders: [String] {
        func upwards(_ path: String) -> [String] {
            var (rest, all) = (path[...], [String]())
            while let slash = rest.lastIndex(of: "/") {
                rest = rest[..<slash]
                all.append(String(rest))
            }
            return all
        }
        let beside = upwards(FilePath.program)
        let clones = upwards(FilePath.absolute("x")) + beside
        return clones.map { $0 + "/fixtures/incident" }
            + beside.dropFirst().prefix(1).map { $0 + "/share/chat-admin/incident" }
    }
}

/// Prints files as they are.
enum SandboxText {
    /// - Throws: ``Failure``.
    static func print(_ path: String, _ console: Console) async throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure(.localIO, "\(path) can't be read: \(String(cString: strerror(errno))).")
        }
        defer { close(descriptor) }
        var part = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            try console.result(raw: String(decoding: part.prefix(count), as: UTF8.self))
        }
    }
}
