internal import BSON

/// The documents of a broken database that have no number: their `_id`s are what the bug has made of them, or their session is.
struct DemoStrays: Sendable {
    /// By collection, sessions first.
    let documents: [(collection: String, document: BSONDocument)]
    /// What a check finds of them.
    let truth: [DemoTruth]

    /// None, where nothing is broken.
    init(_ chats: DemoChats) throws {
        guard chats.recipe.scenario == .broken, let owner = chats.owners.first, chats.recipe.sessions > 0 else {
            (documents, truth) = ([], [])
            return
        }
        var maker = Maker(chats)
        // The session that was made with `_id: ""`: what was said in it refers to that.
        let begun = chats.now - 86_400_000
        maker.session("", .string(owner.hex), "a lost chat", messages: 7, begun)
        for index in 0..<6 {
            try maker.message(
                "lost \(index)", session: "", owner: index % 2 == 0 ? .objectID(owner) : .string(owner.hex),
                at: begun + Int64(index + 1) * 60_000)
        }
        // Somebody else's words, which mustn't end up there.
        let other = chats.owners[chats.owners.count - 1]
        try maker.message("strange", session: "", owner: .objectID(other), at: begun + 30_000)
        // Sessions whose `_id` is text, with messages that refer to the text, or to the ObjectId that it stands for.
        for number in 0..<3 {
            let id = try SeedIdentity.id(ChatCollection.sessions, "\(chats.recipe.name) text \(number)")
            maker.session(.string(id.hex), .objectID(owner), "chat as text \(number)", messages: 2, begun)
            for index in 0..<4 {
                try maker.message(
                    "text \(number) \(index)", session: index < 2 ? .string(id.hex) : .objectID(id),
                    owner: .objectID(owner), at: begun + Int64(index + 1) * 1_000)
            }
        }
        let gone = try SeedIdentity.id(ChatCollection.sessions, "\(chats.recipe.name) gone")
        try maker.message("without a session", session: .objectID(gone), owner: .objectID(owner), at: begun)
        maker.nameless(chats.firstSession, chats.session(0, chats.layout.block(ofSession: 0)))
        documents = maker.documents
        truth = [
            DemoTruth("id.empty", ChatCollection.sessions, 1), DemoTruth("id.string", ChatCollection.sessions, 3),
            DemoTruth("ref.string", ChatCollection.sessions, 1),
            DemoTruth("id.empty", ChatCollection.messages, 1), DemoTruth("ref.empty", ChatCollection.messages, 7),
            DemoTruth("ref.string", ChatCollection.messages, 3 + 6),
            DemoTruth("ref.dangling", ChatCollection.messages, 1),
            DemoTruth("id.empty", ChatCollection.artifacts, 1),
        ]
    }

    private struct Maker {
        let chats: DemoChats
        var documents: [(collection: String, document: BSONDocument)] = []

        init(_ chats: DemoChats) { self.chats = chats }

        mutating func session(_ id: BSONValue, _ owner: BSONValue, _ title: String, messages: Int32, _ begun: Int64) {
            let last = begun + (messages == 2 ? 2_000 : 360_000)
            documents.append(
                (
                    ChatCollection.sessions,
                    [
                        "_id": id, "user_id": owner, "title": .string(title), "message_count": .int32(messages),
                        "last_message_at": .date(last), "created_at": .date(begun), "updated_at": .date(last),
                        "deleted": false, "deleted_at": .null,
                    ]
                ))
        }

        mutating func message(_ name: String, session: BSONValue, owner: BSONValue, at time: Int64) throws {
            let id = try SeedIdentity.id(ChatCollection.messages, "\(chats.recipe.name) \(name)")
            documents.append((ChatCollection.messages, Self.message(.objectID(id), session, owner, name, time, false)))
        }

        private static func message(
            _ id: BSONValue, _ session: BSONValue, _ owner: BSONValue, _ text: String, _ time: Int64, _ isDeleted: Bool
        ) -> BSONDocument {
            [
                "_id": id, "session_id": session, "user_id": owner, "content": .string(text), "role": "user",
                "created_at": .date(time), "updated_at": .date(time), "deleted": .bool(isDeleted),
                "deleted_at": isDeleted ? .date(time) : .null,
            ]
        }

        /// A message and an artifact whose own `_id` is empty.
        mutating func nameless(_ id: ObjectID, _ session: DemoChats.Session) {
            let owner = BSONValue.objectID(session.owner)
            documents.append(
                (
                    ChatCollection.messages,
                    Self.message("", .objectID(id), owner, "a lost message", session.created, true)
                ))
            documents.append(
                (
                    ChatCollection.artifacts,
                    [
                        "_id": "", "session_id": .objectID(id), "user_id": owner, "type": "text",
                        "name": "a lost artifact", "source": .null, "files": .null, "content": "text", "metadata": [:],
                        "size": 4, "created_at": .date(session.created), "updated_at": .date(session.created),
                        "deleted": false, "deleted_at": .null,
                    ]
                ))
        }
    }
}

/// How many findings a check has to make in a broken database.
package struct DemoTruth: Sendable, Encodable, Equatable {
    /// The finding's code.
    package let code: String
    /// The collection.
    package let collection: String
    /// How many.
    package let count: Int

    init(_ code: String, _ collection: String, _ count: Int) {
        (self.code, self.collection, self.count) = (code, collection, count)
    }
}
