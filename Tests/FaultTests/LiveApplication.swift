import BSON
import Foundation
import MongoDriver
import TestSupport

/// The chat application with its bug, at work: it creates, renames, sends and deletes, and now and then inserts a session
/// whose `_id` is the empty string. It remembers what it did.
///
/// Every document carries a key of its own, `key`, that nothing else has; a message also remembers its session's.
actor LiveApplication {
    /// What has been acknowledged: each session's owner, and each message's session and owner.
    private(set) var sessions: [String: ObjectID] = [:]
    private(set) var messages: [String: (session: String, owner: ObjectID)] = [:]
    /// How many sessions got in with an empty `_id`.
    private(set) var emptySessions = 0
    private let database: TestDatabase
    private var generator: SplitMix64
    private var counter = 0
    private let users = (0..<6).map { ObjectID(timestamp: UInt32(1_700_000_000 + $0)) }

    init(_ database: TestDatabase, seed: UInt64) {
        self.database = database
        generator = SplitMix64(seed: seed)
    }

    /// Makes the users, and some sessions to begin with.
    func prepare() async throws {
        try await database.load(
            "users",
            users.map {
                ["_id": .objectID($0), "username": .string($0.hex), "email": .string("\($0.hex)@example.com")]
            })
        for _ in 0..<20 { try await createSession() }
        for _ in 0..<Self.textSessions { try await createTextSession() }
    }

    /// So many sessions have a text for an `_id`, to keep a repair busy while the application works.
    private static let textSessions = 300

    /// What an older form of the bug left behind: the `_id`, and what refers to it, as text.
    private func createTextSession() async throws {
        guard let owner = pick(users) else { return }
        let key = nextKey("broken")
        let id = BSONValue.string(ObjectID(timestamp: UInt32(1_690_000_000 + counter)).hex)
        do {
            try await insert("chat_sessions", session(key, id, .string(owner.hex)))
        } catch let error as MongoError where error.kind == .documentValidation {
            return  // The guard stands.
        }
        sessions[key] = owner
        for _ in 0..<Int(generator.next() % 3) { try await insertMessage(in: key, reference: id, owner) }
    }

    /// Works until a moment comes.
    func work(until end: ContinuousClock.Instant) async throws {
        while ContinuousClock.now < end {
            switch Int(generator.next() % 10) {
            case 0: try await createSession()
            case 1: try await Bool.random(using: &generator) ? createBrokenSession() : createTextSession()
            case 2: try await rename()
            case 3: try await deleteMessage()
            default: try await send()
            }
        }
    }

    private func nextKey(_ prefix: String) -> String {
        counter += 1
        return "\(prefix)-\(counter)"
    }

    private func pick<T>(_ list: [T]) -> T? { list.isEmpty ? nil : list[Int(generator.next() % UInt64(list.count))] }

    private func createSession() async throws {
        guard let owner = pick(users) else { return }
        let key = nextKey("session")
        try await insert("chat_sessions", session(key, .objectID(ObjectID(timestamp: 1_700_000_500)), .objectID(owner)))
        sessions[key] = owner
    }

    /// The bug: no `_id`, and the owner as text; it fails while another one has the place.
    private func createBrokenSession() async throws {
        guard let owner = pick(users) else { return }
        let key = nextKey("broken")
        do {
            try await insert("chat_sessions", session(key, "", .string(owner.hex)))
        } catch let error as MongoError where error.kind == .duplicateKey || error.kind == .documentValidation {
            return  // Another one has the place, or the guard stands.
        }
        emptySessions += 1
        sessions[key] = owner
        // What is said in it refers to it as the bug has it.
        for _ in 0..<Int(generator.next() % 3) { try await insertMessage(in: key, reference: "", owner) }
    }

    private func rename() async throws {
        guard let key = pick(Array(sessions.keys)) else { return }
        // As everything it does, by ObjectId.
        try await update(
            "chat_sessions", ["key": .string(key), "_id": ["$type": "objectId"]],
            ["$set": ["title": .string(nextKey("title"))]])
    }

    private func send() async throws {
        guard let key = pick(Array(sessions.keys)), let owner = sessions[key] else { return }
        let found = try await database.find("chat_sessions", ["key": .string(key)])
        // While a session is on its way it may be seen in either place; the application takes what it finds first.
        guard let id = found.compactMap({ $0["_id"] }).first(where: { $0.objectID != nil }) else { return }
        try await insertMessage(in: key, reference: id, owner)
        try await update("chat_sessions", ["_id": id], ["$inc": ["message_count": 1]])
    }

    private func deleteMessage() async throws {
        guard let key = pick(Array(messages.keys)) else { return }
        try await update("messages", ["key": .string(key)], ["$set": ["deleted": true]])
    }

    private func insertMessage(in session: String, reference: BSONValue, _ owner: ObjectID) async throws {
        let key = nextKey("message")
        try await insert(
            "messages",
            [
                "_id": .objectID(ObjectID(timestamp: 1_700_000_600)), "session_id": reference,
                "user_id": .objectID(owner), "key": .string(key), "created_at": .date(1_700_000_600_000),
            ])
        messages[key] = (session, owner)
    }

    private func session(_ key: String, _ id: BSONValue, _ owner: BSONValue) -> BSONDocument {
        // No two sessions are created at the same moment.
        [
            "_id": id, "user_id": owner, "title": .string(key), "key": .string(key), "message_count": 0,
            "last_message_at": nil, "created_at": .date(1_700_000_000_000 + Int64(counter)),
        ]
    }

    private func insert(_ collection: String, _ document: BSONDocument) async throws {
        try await Self.write(.insert(document), collection, database)
    }

    private func update(_ collection: String, _ filter: BSONDocument, _ update: BSONDocument) async throws {
        try await Self.write(.updateOne(filter: filter, update: update), collection, database)
    }

    private nonisolated static func write(
        _ write: WriteModel, _ collection: String, _ database: TestDatabase
    ) async throws {
        _ = try await database.withClient { try await $0.bulkWrite(database.namespace(collection), [write]) }
    }
}
