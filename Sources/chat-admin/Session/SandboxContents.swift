internal import ArgumentParser
internal import BSON
internal import FoundationEssentials
internal import Glibc
internal import InputFiles
internal import Logging
internal import MongoDriver
internal import Sandbox

/// Puts into a sandbox what was asked for.
struct SandboxContents {
    private let options: SandboxStartOptions
    private let session: SandboxSession
    /// Where the incident's files are, where it is asked for.
    private let incident: String?

    /// Looks for what is needed, before a server is started.
    ///
    /// - Throws: ``Failure``.
    init(_ options: SandboxStartOptions, _ session: SandboxSession) async throws {
        (self.options, self.session) = (options, session)
        incident = options.incident ? try Self.incidentFolder() : nil
        guard options.seed || options.demo != nil else { return }
        // Seeding reads the settings, too, though they have no say here: what it can't understand it refuses.
        let usual = try GlobalOptions.parse(["--uri", "mongodb://127.0.0.1/"])
        _ = try await ConnectionSource(usual, typed: false).target()
    }

    /// - Throws: ``Failure``, `MongoError`.
    func fill(_ record: SandboxRecord) async throws {
        if let incident { try await loadIncident(incident, record) }
        if options.seed { try await seed([], record) }
        if let demo = options.demo { try await seed(["--demo", demo], record) }
    }

    // MARK: - Seeding

    /// By this very program, as its user would.
    private func seed(_ arguments: [String], _ record: SandboxRecord) async throws {
        try Task.checkCancellation()
        guard let output = MemoryFile() else { throw Failure(.localIO, "No memory for what seeding prints.") }
        var start = ChildProcess.Start(
            FilePath.program,
            ["seed"] + arguments + ["--uri", record.uri, "--database", record.database, "--yes", "--allow-here"]
                + ["--format", "json"] + (session.console.isQuiet ? ["--quiet"] : []), output: output.descriptor)
        start.errors = STDERR_FILENO
        start.deathSignal = SIGTERM
        let child = try await ChildProcess.lasting(start).get()
        session.child.set(child, answers: false)
        let ending = await offPool { child.waitBlocking() }
        session.child.clear()
        try Task.checkCancellation()
        // With 1 it says that something is there and different, and stays: the data are what they are.
        guard ending == .exited(0) || ending == .exited(ExitStatus.findings.rawValue) else {
            throw Failure(
                ExitStatus(rawValue: ending.code) ?? .internalError,
                "Seeding the sandbox \(record.name) ended with \(ending.code).")
        }
        if let seeded = SeededContents(output.bytes) { seeded.lines.forEach(session.console.remark) }
    }

    // MARK: - The incident

    private static let collections = ["users", "chat_sessions", "messages", "artifacts"]

    private func loadIncident(_ folder: String, _ record: SandboxRecord) async throws {
        let pool = try MongoPool(
            try ConnectionString(record.uri), logger: Logger(label: "sandbox") { _ in SwiftLogNoOpLogHandler() })
        pool.keepUntilExit()
        try await pool.withClient { client in
            for name in Self.collections {
                let count = try await client.run(["count": .string(name)], on: record.database)["n"]?.integer ?? 0
                guard count == 0 else {
                    throw Failure(
                        .refused,
                        "The database \(record.database) of the sandbox \(record.name) has \(name) already, and the incident "
                            + "goes into an empty one. Leave --incident out to go on with what is there.")
                }
            }
            for name in Self.collections {
                let documents = try await Self.documents("\(folder)/\(name).jsonl")
                for start in stride(from: 0, to: documents.count, by: 1_000) {
                    try Task.checkCancellation()
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
    ///
    /// - Throws: ``Failure`` where it is nowhere, or not as a whole.
    private static func incidentFolder() throws -> String {
        let beside = Folders.above(FilePath.program)
        let clones = Folders.above(Folders.fromRoot("x")) + beside
        let folders =
            clones.map { $0 + "/fixtures/incident" }
            + beside.dropFirst().prefix(1).map { $0 + "/share/chat-admin/incident" }
        guard let folder = folders.first(where: { access("\($0)/users.jsonl", R_OK) == 0 }) else {
            throw Failure(
                .configuration,
                "The incident's files (users.jsonl and others) aren't found: neither in fixtures/incident here or above, "
                    + "nor in share/chat-admin/incident beside this program.")
        }
        if let missing = collections.first(where: { access("\(folder)/\($0).jsonl", R_OK) != 0 }) {
            throw Failure(.configuration, "The incident's file \(folder)/\(missing).jsonl can't be read.")
        }
        return folder
    }
}

/// What `seed` says that it has made, in words that fit a sandbox: nobody undoes there what goes with the server.
private struct SeededContents: Decodable {
    private struct Seeded: Decodable {
        struct User: Decodable {
            let username: String
            let state: String
        }
        struct Demo: Decodable {
            let sessions: Int
            let messages: Int
            let artifacts: Int
            let users: Int
        }

        let users: [User]
        let logins: [String: String]
        let demo: Demo?
    }

    private let database: String
    private let seeded: Seeded

    init?(_ json: [UInt8]) {
        guard let contents = try? JSONDecoder().decode(SeededContents.self, from: Data(json)) else { return nil }
        self = contents
    }

    var lines: [String] {
        var lines = [
            "Users in \(database): \(seeded.users.map { "\($0.username) (\($0.state))" }.joined(separator: ", "))."
        ]
        let logins = seeded.logins.sorted { $0.key < $1.key }.map { PlainText.tied("\($0.key) / \($0.value)") }
        if !logins.isEmpty { lines.append("Log in as \(logins.joined(separator: ", ")).") }
        if let demo = seeded.demo {
            let sizes = [(demo.sessions, "session"), (demo.messages, "message"), (demo.artifacts, "artifact")]
            lines.append(
                "Chats: \(sizes.map(Readable.counted).joined(separator: ", ")) of \(Readable.counted(demo.users, "user"))."
            )
        }
        return lines
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
            try console.pass(part.prefix(count))
        }
    }
}
