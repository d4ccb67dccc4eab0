internal import BSON

extension TestDatabase {
    /// Fills it with a chat database of any size that the bug has broken, made by the server itself: a thirtieth as many
    /// sessions as messages, all of whose counts are wrong; a quarter of the sessions, and every fiftieth message, have a
    /// text for an `_id`; half of the references to users are text, and half of those to sessions.
    ///
    /// - Parameter messages: How many messages.
    package func makeBroken(messages: Int) async throws {
        let (sessions, users) = (max(messages / 30, 4), 50)
        try await load("seed", [["_id": 1]])
        try await make("users", users) { number in
            [
                "_id": Self.id("64", number), "username": ["$concat": ["user", ["$toString": number]]],
                "email": ["$concat": ["user", ["$toString": number], "@example.com"]], "full_name": "Name",
                "role": "user", "disabled": false, "workspaces": ["$literal": []],
                "created_at": "2023-01-01T00:00:00", "updated_at": "2023-01-01T00:00:00",
            ]
        }
        let user: (BSONValue) -> BSONValue = { Self.id("64", ["$mod": [$0, .int64(Int64(users))]]) }
        try await make("chat_sessions", sessions) { number in
            [
                "_id": Self.text(Self.id("65", number), where: Self.every(4, number)),
                "user_id": Self.text(user(number), where: Self.every(2, number)), "title": "Title",
                "message_count": ["$literal": 0], "last_message_at": .date(1_600_000_000_000),
                "created_at": .date(1_600_000_000_000), "updated_at": .date(1_600_000_000_000), "deleted": false,
            ]
        }
        let said = String(repeating: "what was said ", count: 15)
        try await make("messages", messages) { number in
            let session: BSONValue = ["$mod": [number, .int64(Int64(sessions))]]
            let isText: BSONValue = ["$or": [Self.every(4, session), Self.every(3, number)]]
            return [
                "_id": Self.text(Self.id("66", number), where: Self.every(50, number)),
                "session_id": Self.text(Self.id("65", session), where: isText),
                "user_id": Self.text(user(session), where: Self.every(2, number)), "content": .string(said),
                "role": "user", "created_at": .date(1_700_000_000_000), "updated_at": .date(1_700_000_000_000),
                "deleted": false,
            ]
        }
        try await run(["drop": "seed"])
    }

    /// Makes so many documents of a collection, each from its number.
    private func make(_ collection: String, _ count: Int, _ document: (BSONValue) -> BSONDocument) async throws {
        try await run([
            "aggregate": "seed", "cursor": [:],
            "pipeline": [
                ["$project": ["n": ["$range": [0, .int64(Int64(count))]]]], ["$unwind": "$n"],
                ["$replaceRoot": ["newRoot": .document(document("$n"))]], ["$out": .string(collection)],
            ],
        ])
    }

    /// An ObjectId that ends with a number's digits.
    private static func id(_ beginning: String, _ number: BSONValue) -> BSONValue {
        let digits: BSONValue = ["$toString": number]
        let zeros = String(repeating: "0", count: 22)
        let padding: BSONValue = ["$substrCP": [.string(zeros), 0, ["$subtract": [22, ["$strLenCP": digits]]]]]
        return ["$toObjectId": ["$concat": [.string(beginning), padding, digits]]]
    }

    private static func text(_ id: BSONValue, where condition: BSONValue) -> BSONValue {
        ["$cond": [condition, ["$toString": id], id]]
    }

    private static func every(_ nth: Int64, _ number: BSONValue) -> BSONValue {
        ["$eq": [["$mod": [number, .int64(nth)]], 0]]
    }
}
