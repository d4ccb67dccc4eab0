internal import BSON
internal import Foundation
internal import Glibc
internal import MongoDriver

extension TestServer {
    private static let attempts = 3
    /// A cold start takes about 2 s; a busy machine may need many times that.
    static let readyWithin = Duration.seconds(90)

    /// Starts a server of one's own, to be ended with ``stop()`` or ``kill()``.
    ///
    /// - Parameters:
    ///   - kind: What it is to be.
    ///   - version: Which MongoDB.
    ///   - extraArguments: More arguments for `mongod`.
    ///   - options: What connection strings to it have to say besides.
    /// - Throws: ``TestSupportError`` when it doesn't start, with the end of its log.
    package static func start(
        _ kind: Kind, version: ServerVersion = .standard, extraArguments: [String] = [], options: [String] = []
    ) async throws -> TestServer {
        var lastFailure: any Error = TestSupportError("mongod wasn't started")
        // A port that was free may be taken a moment later, by another test process for example.
        for _ in 0..<attempts {
            let server = try await launch(Model(kind: kind, version: version), extraArguments, options)
            do {
                try await server.makeReady()
                return server
            } catch {
                lastFailure = TestSupportError("mongod doesn't work: \(error)\n\(server.logTail())")
                try await server.kill()
            }
        }
        throw lastFailure
    }

    private static func launch(
        _ model: Model, _ extra: [String], _ options: [String]
    ) async throws -> TestServer {
        let folder = try makeFolder()
        let port = try LoopbackPort.free()
        let command = try command(model, port: port, folder: folder)
        let process = try await SupervisedProcess(command + extra, folder: folder)
        return try TestServer(model: model, port: port, process: process, options: options)
    }

    /// A folder for a server, with room for its data in `db`.
    static func makeFolder() throws -> String {
        let folder = FileManager.default.temporaryDirectory.path + "/chat-admin-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/db", withIntermediateDirectories: true)
        return folder
    }

    /// The command line of a server on a folder.
    static func command(_ model: Model, port: Int, folder: String) throws -> [String] {
        try MongodProgram.command(model.version) + [
            "--dbpath", folder + "/db", "--port", String(port), "--bind_ip", "127.0.0.1", "--nounixsocket",
            "--logpath", folder + "/mongod.log", "--wiredTigerCacheSizeGB", "0.25",
            "--setParameter", "enableTestCommands=1", "--setParameter", "diagnosticDataCollectionEnabled=false",
        ] + model.kind.arguments
    }

    /// Starts a process on data that outlive it, and waits until it answers.
    ///
    /// - Parameters:
    ///   - data: The folder of the data, made where it isn't there.
    ///   - more: More arguments for `mongod`.
    ///   - pool: Connections to it alone.
    ///   - name: What it is, for an error.
    static func start(
        _ model: Model, port: Int, on data: String, _ more: [String], answering pool: MongoPool, named name: String
    ) async throws -> SupervisedProcess {
        try FileManager.default.createDirectory(atPath: data + "/db", withIntermediateDirectories: true)
        let command = try command(model, port: port, folder: data)
        let process = try await SupervisedProcess(command + more, folder: makeFolder())
        try await waitUntil("an answer of \(name)", within: readyWithin) {
            guard process.isRunning else { throw TestSupportError("\(name) ended") }
            return await answers(pool)
        }
        return process
    }

    /// Waits until the server answers and is what its kind says.
    private func makeReady() async throws {
        let anyone = try Self.makePool(
            "mongodb://\(host):\(port)/?"
                + (["directConnection=true", "serverSelectionTimeoutMS=200"] + options).joined(separator: "&"),
            appName: "tests")
        try await waitUntil("an answer on port \(port)", within: Self.readyWithin) {
            guard isRunning else { throw TestSupportError("mongod \(pid) ended") }
            return await Self.answers(anyone)
        }
        switch kind {
        case .standalone: break
        case .authenticated: try await createRoot(anyone)
        case .replicaSet: try await initiate(anyone)
        }
        // Another server may have taken the port before this one, which then ends by itself a moment later.
        let status = try await admin.withClient { try await $0.run(["serverStatus": 1], on: "admin") }
        guard status["pid"]?.integer == Int64(pid) else {
            throw TestSupportError("another server answers on port \(port)")
        }
    }

    static func answers(_ pool: MongoPool) async -> Bool {
        let reply = try? await pool.withClient { try await $0.run(["ping": 1], on: "admin") }
        return reply != nil
    }

    /// Makes the first user, whom a server with `--auth` lets anybody on the same machine make.
    private func createRoot(_ anyone: MongoPool) async throws {
        guard let credentials else { return }
        let command: BSONDocument = [
            "createUser": .string(credentials.user), "pwd": .string(credentials.password), "roles": ["root"],
        ]
        _ = try await anyone.withClient { try await $0.run(command, on: "admin") }
    }

    /// Makes a server the only member of a replica set, and its primary.
    func initiate(_ anyone: MongoPool) async throws {
        let configuration: BSONDocument = [
            "_id": .string(Self.replicaSetName),
            "members": [["_id": 0, "host": .string("\(host):\(port)")]],
            // The default of 10 s is what a fresh set of one would wait before its first election.
            "settings": ["electionTimeoutMillis": 500],
        ]
        _ = try await anyone.withClient {
            try await $0.run(["replSetInitiate": .document(configuration)], on: "admin")
        }
        try await waitUntil("a primary", within: Self.readyWithin) {
            let hello = try await anyone.withClient { try await $0.run(["hello": 1], on: "admin") }
            return hello["isWritablePrimary"]?.bool == true
        }
    }
}
