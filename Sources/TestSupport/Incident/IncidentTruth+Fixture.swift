internal import BSON

extension IncidentTruth {
    /// What `fixtures/incident` must become, as its README says: the session "chat 2" owns the messages "… of chat 2";
    /// "someone else's words" and "a message without a session" stay as they are.
    ///
    /// - Throws: when the fixture can't be read, or isn't the one that the README describes.
    package static var fixture: IncidentTruth {
        get throws {
            let incident = try TestDatabase.incident()
            let sessions = try Dictionary(grouping: incident["chat_sessions"] ?? []) { try text($0, "title") }
            var documents = ["users": try (incident["users"] ?? []).map { try expected($0, key: "username") }]
            documents["chat_sessions"] = try (incident["chat_sessions"] ?? []).map { try expected($0, key: "title") }
            documents["messages"] = try (incident["messages"] ?? []).map { message in
                var result = try expected(message, key: "content")
                if let title = result.key.split(separator: " of ").last.map(String.init), title.hasPrefix("chat ") {
                    guard sessions[title] != nil else { throw TestSupportError("No session \(title)") }
                    result.session = title
                }
                return result
            }
            documents["artifacts"] = try (incident["artifacts"] ?? []).map { artifact in
                var result = try expected(artifact, key: "name")
                let target = artifact["session_id"]?.objectID
                result.session = sessions.first { $0.value.contains { trueID($0) == target } }?.key
                guard target != nil, result.session != nil else { throw TestSupportError("\(result.key): no session") }
                return result
            }
            return IncidentTruth(documents)
        }
    }

    private static func expected(_ document: BSONDocument, key: String) throws -> ExpectedDocument {
        var result = ExpectedDocument(key: try text(document, key), original: document)
        switch document["_id"] {
        case .objectID: result.identity = .unchanged
        case .string(""): result.identity = .fresh
        default:
            guard let id = trueID(document) else { throw TestSupportError("\(result.key): no _id of the incident's") }
            result.identity = .exactly(id)
        }
        // Every user_id in the incident names a user.
        result.user = document["user_id"]?.string.flatMap { ObjectID(hex: $0) }
        return result
    }

    private static func trueID(_ document: BSONDocument) -> ObjectID? {
        document["_id"]?.objectID ?? document["_id"]?.string.flatMap { ObjectID(hex: $0) }
    }

    private static func text(_ document: BSONDocument, _ field: String) throws -> String {
        guard let text = document[field]?.string else { throw TestSupportError("A document without \(field)") }
        return text
    }
}
