internal import BSON

extension IncidentBuilder {
    /// Drafts sessions and decides how their `_id`s are stored; their documents are made when their messages are known.
    mutating func makeSessions(_ count: Int) {
        for number in 0..<count {
            let createdAt = Self.start + Int64(number) * 1000 + Int64(random.number(0...999))
            let decoration = random.pick(["", "", "", " · Größe", " 🎉", " e\u{301}", " \"quoted\""])
            var session = DraftSession(
                id: newID(at: createdAt), owner: random.number(0...userIDs.count - 1),
                title: "chat \(number)\(decoration)", createdAt: createdAt)
            session.isDeserted = random.happens(0.05)
            if random.happens(rates.textSession) { session.storedID = .text }
            sessions.append(session)
        }
        guard count > 0 else { return }
        if random.happens(rates.emptyID) { sessions[random.number(0...count - 1)].storedID = .empty }
        let free = sessions.indices.filter { sessions[$0].storedID != .empty }
        if let index = free.isEmpty ? nil : random.pick(free), random.happens(rates.nullID) {
            sessions[index].storedID = .null
        }
        shadowOne()
    }

    /// Sometimes gives one session the text of another one's ObjectId as its `_id`. Their owners differ, so that what
    /// refers to the text belongs to one of them without doubt.
    private mutating func shadowOne() {
        guard random.happens(0.3), rates.textSession > 0 else { return }
        let right = sessions.indices.filter { sessions[$0].storedID == .right }
        guard right.count > 1 else { return }
        let (victim, shadow) = (random.pick(right), random.pick(right))
        guard victim != shadow, sessions[victim].owner != sessions[shadow].owner else { return }
        sessions[victim].isShadowed = true
        sessions[shadow].id = sessions[victim].id
        sessions[shadow].storedID = .takenText
    }

    /// Makes a session's document, with right counters or wrong ones.
    mutating func finish(_ session: DraftSession) -> ExpectedDocument {
        let user = userIDs[session.owner]
        // The same dump that wrote the `_id` as "" wrote the owner as text.
        let isTextOwner = session.storedID == .empty || random.happens(rates.textOwner)
        let count = random.happens(rates.wrongCount) ? wrongCount(session.totals) : rightCount(session.totals)
        let last = random.happens(rates.wrongLast) ? wrongLast(session) : rightLast(session.totals)
        let isDeleted = random.happens(0.08)
        let fields: [(String, BSONValue?)] = [
            ("user_id", isTextOwner ? .string(user.hex) : .objectID(user)), ("title", .string(session.title)),
            ("message_count", count), ("last_message_at", last), ("created_at", .date(session.createdAt)),
            ("updated_at", .date(session.createdAt + Int64(random.number(0...100_000)))),
            ("deleted", random.happens(0.1) && !isDeleted ? nil : .bool(isDeleted)),
            ("deleted_at", isDeleted ? .date(session.createdAt + 200_000) : .null),
        ]
        return ExpectedDocument(
            key: session.title, original: document(session.storedValue, fields), identity: session.identity,
            user: isTextOwner ? user : nil)
    }
}
