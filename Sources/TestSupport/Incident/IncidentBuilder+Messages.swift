internal import BSON

extension IncidentBuilder {
    /// Makes messages: first, as far as there is room, those that nobody can attach to a session, then those that have
    /// one.
    mutating func makeMessages(_ count: Int) {
        for kind in StrayMessage.allCases where messages.count < count {
            for _ in 0..<random.number(0...2 + count / 500) where messages.count < count { makeStray(kind) }
        }
        // A session with `_id: null` has no messages: a reference that is null names nothing.
        let open = sessions.indices.filter { sessions[$0].storedID != .null }
        guard !open.isEmpty else { return }
        // Some sessions are busy, some are quiet, about one in seven has no message at all.
        let urn = open.flatMap { index in
            let weight = random.happens(0.15) ? 0 : 1 + random.number(0...30) * random.number(0...3)
            return Array(repeating: index, count: weight)
        }
        let busy = urn.isEmpty ? open : urn
        while messages.count < count { makeMessage(in: random.pick(busy)) }
        messages = damagingIDs(of: messages)
    }

    private mutating func makeMessage(in index: Int) {
        let session = sessions[index]
        var user = session.owner
        var reference = session.storedValue
        switch session.storedID {
        case .empty, .takenText: break
        case .text: if random.happens(0.5) { reference = .objectID(session.id) }
        case .right, .null:
            if random.happens(rates.foreignOwner) {
                user = random.number(0...userIDs.count - 1)
            } else if !session.isShadowed, random.happens(rates.textReference) {
                reference = .string(session.id.hex)
            }
        }
        let isTextUser = random.happens(session.storedID == .empty ? 0.5 : rates.textUser)
        let createdAt = session.createdAt + 3_600_000 + Int64(random.number(0...7_200_000))
        let isDeleted = session.isDeserted || random.happens(0.06)
        let key = "message \(messages.count) of \(session.title)"
        let original = message(key, reference, userValue(user, isText: isTextUser), createdAt, isDeleted: isDeleted)
        let expected = ExpectedDocument(
            key: key, original: original, session: session.title, user: isTextUser ? userIDs[user] : nil)
        messages.append(expected)
        sessions[index].totals.add(createdAt: createdAt, isLive: expected.isLive)
    }

    func userValue(_ user: Int, isText: Bool) -> BSONValue {
        isText ? .string(userIDs[user].hex) : .objectID(userIDs[user])
    }

    /// A message's document; its `_id` is the right one.
    mutating func message(
        _ content: String, _ session: BSONValue?, _ user: BSONValue?, _ createdAt: Int64, isDeleted: Bool
    ) -> BSONDocument {
        let fields: [(String, BSONValue?)] = [
            ("session_id", session), ("user_id", user), ("content", .string(content)),
            ("role", random.pick(["user", "assistant"])), ("created_at", .date(createdAt)),
            ("updated_at", .date(createdAt)),
            ("deleted", isDeleted ? true : random.pick([false, false, false, false, nil])),
            ("deleted_at", isDeleted ? .date(createdAt + 100_000) : .null),
        ]
        return document(.objectID(newID(at: createdAt)), fields)
    }

    /// Damages the `_id`s of a few documents that nothing refers to.
    mutating func damagingIDs(of documents: [ExpectedDocument]) -> [ExpectedDocument] {
        var documents = documents
        for index in documents.indices where random.happens(rates.textID) {
            guard let id = documents[index].original["_id"]?.objectID else { continue }
            documents[index] = documents[index].storing(.string(id.hex), becoming: .exactly(id))
        }
        let taken = documents.first { $0.original["_id"]?.objectID != nil }
        if random.happens(0.3), let taken, let id = taken.original["_id"]?.objectID,
            let last = documents.indices.last, documents[last].key != taken.key
        {
            documents[last] = documents[last].storing(.string(id.hex), becoming: .fresh)
        }
        for (value, rate) in [(BSONValue.string(""), rates.emptyID), (.null, rates.nullID)] {
            // The one whose ObjectId is taken keeps it.
            let right = documents.indices.filter {
                documents[$0].original["_id"]?.objectID != nil && documents[$0].key != taken?.key
            }
            if !right.isEmpty, random.happens(rate) {
                let index = random.pick(right)
                documents[index] = documents[index].storing(value, becoming: .fresh)
            }
        }
        return documents
    }
}

extension ExpectedDocument {
    /// The same with another stored `_id`.
    func storing(_ id: BSONValue, becoming identity: Identity) -> ExpectedDocument {
        ExpectedDocument(
            key: key, original: original.replacing("_id", with: id), identity: identity, session: session, user: user)
    }
}
