import TestSupport
import Testing

/// Connection strings as people and services hand them out, on every command.
@Suite("Options of the connection string, command by command", .serialized)
struct ConnectionOptionsTests {
    private static let options = [
        "retryWrites=true&w=majority", "w=0", "w=1&journal=false", "journal=true&wtimeoutMS=5000", "wtimeoutMS=1",
        "readConcernLevel=local", "readConcernLevel=majority", "readConcernLevel=linearizable",
        "readConcernLevel=snapshot", "serverSelectionTimeoutMS=1", "maxPoolSize=1", "minPoolSize=3&maxPoolSize=4",
        "compressors=zlib", "compressors=snappy,zstd", "directConnection=true", "retryWrites=false&retryReads=false",
        "readPreference=secondaryPreferred&maxStalenessSeconds=90", "readPreference=nearest",
        "heartbeatFrequencyMS=500&localThresholdMS=0", "connectTimeoutMS=2000&socketTimeoutMS=60000",
        "maxIdleTimeMS=1&waitQueueTimeoutMS=5000", "uuidRepresentation=standard&tz_aware=true",
    ]

    /// A life of the database: each command, and what it may end with.
    private static let life: [(command: [String], codes: Set<Int32>)] = [
        (["check"], [1]), (["migrate", "up", "--offline", "--yes"], [1]), (["check"], [1]), (["runs", "list"], [0]),
        (["migrate", "down", "--to", "0", "--yes"], [0]),
    ]

    private static let wholeLife: [(command: [String], codes: Set<Int32>)] =
        [
            (["seed", "--allow-here", "--yes"], [0]), (["repair", "all", "--dry-run"], [0]),
            (["repair", "ids", "--yes"], [0]),
            (["repair", "references", "--yes"], [1]), (["repair", "counts", "--offline", "--yes"], [0]),
            (["migrate", "plan"], [2]), (["migrate", "status"], [0]), (["migrate", "validate"], [0, 1]),
            (["migrate", "baseline", "--version", "1", "--dry-run"], [0, 64]), (["migrate", "unlock"], [0]),
        ] + life + [
            (["migrate", "up", "--yes", "--steps", "STEPS", "--allow-dangerous"], [0]),
            (["migrate", "down", "--to", "0", "--yes", "--steps", "STEPS"], [0]),
        ]

    @Test("are without harm for all of them", arguments: KillMatrixTests.topologies)
    func allCommands(kind: TestServer.Kind) async throws {
        let steps = try ProjectFiles.path("Tests/FaultTests/Steps")
        let tried = try await Matrix.forEachPoint(on: kind, from: 0, stride: 1) { database, point in
            guard Self.options.indices.contains(point) else { return false }
            let options = Self.options[point]
            // Of the sample each string is tried on one topology, the first two on both.
            guard Effort.isFull || point < 2 || point % 2 == (kind == .standalone ? 0 : 1) else { return true }
            try await database.loadIncident()
            let target = ["--uri", "\(database.uri)&\(options)", "--database", database.name]
            for (command, codes) in Effort.isFull ? Self.wholeLife : Self.life {
                let words = command.map { $0 == "STEPS" ? steps : $0 }
                let result = try await Tool.run(words + target)
                #expect(codes.contains(result.exitCode ?? -1), "\(options), \(words), \(kind): \(result)")
            }
            return true
        }
        print("faults: \(tried) connection strings on \(kind)")
        #expect(tried == Self.options.count)
    }
}
