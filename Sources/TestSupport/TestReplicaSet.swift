package import BSON
internal import Foundation
internal import Glibc
internal import MongoDriver
internal import Synchronization

/// A replica set of three real members on free ports of 127.0.0.1, of which single ones can be killed and come back.
package final class TestReplicaSet: Sendable {
    /// The set as one server that is named by all its members; its process only keeps the folders.
    package let server: TestServer
    private let folder: String
    private let ports: [Int]
    private let shape: Shape
    /// Each member by itself, before there are users.
    private let anyone: [MongoPool]
    fileprivate let direct: [MongoPool]
    private let members: Mutex<[SupervisedProcess?]>

    private static let memberCount = 3

    /// What the members are.
    package enum Shape: Sendable {
        /// A primary and two secondaries.
        case secondaries
        /// A primary, a secondary and an arbiter, which is member 2.
        case arbiter
        /// A primary and two secondaries, of which member 2 is hidden, and never primary.
        case hidden
        /// A primary and two secondaries that know each other by a key file, and want a user.
        case keyFile
    }

    /// Starts a set, to be ended with ``stop()``.
    package static func start(_ shape: Shape = .secondaries) async throws -> TestReplicaSet {
        let folder = try TestServer.makeFolder()
        let ports = try (0..<memberCount).map { _ in try LoopbackPort.free() }
        let keeper = try await SupervisedProcess(["/bin/sleep", "infinity"], folder: folder)
        let model = TestServer.Model(kind: .replicaSet, version: .standard)
        let server = try TestServer(
            model: model, port: ports[0], process: keeper, ports: ports,
            credentials: shape == .keyFile ? TestServer.root : nil)
        let set = try TestReplicaSet(server: server, folder: folder, ports: ports, shape)
        if shape == .keyFile { try set.writeKeyFile() }
        for index in 0..<memberCount { try await set.startMember(index) }
        try await set.initiate()
        return set
    }

    /// The connection string that reaches one member alone.
    package func uri(ofMember index: Int) -> String { "mongodb://127.0.0.1:\(ports[index])/?directConnection=true" }

    private init(server: TestServer, folder: String, ports: [Int], _ shape: Shape) throws {
        self.shape = shape
        self.server = server
        self.folder = folder
        self.ports = ports
        let options = "directConnection=true&serverSelectionTimeoutMS=500&connectTimeoutMS=500"
        anyone = try ports.map { try TestServer.makePool("mongodb://127.0.0.1:\($0)/?\(options)", appName: "tests") }
        direct =
            shape != .keyFile
            ? anyone
            : try ports.map {
                let root = TestServer.root
                let user = "\(root.user):\(PercentEncoding.encode(root.password))"
                return try TestServer.makePool(
                    "mongodb://\(user)@127.0.0.1:\($0)/?authSource=admin&\(options)", appName: "tests")
            }
        members = Mutex(Array(repeating: nil, count: ports.count))
    }

    /// Starts a member on the data that it has.
    package func startMember(_ index: Int) async throws {
        let process = try await TestServer.start(
            server.model, port: ports[index], on: folder + "/\(index)",
            shape == .keyFile ? ["--keyFile", keyFile] : [], answering: anyone[index], named: "member \(index)")
        members.withLock { $0[index] = process }
    }

    /// Kills a member as a power cut would; its data stays.
    package func killMember(_ index: Int) async throws {
        let process = members.withLock { members in
            defer { members[index] = nil }
            return members[index]
        }
        try await process?.end()
    }

    /// Waits for a primary.
    ///
    /// - Returns: Which member it is.
    package func primary() async throws -> Int {
        var found: Int?
        try await waitUntil("a primary", within: TestServer.readyWithin) {
            for index in direct.indices where found == nil {
                let hello = try? await direct[index].withClient { try await $0.run(["hello": 1], on: "admin") }
                if hello?["isWritablePrimary"]?.bool == true { found = index }
            }
            return found != nil
        }
        guard let found else { throw TestSupportError("no primary") }
        return found
    }

    /// Makes the primary hand its office over.
    package func stepDown() async throws {
        let index = try await primary()
        _ = try await direct[index].withClient {
            try await $0.run(["replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 5, "force": true], on: "admin")
        }
    }

    /// Waits until every member is the primary or follows it, and everything written is on a majority.
    package func waitUntilHealthy() async throws {
        try await waitUntil("a healthy set", within: TestServer.readyWithin) {
            let status = try? await server.admin.withClient { try await $0.run(["replSetGetStatus": 1], on: "admin") }
            let states = (status?["members"]?.array?.values ?? []).map { $0.document?["stateStr"]?.string ?? "" }
            return states.sorted() == [shape == .arbiter ? "ARBITER" : "SECONDARY", "PRIMARY", "SECONDARY"].sorted()
        }
        _ = try await server.admin.withClient {
            try await $0.bulkWrite(Namespace("healthy", "writes"), [.insert(["at": .date(0)])])
        }
    }

    /// Ends all members and removes their data.
    package func stop() async throws {
        for index in ports.indices { try await killMember(index) }
        for pool in direct + anyone { KeptPools.keep(pool) }
        try await server.kill()
    }

    private func initiate() async throws {
        let members = ports.enumerated().map { index, port -> BSONValue in
            var member: BSONDocument = ["_id": .int32(Int32(index)), "host": .string("127.0.0.1:\(port)")]
            if index == 2, shape == .arbiter { member.append("arbiterOnly", true) }
            if index == 2, shape == .hidden {
                member.append("hidden", true)
                member.append("priority", 0)
            }
            return .document(member)
        }
        let configuration: BSONDocument = [
            "_id": .string(TestServer.replicaSetName), "members": .array(BSONArray(members)),
            "settings": [
                "electionTimeoutMillis": 2_000, "heartbeatIntervalMillis": 500,
            ],
        ]
        _ = try await anyone[0].withClient {
            try await $0.run(["replSetInitiate": .document(configuration)], on: "admin")
        }
        if shape == .keyFile { try await createRoot() }
        try await waitUntilHealthy()
    }

    private var keyFile: String { folder + "/key" }

    /// By this the members know each other.
    private func writeKeyFile() throws {
        let key = Data((0..<96).map { _ in UInt8.random(in: .min ... .max) }).base64EncodedString()
        try key.write(toFile: keyFile, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: keyFile)
    }

    /// Makes the first user, whom anybody on the same machine may make, on the primary.
    private func createRoot() async throws {
        let root = TestServer.root
        let command: BSONDocument = [
            "createUser": .string(root.user), "pwd": .string(root.password), "roles": ["root"],
        ]
        try await waitUntil("a primary that makes the first user", within: TestServer.readyWithin) {
            for pool in anyone {
                let hello = try await pool.withClient { try await $0.run(["hello": 1], on: "admin") }
                guard hello["isWritablePrimary"]?.bool == true else { continue }
                _ = try await pool.withClient { try await $0.run(command, on: "admin") }
                return true
            }
            return false
        }
    }
}

extension TestReplicaSet {
    /// Makes a member take in nothing that others write, or catch up again; it answers all the same.
    package func setLagging(_ isLagging: Bool, member index: Int) async throws {
        try await set("rsSyncApplyStop", isLagging, member: index)
    }

    /// Runs a closure while some members hear nothing of what others write; they answer all the same.
    package func whileDeaf<R: Sendable>(_ indices: [Int], _ body: () async throws -> R) async throws -> R {
        for index in indices { try await setDeaf(true, member: index) }
        do {
            let result = try await body()
            for index in indices { try await setDeaf(false, member: index) }
            return result
        } catch {
            // A majority that hears nothing would let the end of the test wait for ever.
            for index in indices { try await setDeaf(false, member: index) }
            throw error
        }
    }

    private func setDeaf(_ isDeaf: Bool, member index: Int) async throws {
        try await set("stopReplProducer", isDeaf, member: index)
    }

    /// Has a member do something to commands for as long as it lives.
    package func set(_ fault: FailCommand, member index: Int) async throws {
        try await set("failCommand", true, data: fault.document, member: index)
    }

    private func set(_ failPoint: String, _ isOn: Bool, data: BSONDocument = [:], member index: Int) async throws {
        let command: BSONDocument = [
            "configureFailPoint": .string(failPoint), "mode": isOn ? "alwaysOn" : "off", "data": .document(data),
        ]
        _ = try await direct[index].withClient { try await $0.run(command, on: "admin") }
    }

    /// How many documents one member has.
    package func count(
        _ database: TestDatabase, _ collection: String, _ filter: BSONDocument, member index: Int
    ) async throws -> Int {
        let reply = try await direct[index].withClient {
            try await $0.run(["count": .string(collection), "query": .document(filter)], on: database.name)
        }
        return Int(reply["n"]?.integer ?? 0)
    }

    /// How far the slowest secondary is behind, as the primary sees it.
    package func lag() async throws -> Duration {
        let status = try await server.admin.withClient { try await $0.run(["replSetGetStatus": 1], on: "admin") }
        let times = (status["members"]?.array?.values ?? []).compactMap { $0.document?["optimeDate"]?.date }
        return .milliseconds((times.max() ?? 0) - (times.min() ?? 0))
    }
}
