internal import BSON

/// Messages whose session nobody can tell; none of these references may be touched.
enum StrayMessage: CaseIterable {
    /// `session_id: ""`, like those of the session with `_id: ""`, but another user's.
    case someoneElses
    /// An ObjectId that names no session.
    case withoutSession
    /// The text of such an ObjectId.
    case textOfNothing
    /// A text that is no ObjectId's.
    case wordsAsReference
    /// A number.
    case numberAsReference
    /// Null.
    case nullReference
    /// No `session_id` at all.
    case missingReference
    /// Its session is right, but its owner is the text of no user's ObjectId.
    case textOfNobody
    /// Its session is right, but its owner is null.
    case nullUser
    /// Its session is right, but its owner is `""`.
    case emptyUser
}

extension IncidentBuilder {
    /// Makes one such message.
    mutating func makeStray(_ kind: StrayMessage) {
        let createdAt = Self.start + Int64(random.number(0...10_000_000))
        let keyless = sessions.filter { $0.storedID == .empty || $0.storedID == .null }.map(\.owner)
        let user = random.pick(userIDs.indices.filter { !keyless.contains($0) })
        let nothing = newID(at: createdAt)
        let isTextUser = random.happens(rates.textUser)
        var owner: BSONValue = userValue(user, isText: isTextUser)
        var session: Int?
        var reference: BSONValue?
        switch kind {
        case .someoneElses: reference = ""
        case .withoutSession: reference = .objectID(nothing)
        case .textOfNothing: reference = .string(nothing.hex)
        case .wordsAsReference: reference = "no such chat"
        case .numberAsReference: reference = 42
        case .nullReference: reference = .null
        case .missingReference: reference = nil
        case .textOfNobody, .nullUser, .emptyUser:
            let right = sessions.indices.filter { sessions[$0].storedID == .right && !sessions[$0].isShadowed }
            guard !right.isEmpty else { return }
            let index = random.pick(right)
            session = index
            reference = sessions[index].storedValue
            owner = kind == .textOfNobody ? .string(nothing.hex) : kind == .nullUser ? .null : ""
        }
        let key = "stray \(messages.count)"
        let original = message(key, reference, owner, createdAt, isDeleted: false)
        let expected = ExpectedDocument(
            key: key, original: original, session: session.map { sessions[$0].title },
            user: session == nil && isTextUser ? userIDs[user] : nil)
        messages.append(expected)
        if let session { sessions[session].totals.add(createdAt: createdAt, isLive: expected.isLive) }
    }
}
