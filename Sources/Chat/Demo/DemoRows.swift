internal import BSON
internal import Journal

/// The collections of demo chats, in the order in which they are made.
enum DemoPart: CaseIterable, Sendable {
    case sessions, artifacts, messages

    /// About how many bytes a document has.
    var usualBytes: Int {
        switch self {
        case .sessions: 256
        case .artifacts: 512
        case .messages: 384
        }
    }

    var collection: String {
        switch self {
        case .sessions: ChatCollection.sessions
        case .artifacts: ChatCollection.artifacts
        case .messages: ChatCollection.messages
        }
    }

    /// The fields that tell whether a document is as it was made: the others change while the application is used.
    var compared: [String] {
        switch self {
        case .sessions: ["user_id", "title", "deleted", "created_at"]
        case .artifacts: ["session_id", "user_id", "name", "content", "deleted", "created_at"]
        case .messages: ["session_id", "user_id", "content", "role", "deleted", "created_at"]
        }
    }
}

extension DemoChats {
    /// How many documents a part has.
    func count(_ part: DemoPart) -> Int {
        switch part {
        case .sessions: recipe.sessions
        case .artifacts: recipe.artifacts
        case .messages: recipe.messages
        }
    }

    /// The first `_id` of a part.
    func first(_ part: DemoPart) -> ObjectID {
        switch part {
        case .sessions: firstSession
        case .artifacts: firstArtifact
        case .messages: firstMessage
        }
    }

    /// Writes documents of a part, by their numbers.
    func write(_ part: DemoPart, _ numbers: Range<Int>, to rows: inout BSONRows) {
        rows.removeAll()
        switch part {
        case .sessions: writeSessions(numbers, to: &rows)
        case .artifacts: writeArtifacts(numbers, to: &rows)
        case .messages: writeMessages(numbers, to: &rows)
        }
        rows.close()
    }

    private func writeSessions(_ numbers: Range<Int>, to rows: inout BSONRows) {
        var block = layout.block(ofSession: numbers.lowerBound)
        for number in numbers {
            if !block.sessions.contains(number) { block = layout.block(ofSession: number) }
            append(session(number, block), to: &rows)
        }
    }

    private func append(_ session: Session, to rows: inout BSONRows) {
        let added = additions[session.number] ?? ChatPlan.Tally()
        var live = added.live
        var newest: Int64?
        var last = session.created
        for number in session.messages {
            let message = message(number, session)
            last = message.created
            guard isCounted(message, number, session) else { continue }
            live += 1
            newest = last
        }
        newest = added.newest.map { max($0, newest ?? .min) } ?? newest
        let stored = stored(session, live: live, newest: newest)
        var random = session.random
        rows.append { row in
            row.objectID("_id", session.id)
            row.value("user_id", stored.owner)
            row.text("title") { bytes in
                bytes.append(contentsOf: Phrasebook.shared.title(session.language, &random))
                if recipe.scenario == .unicode { bytes.append(contentsOf: Phrasebook.shared.oddity(&random)) }
            }
            row.value("message_count", stored.count)
            row.date("last_message_at", stored.last)
            row.date("created_at", session.created)
            row.date("updated_at", last)
            row.bool("deleted", session.isDeleted)
            row.date("deleted_at", session.isDeleted ? min(last + 600_000, now) : nil)
        }
    }

    private func writeMessages(_ numbers: Range<Int>, to rows: inout BSONRows) {
        var block = layout.block(ofMessage: numbers.lowerBound)
        var session = session(block.session(of: numbers.lowerBound), block)
        for number in numbers {
            if !session.messages.contains(number) {
                if !block.messages.contains(number) { block = layout.block(ofMessage: number) }
                session = self.session(block.session(of: number), block)
            }
            var message = message(number, session)
            let stored = stored(number, session)
            rows.append { row in
                row.objectID("_id", Self.id(firstMessage, number))
                if let text = stored.session {
                    row.value("session_id", text)
                } else {
                    row.objectID("session_id", session.id)
                }
                if let text = stored.owner {
                    row.value("user_id", text)
                } else {
                    row.objectID("user_id", session.owner)
                }
                row.text("content") { bytes in
                    if recipe.scenario == .long, message.random.happens(700) {
                        Phrasebook.shared.appendLong(message.role, session.language, &message.random, to: &bytes)
                    } else {
                        Phrasebook.shared.append(message.role, session.language, &message.random, to: &bytes)
                    }
                    if recipe.scenario == .unicode {
                        bytes.append(contentsOf: Phrasebook.shared.oddity(&message.random))
                    }
                }
                row.string("role", message.role.rawValue)
                row.date("created_at", message.created)
                row.date("updated_at", message.created)
                row.bool("deleted", message.isDeleted)
                row.date("deleted_at", message.isDeleted ? min(message.created + 60_000, now) : nil)
            }
        }
    }

    private func writeArtifacts(_ numbers: Range<Int>, to rows: inout BSONRows) {
        for number in numbers {
            var (sessionNumber, random) = artifact(number)
            let session = session(sessionNumber, layout.block(ofSession: sessionNumber))
            let created = session.created + session.span / 2
            let isDeleted = random.happens(30)
            let content = Phrasebook.shared.artifact(session.language, &random)
            rows.append { row in
                row.objectID("_id", Self.id(firstArtifact, number))
                row.objectID("session_id", session.id)
                row.objectID("user_id", session.owner)
                row.string("type", "text")
                row.string("name", "artifact \(number + 1)")
                row.null("source")
                row.null("files")
                row.text("content") { $0.append(contentsOf: content) }
                row.emptyDocument("metadata")
                row.int32("size", Int32(clamping: content.count))
                row.date("created_at", created)
                row.date("updated_at", created)
                row.bool("deleted", isDeleted)
                row.date("deleted_at", isDeleted ? min(created + 60_000, now) : nil)
            }
        }
    }
}
