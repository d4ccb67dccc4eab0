import BSON
import MongoDriver
import TestSupport

/// An application that does everything that can be done to its documents, right and wrong.
struct RandomApplication {
    private var random: SplitMix64
    private(set) var last: [String] = []
    private static let users = (1...6).map { ObjectID.smallest(at: UInt32($0)) }
    private static let sessions = (1...15).map { ObjectID.smallest(at: UInt32(100 + $0)) }
    private static let documents = (1...60).map { ObjectID.smallest(at: UInt32(1_000 + $0)) }

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    /// A database that is right, but for what happened to be made.
    mutating func begin(_ database: TestDatabase) async throws {
        for user in Self.users.dropLast() {
            try await database.load(
                "users",
                [Sample.user(["username": .string(user.hex), "email": .string(user.hex + "@example.com")], id: user)])
        }
        for session in Self.sessions.dropLast(3) {
            try await database.load("chat_sessions", [self.session(.objectID(session))])
        }
        for id in Self.documents.dropLast(20) {
            try await database.load("messages", [document(.objectID(id))])
            try await database.load("artifacts", [document(.objectID(id))])
        }
        try await database.run([
            "createIndexes": "messages",
            "indexes": [["key": ["session_id": 1, "deleted": 1, "created_at": 1], "name": "counting"]],
        ])
    }

    private mutating func session(_ id: BSONValue) -> BSONDocument {
        var session = Sample.session(["user_id": user(), "message_count": .int32(Int32(random.number(0...3)))])
        session["_id"] = id
        return session
    }

    private mutating func user() -> BSONValue {
        switch random.number(0...11) {
        case 0:
            [.null, "", "x", .string(Self.users[0].hex), .objectID(ObjectID.smallest(at: 77))][random.number(0...4)]
        default: .objectID(random.pick(Self.users))
        }
    }

    private mutating func sessionID() -> BSONValue {
        let session = random.pick(Self.sessions)
        switch random.number(0...9) {
        case 0: return [.null, "", 7, .string("x"), .array([.objectID(session)])][random.number(0...4)]
        case 1: return .string(random.happens(0.5) ? session.hex : session.hex.uppercased())
        default: return .objectID(session)
        }
    }

    private mutating func document(_ id: BSONValue) -> BSONDocument {
        var document = Sample.message([
            "session_id": sessionID(), "user_id": user(), "deleted": .bool(random.happens(0.2)),
            "created_at": .date(Sample.moment + Int64(random.number(0...1000))),
        ])
        document["_id"] = id
        return document
    }

    /// Does some things.
    mutating func act(_ count: Int, _ database: TestDatabase) async throws {
        last = []
        for _ in 0..<count {
            let command = step()
            last.append((try? ExtendedJSON.relaxed(command)) ?? "")
            do {
                try await database.run(command)
            } catch let error as MongoError where error.kind == .duplicateKey {
                // It is there already.
            }
        }
    }

    private mutating func step() -> BSONDocument {
        let name = random.pick(["messages", "artifacts"])
        let id = BSONValue.objectID(random.pick(Self.documents))
        let session = BSONValue.objectID(random.pick(Self.sessions))
        let holder = random.pick([("messages", id), ("artifacts", id), ("chat_sessions", session)])
        func update(_ name: String, _ id: BSONValue, _ update: BSONDocument) -> BSONDocument {
            ["update": .string(name), "updates": [["q": ["_id": id], "u": .document(update)]]]
        }
        func delete(_ name: String, _ id: BSONValue) -> BSONDocument {
            ["delete": .string(name), "deletes": [["q": ["_id": id], "limit": 1]]]
        }
        func insert(_ name: String, _ document: BSONDocument) -> BSONDocument {
            ["insert": .string(name), "documents": [.document(document)]]
        }
        switch random.number(0...20) {
        case 0...3: return insert(name, document(id))
        case 4: return delete(name, id)
        case 5: return update(name, id, document(id))
        case 6: return update(name, id, ["$set": ["session_id": sessionID()]])
        case 7: return update(name, id, ["$unset": [random.pick(["session_id", "user_id", "deleted"]): 1]])
        case 8: return update(holder.0, holder.1, ["$set": ["user_id": user()]])
        case 9:
            return update(holder.0, holder.1, ["$set": [random.pick(["deleted", "created_at", "updated_at"]): "x"]])
        case 10: return update(name, id, ["$set": ["deleted": .bool(random.happens(0.5))]])
        case 11:
            return update("chat_sessions", session, ["$set": ["message_count": .int32(Int32(random.number(0...4)))]])
        case 12: return update("chat_sessions", session, ["$unset": ["last_message_at": 1]])
        case 13: return delete("chat_sessions", session)
        case 14: return insert("chat_sessions", self.session(session))
        case 15:
            // The bug.
            let text = BSONValue.string(random.happens(0.5) ? "" : random.pick(Self.sessions).hex)
            return random.happens(0.5) ? insert("chat_sessions", self.session(text)) : delete("chat_sessions", text)
        case 16: return insert(name, document(random.pick(["", .string(random.pick(Self.documents).hex), 5])))
        case 17: return delete("users", .objectID(random.pick(Self.users)))
        case 18:
            let user = random.pick(Self.users)
            return insert(
                "users",
                Sample.user(["username": .string(user.hex), "email": .string(user.hex + "@example.com")], id: user))
        case 19:
            let user = BSONValue.objectID(random.pick(Self.users))
            let change: BSONDocument =
                random.happens(0.3)
                ? ["$unset": ["hashed_password": 1]]
                : ["$set": ["username": .string(random.pick(["ann", "Ann", "bob"])), "full_name": .int32(1)]]
            return update("users", user, change)
        default: return update("chat_sessions", session, ["$set": ["user_id": user(), "title": .int32(3)]])
        }
    }
}
