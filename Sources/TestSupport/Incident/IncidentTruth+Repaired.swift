package import BSON

extension IncidentTruth {
    /// One database that fulfils every expectation, by collection, made without the product's code: a right answer, not
    /// the only one.
    package var repaired: [String: [BSONDocument]] { Self.repaired(documents) }

    static func repaired(_ documents: [String: [ExpectedDocument]]) -> [String: [BSONDocument]] {
        var sessionIDs: [String: BSONValue] = [:]
        var repaired = documents.mapValues { $0.map { ($0, $0.original.replacing("_id", with: newID(of: $0))) } }
        for (session, document) in repaired["chat_sessions"] ?? [] { sessionIDs[session.key] = document["_id"] }
        let tallies = SessionTally.all(documents["messages"] ?? [])
        repaired = repaired.mapValues { pairs in
            pairs.map { expected, document in
                var document = document
                if let session = expected.session, let id = sessionIDs[session] { document["session_id"] = id }
                if let user = expected.user { document["user_id"] = .objectID(user) }
                return (expected, document)
            }
        }
        repaired["chat_sessions"] = repaired["chat_sessions"]?.map { expected, document in
            var document = document
            let totals = tallies[expected.key] ?? SessionTally()
            if !totals.isRightCount(document["message_count"]) {
                document["message_count"] = .int32(Int32(totals.live))
            }
            if document["last_message_at"] == nil || !totals.isRightLast(document["last_message_at"]) {
                document["last_message_at"] = totals.newestLive.map { .date($0) } ?? .null
            }
            return (expected, document)
        }
        return repaired.mapValues { $0.map(\.1) }
    }

    private static func newID(of expected: ExpectedDocument) -> BSONValue {
        switch expected.identity {
        case .unchanged: expected.original["_id"] ?? .null
        case .exactly(let id): .objectID(id)
        case .fresh: .objectID(ObjectID(timestamp: UInt32((expected.createdAt ?? 0) / 1000)))
        }
    }
}
