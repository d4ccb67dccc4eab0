internal import BSON

/// A document that shall be there.
struct WantedDocument: Sendable {
    let collection: String
    /// What it is called in sentences.
    let name: String
    let document: BSONDocument
    /// The fields that tell whether it is as it should be.
    let compared: [String]
    /// The session that it belongs to; for a session itself.
    let session: BSONValue

    var id: BSONValue { document["_id"] ?? .null }
    var code: String { collection == ChatCollection.sessions ? SeedCode.session : SeedCode.message }
}

extension SeedSet {
    /// The sessions and messages as they shall be, each session before its messages.
    ///
    /// - Parameter owners: The `_id`s of users by name; what belongs to others is left out.
    func chats(_ owners: [String: ObjectID], _ settings: SeedSettings) throws -> [WantedDocument] {
        let listed = Dictionary(grouping: messages, by: \.session)
        var wanted: [WantedDocument] = []
        for session in sessions {
            guard let owner = owners[session.user] else { continue }
            let chat = try Chat(session, listed[session.name] ?? [], owner, settings)
            wanted.append(chat.document(settings))
            wanted += try chat.messageDocuments(settings)
        }
        return wanted
    }

    /// One session with its messages.
    private struct Chat {
        struct Line {
            let name: String
            let role: SeedRole
            let content: String
            let created: Int64
            let isDeleted: Bool
            let isFixed: Bool
        }

        let session: SeedSession
        let id: ObjectID
        let owner: ObjectID
        let created: Int64
        let lines: [Line]

        /// Messages whose time isn't said follow one another in this time, or faster.
        private static let pause: Int64 = 90_000

        init(_ session: SeedSession, _ listed: [SeedMessage], _ owner: ObjectID, _ settings: SeedSettings) throws {
            (self.session, self.owner) = (session, owner)
            id = try SeedIdentity.id(ChatCollection.sessions, session.name)
            let created = session.created.milliseconds(settings.now)
            self.created = created
            let many = Int64(max(listed.count, session.messages))
            let step = min(max(settings.now - created, 0) / (many + 1), Self.pause)
            var lines: [Line] = []
            // What is added to the file later moves nothing that is there.
            func time(_ number: Int, between: Bool) -> Int64 {
                created + Int64(number + 1) * step - (between ? step / 2 : 0)
            }
            for (index, message) in listed.enumerated() {
                lines.append(
                    Line(
                        name: "\(session.name)#\(index + 1)", role: message.role, content: message.content,
                        created: message.created?.milliseconds(settings.now) ?? time(index, between: true),
                        isDeleted: message.isDeleted,
                        isFixed: (message.created ?? session.created).isFixed))
            }
            var random = DemoRandom(seed: try SeedIdentity.seed("chat", String(settings.seed), session.name))
            for index in 0..<session.messages {
                let role: SeedRole = index % 2 == 0 ? .user : .assistant
                lines.append(
                    Line(
                        name: "\(session.name)~\(index + 1)", role: role,
                        content: Phrasebook.shared.text(role, .english, &random), created: time(index, between: false),
                        isDeleted: false, isFixed: session.created.isFixed))
            }
            self.lines = lines
        }

        func document(_ settings: SeedSettings) -> WantedDocument {
            let newest = lines.map(\.created).max() ?? created
            let deletedAt: BSONValue = session.isDeleted ? .date(min(newest + 3_600_000, settings.now)) : .null
            return WantedDocument(
                collection: ChatCollection.sessions, name: session.name,
                document: [
                    "_id": .objectID(id), "user_id": .objectID(owner), "title": .string(session.title),
                    // What there is to count is counted when it is known what is there already.
                    "message_count": 0, "last_message_at": .null, "created_at": .date(created),
                    "updated_at": .date(max(newest, created)), "deleted": .bool(session.isDeleted),
                    "deleted_at": deletedAt,
                ],
                compared: Self.compared(["user_id", "title", "deleted"], session.created.isFixed, settings),
                session: .objectID(id))
        }

        func messageDocuments(_ settings: SeedSettings) throws -> [WantedDocument] {
            var documents: [WantedDocument] = []
            for line in lines {
                let deletedAt: BSONValue = line.isDeleted ? .date(min(line.created + 60_000, settings.now)) : .null
                documents.append(
                    WantedDocument(
                        collection: ChatCollection.messages, name: line.name,
                        document: [
                            "_id": .objectID(try SeedIdentity.id(ChatCollection.messages, line.name)),
                            "session_id": .objectID(id), "user_id": .objectID(owner), "content": .string(line.content),
                            "role": .string(line.role.rawValue), "created_at": .date(line.created),
                            "updated_at": .date(line.created), "deleted": .bool(line.isDeleted),
                            "deleted_at": deletedAt,
                        ],
                        compared: Self.compared(
                            ["session_id", "user_id", "content", "role", "deleted"], line.isFixed, settings),
                        session: .objectID(id)))
            }
            return documents
        }

        /// Times that are counted back from now are another every day.
        private static func compared(_ fields: [String], _ isFixed: Bool, _ settings: SeedSettings) -> [String] {
            isFixed || settings.isNowGiven ? fields + ["created_at"] : fields
        }
    }
}

extension SeedTime {
    fileprivate var isFixed: Bool {
        if case .at = self { true } else { false }
    }
}
