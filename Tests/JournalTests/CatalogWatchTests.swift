import BSON
import Journal
import MongoDriver
import Synchronization
import TestSupport
import Testing

/// Catalogue changes behind a transaction that somebody has open.
@Suite("Catalogue changes that have to wait")
struct CatalogWatchTests {
    @Test("they say what they wait for, and a request to stop is honoured meanwhile", arguments: [true, false])
    func stops(isIndex: Bool) async throws {
        try await withDatabase(on: .replicaSet) { database in
            try await database.load("things", [["_id": 1]])
            let interruption = Interruption()
            let texts = Mutex<[String]>([])
            try await database.withClient { client in
                let stopped = try await client.withTransaction { session in
                    _ = try await client.bulkWrite(
                        database.namespace("things"), [.updateOne(filter: ["_id": 1], update: ["$set": ["n": 1]])],
                        session: session)
                    return try await Self.change(database, isIndex, interruption) { update in
                        // On a busy machine other commands may take long, too.
                        guard let text = update.waiting?.description, text.contains("things, for an open") else {
                            return
                        }
                        texts.withLock { $0.append(text) }
                        interruption.request(.signal(2))
                    }
                }
                #expect(stopped == .signal(2))
            }
            #expect(texts.withLock { $0.first?.contains("for an open transaction to end") } == true)
            #expect(try await database.withClient { try await $0.listIndexes(database.namespace("things")) }.count == 1)
        }
    }

    /// - Returns: Why it was ended; nil when it was done.
    private static func change(
        _ database: TestDatabase, _ isIndex: Bool, _ interruption: Interruption, _ progress: @escaping ProgressReport
    ) async throws -> StopReason? {
        do {
            try await withRun(on: database, interruption: interruption, progress: progress) { run in
                if isIndex {
                    try await run.createIndexes([["key": ["a": 1], "name": "a_1"]], on: "things")
                } else {
                    try await run.setValidator(["validator": ["n": ["$exists": true]]], on: "things")
                }
            }
            return nil
        } catch EngineError.interrupted(let reason) {
            return reason
        }
    }
}
