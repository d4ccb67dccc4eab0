internal import BSON

/// Counts what a check must find, straight from the definitions in §2 of the design, over documents in memory.
enum ExpectedFindings {
    /// The references of each collection: which field names a document of which collection.
    static let references = [
        "chat_sessions": ["user_id": "users"],
        "messages": ["session_id": "chat_sessions", "user_id": "users"],
        "artifacts": ["session_id": "chat_sessions", "user_id": "users"],
    ]

    /// The fields that the application can't do without, and that the incident's damage may take away.
    static let neededFields = [
        "users": ["username", "email", "full_name"], "chat_sessions": ["deleted", "last_message_at"],
        "messages": ["deleted"], "artifacts": ["deleted"],
    ]

    static func counts(in collections: [String: [BSONDocument]]) -> [String: [String: Int]] {
        var counts: [String: [String: Int]] = [:]
        func found(_ code: String?, _ collection: String) {
            if let code { counts[code, default: [:]][collection, default: 0] += 1 }
        }
        let ids = collections.mapValues { Set($0.compactMap { $0["_id"] }) }
        for (name, documents) in collections {
            for document in documents {
                found(identifierFinding(document["_id"]), name)
                for (field, target) in references[name] ?? [:] {
                    found(referenceFinding(document[field], ids[target] ?? []), name)
                }
                if name == "users", !hasPassword(document) { found("user.password", name) }
                for field in neededFields[name] ?? [] where document[field] == nil { found("field.missing", name) }
            }
        }
        for _ in 0..<sharing(collections["users"] ?? [], isLookalike: false) { found("user.duplicate", "users") }
        for _ in 0..<sharing(collections["users"] ?? [], isLookalike: true) { found("user.lookalike", "users") }
        return counts
    }

    private static func identifierFinding(_ id: BSONValue?) -> String? {
        switch id {
        case .string(""): "id.empty"
        case .null, nil: "id.null"
        case .string(let text) where ObjectID(hex: text) != nil: "id.string"
        case .objectID: nil
        default: "id.foreign"
        }
    }

    private static func referenceFinding(_ reference: BSONValue?, _ targets: Set<BSONValue>) -> String? {
        switch reference {
        case .null, nil: "ref.missing"
        case .string(""): "ref.empty"
        case .string(let text) where ObjectID(hex: text) != nil: "ref.string"
        // A document that has it as text is the cause, and is counted itself.
        case .objectID(let id) where targets.contains(.string(id.hex)): nil
        case .some(let value): targets.contains(value) ? nil : "ref.dangling"
        }
    }

    private static func hasPassword(_ user: BSONDocument) -> Bool {
        user["hashed_password"]?.string?.hasPrefix("$2b$12$") ?? false
    }

    /// How many users share a name or an address with another, exactly or but for case.
    private static func sharing(_ users: [BSONDocument], isLookalike: Bool) -> Int {
        var sharing = 0
        for field in ["username", "email"] {
            let texts = users.compactMap { $0[field]?.string }
            let groups = Dictionary(grouping: texts) { isLookalike ? $0.lowercased() : $0 }
            for group in groups.values where group.count > 1 && (!isLookalike || Set(group).count > 1) {
                sharing += group.count
            }
        }
        return sharing
    }
}
