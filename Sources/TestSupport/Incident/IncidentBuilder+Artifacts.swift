internal import BSON

extension IncidentBuilder {
    /// Makes artifacts: the first belongs to the session with `_id: ""`, where there is one.
    mutating func makeArtifacts(_ count: Int) {
        let open = sessions.indices.filter { sessions[$0].storedID != .null }
        guard !open.isEmpty else { return }
        for number in 0..<count {
            let empty = number == 0 ? open.first { sessions[$0].storedID == .empty } : nil
            let session = sessions[empty ?? random.pick(open)]
            var reference = session.storedValue
            let isRight = session.storedID == .right && !session.isShadowed
            if isRight, random.happens(rates.textReference) { reference = .string(session.id.hex) }
            if session.storedID == .text, random.happens(0.5) { reference = .objectID(session.id) }
            let isTextUser = random.happens(rates.textUser)
            let createdAt = session.createdAt + 7_200_000 + Int64(random.number(0...999))
            let fields: [(String, BSONValue?)] = [
                ("session_id", reference), ("user_id", userValue(session.owner, isText: isTextUser)), ("type", "text"),
                ("name", .string("artifact \(number)")), ("source", .null), ("files", .null), ("content", "text"),
                ("metadata", [:]), ("size", 4), ("created_at", .date(createdAt)), ("updated_at", .date(createdAt)),
                ("deleted", false), ("deleted_at", .null),
            ]
            artifacts.append(
                ExpectedDocument(
                    key: "artifact \(number)", original: document(.objectID(newID(at: createdAt)), fields),
                    session: session.title, user: isTextUser ? userIDs[session.owner] : nil))
        }
        artifacts = damagingIDs(of: artifacts)
    }
}
