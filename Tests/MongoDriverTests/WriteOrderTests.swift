import BSON
import MongoDriver
import TestSupport
import Testing

/// Writes that build on one another without waiting for the disk.
@Suite("Writes in order", .timeLimit(.minutes(3)))
struct WriteOrderTests {
    private static let copies = Namespace("order", "copies")
    private static let originals = Namespace("order", "originals")

    /// An original, and a copy that the server has acknowledged, and that it has lost unless it was made durable: it was killed,
    /// and started again.
    private func withLostCopy(
        durable: Bool = false, version: ServerVersion = .standard,
        _ body: (MongoClient, MongoPool) async throws -> Void
    ) async throws {
        try await KillableServer.with(version: version) { killable in
            try await killable.server.makePool(appName: "order").withClient { client in
                _ = try await client.describeServer()
                try await client.bulkWrite(Self.originals, [.insert(["_id": ""])])
                // Now and then the server has handed it to the system in time.
                for _ in 0..<20 {
                    await client.beginAnew()
                    try await client.bulkWrite(Self.copies, [.deleteMany(filter: [:])])
                    try await client.bulkWrite(Self.copies, [.insert(["_id": 1])], concern: .inOrder)
                    if durable { try await client.bulkWrite(Self.copies, [.deleteOne(filter: ["_id": "none"])]) }
                    try await killable.kill()
                    try await killable.start()
                    // So that the pool has seen the server go and come, and would connect anew without a word.
                    try await client.withSibling { sibling in
                        try await waitUntil("the pool knows the server") {
                            (try? await sibling.run(["ping": 1], on: "admin")) != nil
                        }
                    }
                    let isLost = try await Self.ids(Self.copies, killable.server.admin).isEmpty
                    if isLost || durable { return try await body(client, killable.server.admin) }
                }
                Issue.record("the server has lost nothing in 20 rounds")
            }
        }
    }

    private static func ids(_ namespace: Namespace, _ pool: MongoPool) async throws -> [BSONValue] {
        try await pool.withClient { client in
            try await client.all(client.find(namespace, filter: [:])).compactMap { $0["_id"] }
        }
    }

    @Test("never reach another process of the server than the one that took those before")
    func deletion() async throws {
        try await withLostCopy { client, admin in
            let error = await expectError(.network) {
                try await client.bulkWrite(Self.originals, [.deleteOne(filter: ["_id": ""])], concern: .inOrder)
            }
            #expect(error?.isTransient == true)
            #expect(try await Self.ids(Self.originals, admin) == [""])
            await expectError(.network) { try await client.bulkWrite(Self.copies, [.insert(["_id": 2])]) }
            // Who knows can go on.
            await client.beginAnew()
            try await client.bulkWrite(Self.copies, [.insert(["_id": 1])], concern: .inOrder)
            await client.beginAnew()
        }
    }

    @Test("go to no other member of a replica set, though a connection to it stood")
    func otherMember() async throws {
        let set = try await TestReplicaSet.start()
        do {
            let pool = try set.server.makePool(appName: "order")
            try await pool.withClient { client in
                try await client.bulkWrite(Self.originals, [.insert(["_id": ""])])
                for _ in 0..<10 {
                    _ = try await client.all(client.find(Self.originals, filter: [:], readPreference: .secondary))
                }
                try await client.bulkWrite(Self.copies, [.insert(["_id": 1])], concern: .inOrder)
                try await set.stepDown()
                do {
                    try await client.bulkWrite(Self.originals, [.deleteOne(filter: ["_id": ""])], concern: .inOrder)
                    Issue.record("it went to another member")
                } catch let error as MongoError {
                    #expect(error.isTransient, "\(error)")
                }
                await expectError(.network) { _ = try await client.all(client.find(Self.originals, filter: [:])) }
                await client.beginAnew()
                let found = try await client.all(client.find(Self.originals, filter: [:]))
                #expect(found.count == 1)
                try await client.bulkWrite(Self.copies, [.insert(["_id": 2])], concern: .inOrder)
                try await client.bulkWrite(Self.copies, [.insert(["_id": 3])])
                #expect(await !client.mayLoseWrites)
            }
            KeptPools.keep(pool)
            try await set.stop()
        } catch {
            try? await set.stop()
            throw error
        }
    }

    @Test("are asked about on the same connection, too")
    func reading() async throws {
        try await withLostCopy { client, _ in
            await expectError(.network) { _ = try await client.all(client.find(Self.originals, filter: [:])) }
            await client.beginAnew()
            let found = try await client.all(client.find(Self.originals, filter: [:]))
            #expect(found.count == 1)
        }
    }

    @Test(
        "are kept once a later one is durable, even one that changes nothing, and then hinder nobody",
        arguments: [ServerVersion.standard] + (ServerVersion.canRunOthers ? ServerVersion.others : []))
    func durable(version: ServerVersion) async throws {
        try await withLostCopy(durable: true, version: version) { client, admin in
            #expect(try await Self.ids(Self.copies, admin) == [1])
            let found = try await client.all(client.find(Self.originals, filter: [:]))
            #expect(found.count == 1)
        }
    }
}

@Suite("What a server keeps")
struct ServerOrderTests {
    @Test(
        "in order is known by its version, and by its being alone",
        arguments: zip(
            [ServerVersion.standard] + (ServerVersion.canRunOthers ? ServerVersion.others : []),
            [true, false, false, true]))
    func known(version: ServerVersion, isInOrder: Bool) async throws {
        try await withDatabase(on: .standalone, version: version) { database in
            let server = try await database.withClient { try await $0.describeServer() }
            #expect(server.keepsOrder == isInOrder)
        }
    }

    @Test("in a replica set is kept by its majority")
    func set() async throws {
        try await withDatabase(on: .replicaSet) { database in
            let server = try await database.withClient { try await $0.describeServer() }
            #expect(!server.keepsOrder)
        }
    }
}
