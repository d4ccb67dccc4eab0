import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("Options of a connection string")
struct ConnectionOptionTests {
    /// What people write, each working with every kind of command.
    static let taken = [
        "retryWrites=true&w=majority", "w=0", "w=1", "w=2&wtimeoutMS=1", "w=tagged", "w=0&journal=false",
        "journal=true",
        "journal=false", "j=true&fsync=true", "safe=false", "wtimeoutMS=1", "wtimeoutMS=600000", "wtimeout=1",
        "readConcernLevel=local", "readConcernLevel=majority", "readConcernLevel=linearizable",
        "readConcernLevel=snapshot", "readConcernLevel=nonsense", "slaveOk=true", "serverSelectionTimeoutMS=1",
        "serverSelectionTimeoutMS=0", "serverSelectionTryOnce=true", "maxPoolSize=3", "minPoolSize=5&maxPoolSize=7",
        "waitQueueMultiple=5&waitQueueTimeoutMS=0", "waitQueueTimeoutMS=5000", "maxConnecting=1", "compressors=zlib",
        "compressors=snappy", "compressors=zstd", "compressors=zstd,snappy,zlib&zlibCompressionLevel=9",
        "directConnection=true", "directConnection=false", "retryWrites=false", "retryReads=false", "appName=me",
        "appname=me", "readPreference=secondaryPreferred", "readPreference=secondaryPreferred&maxStalenessSeconds=90",
        "readPreference=nearest&maxStalenessSeconds=-1", "readPreference=primaryPreferred",
        "readPreference=secondaryPreferred&readPreferenceTags=a:b,c:d&readPreferenceTags=",
        "heartbeatFrequencyMS=500", "localThresholdMS=0", "localThresholdMS=1000", "connectTimeoutMS=0",
        "connectTimeoutMS=1", "socketTimeoutMS=0", "socketTimeoutMS=1", "socketCheckIntervalMS=1", "maxIdleTimeMS=1",
        "loadBalanced=false", "tls=false", "ssl=false", "uuidRepresentation=standard", "tz_aware=true",
        "useUnifiedTopology=true&useNewUrlParser=true", "enableUtf8Validation=false&monitorCommands=true", "&", "",
    ]

    /// What can't be obeyed, and a word of the sentence that says so.
    static let refused = [
        ("loadBalanced=true", "load balancers"), ("timeoutMS=5", "socketTimeoutMS"), ("proxyHost=a", "proxies"),
        ("tlsCRLFile=a", "revoked"), ("ssl_ca_certs=a", "tlsCAFile"), ("readPrefrence=primary", "'readPrefrence'"),
        ("t0k3n=1", "no driver knows"), ("heartbeatFrequencyMS=499", "500"), ("zlibCompressionLevel=10", "used"),
        ("maxStalenessSeconds=90", "eadPreference"), ("readPreferenceTags=a:b", "eadPreference"),
        ("readPreference=nearest&maxStalenessSeconds=89", "90"),
        ("readPreference=nearest&maxStalenessSeconds=100&heartbeatFrequencyMS=120000", "130"),
        ("readPreference=tertiary", "eadPreference"), ("maxPoolSize=many", "nsupported value"), ("tls", "sign"),
        ("directConnection=true&srvMaxHosts=1", "used"), ("authMechanism=MONGODB-CR", "SCRAM"),
        ("authMechanism=MONGODB-OIDC", "SCRAM"), ("authMechanism=PLAIN", "tls=true"),
        ("tlsInsecure=true&tlsAllowInvalidHostnames=true", "used"), ("tls=true&ssl=false", "used"),
    ]

    @Test("are obeyed or without harm for every kind of command", arguments: taken)
    func areTaken(options: String) async throws {
        for kind in [TestServer.Kind.standalone, .replicaSet] {
            try await withDatabase(on: kind) { database in
                let uri = database.uri + (options.isEmpty ? "" : "&" + options)
                let pool = try MongoPool(ConnectionString(uri), logger: LogRecorder().logger)
                try await pool.withClient { client in
                    try await write(client, database)
                    try await read(client, database)
                    if kind == .replicaSet { try await transact(client, database) }
                }
                #expect(try await database.count("things") == (kind == .replicaSet ? 8 : 7))
            }
        }
    }

    private func write(_ client: MongoClient, _ database: TestDatabase) async throws {
        let namespace = database.namespace("things")
        try await client.createCollection(namespace)
        for (start, concern) in [(Int32(0), WriteConcern.majorityJournaled), (10, .acknowledged)] {
            let writes = (start..<start + 3).map { WriteModel.insert(["_id": .int32($0), "n": 0]) }
            let result = try await client.bulkWrite(namespace, writes, concern: concern)
            #expect(result.inserted == 3)
            let before = try await client.findAndModify(
                namespace, query: ["_id": .int32(start)], ["update": ["$inc": ["n": 1]]], concern: concern)
            #expect(before?["n"] == 0)
        }
        let upsert: BSONDocument = ["update": ["$set": ["n": 9]], "upsert": true, "new": true]
        #expect(try await client.findAndModify(namespace, query: ["_id": 99], upsert) == ["_id": 99, "n": 9])
        try await client.createIndexes(namespace, [["key": ["n": 1], "name": "n"]])
        try await client.collMod(namespace, ["validationLevel": "moderate"])
    }

    private func read(_ client: MongoClient, _ database: TestDatabase) async throws {
        let namespace = database.namespace("things")
        let options: BSONDocument = ["batchSize": 2, "sort": ["_id": 1]]
        for preference in [nil, ReadPreference.primary, .secondaryPreferred, .nearest] {
            let count = try await client.run(
                ["count": "things"], on: database.name, mode: .read, readPreference: preference)
            #expect(count["n"]?.integer == 7)
            let found = try await client.all(
                client.find(namespace, filter: [:], options: options, readPreference: preference))
            #expect(found.count == 7)
            let committed: BSONDocument = ["batchSize": 2, "readConcern": ["level": "majority"]]
            let grouped = try await client.all(
                client.aggregate(
                    namespace, pipeline: [["$match": [:]]], options: committed, readPreference: preference))
            #expect(grouped.count == 7)
        }
        #expect(try await client.listCollections(database.name).keys.sorted() == ["things"])
        #expect(try await client.listIndexes(namespace).count == 2)
    }

    private func transact(_ client: MongoClient, _ database: TestDatabase) async throws {
        let namespace = database.namespace("things")
        try await client.withTransaction { session in
            let found = try await client.all(
                client.find(namespace, filter: [:], options: ["batchSize": 2], session: session))
            #expect(found.count == 7)
            try await client.bulkWrite(namespace, [.insert(["_id": 20])], session: session)
            let update: BSONDocument = ["update": ["$set": ["n": 5]]]
            _ = try await client.findAndModify(namespace, query: ["_id": 1], update, session: session)
        }
        try await client.withSnapshot { session in
            let found = try await client.all(client.find(namespace, filter: [:], session: session))
            #expect(found.count == 8)
        }
    }

    @Test("that can't be obeyed are refused with a sentence", arguments: refused)
    func areRefused(options: String, word: String) async throws {
        do {
            _ = try ConnectionString("mongodb://user:s3cr3t@127.0.0.1:1/?\(options)")
            Issue.record("\(options) was taken")
        } catch {
            #expect(error.kind == .connectionString)
            #expect("\(error)".contains(word), "\(error)")
            #expect(!"\(error)".contains("t0k3n"), "\(error)")
        }
    }

    @Test("stand behind the hosts too, without a slash")
    func needNoSlash() async throws {
        let server = try await TestServer.shared(.standalone)
        let string = try ConnectionString("mongodb://127.0.0.1:\(server.port)?appName=me&w=0")
        #expect(string.appName == "me")
        let pool = try MongoPool(string, logger: LogRecorder().logger)
        _ = try await pool.withClient { try await $0.run(["ping": 1], on: "admin") }
    }

    @Test("that choose members by tags are obeyed by reads that others may answer")
    func choosesByTags() async throws {
        let server = try await TestServer.shared(.replicaSet)
        let uri = server.uri + "&readPreference=nearest&readPreferenceTags=place:nowhere&serverSelectionTimeoutMS=1"
        let pool = try MongoPool(ConnectionString(uri), logger: LogRecorder().logger)
        try await pool.withClient { client in
            let find = { preference in
                _ = try await client.all(
                    client.find(Namespace("admin", "none"), filter: [:], readPreference: preference))
            }
            try await find(.primary)
            await expectError(.unreachable) { try await find(.nearest) }
        }
    }
}
