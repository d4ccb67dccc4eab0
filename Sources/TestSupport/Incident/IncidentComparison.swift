internal import BSON

/// Compares single documents with what they must be after a repair.
struct IncidentComparison {
    /// Whether counts were repaired too.
    let counts: Bool
    /// Whether absent fields were filled too.
    let fields: Bool
    /// What each session's true messages amount to, by its key.
    let tallies: [String: SessionTally]
    /// The `_id` that each session has now, by its key.
    var sessionIDs: [String: BSONValue] = [:]

    /// What is wrong with a document, in words.
    func violations(_ expected: ExpectedDocument, _ stored: BSONDocument) -> [String] {
        var violations: [String] = []
        var wanted = expected.original
        if let id = stored["_id"] {
            violations += identityViolations(expected, id)
            wanted["_id"] = id
        }
        if let session = expected.session, let reference = stored["session_id"] {
            // A session that is lost has been reported itself.
            if let id = sessionIDs[session] { violations += fieldViolation("session_id", reference, id) }
            wanted["session_id"] = reference
        }
        if let user = expected.user, let reference = stored["user_id"] {
            violations += fieldViolation("user_id", reference, .objectID(user))
            wanted["user_id"] = reference
        }
        var rest = stored
        if fields, expected.lacksDeleted, expected.original["username"] == nil {
            violations += fieldViolation("deleted", stored["deleted"], false)
            rest["deleted"] = nil
        }
        if counts, expected.original["title"] != nil {
            violations += counterViolations(tallies[expected.key] ?? SessionTally(), expected.original, stored)
            // A field that was missing is appended by the server; where exactly doesn't matter.
            for field in ["message_count", "last_message_at"] {
                if expected.original[field] == nil {
                    rest[field] = nil
                } else if let value = stored[field] {
                    wanted[field] = value
                }
            }
        }
        if rest != wanted {
            violations.append("it is \(rest.debugDescription), expected \(wanted.debugDescription)")
        }
        return violations
    }

    private func identityViolations(_ expected: ExpectedDocument, _ id: BSONValue) -> [String] {
        let before = words(expected.original["_id"])
        switch expected.identity {
        case .unchanged: return fieldViolation("_id", id, expected.original["_id"] ?? .null)
        case .exactly(let wanted): return fieldViolation("_id", id, .objectID(wanted))
        case .fresh:
            guard let new = id.objectID else { return ["_id \(before) became \(id.debugDescription), no ObjectId"] }
            let seconds = UInt32((expected.createdAt ?? 0) / 1000)
            guard new.timestamp != seconds else { return [] }
            return ["_id \(before) became \(new), whose timestamp \(new.timestamp) isn't created_at's \(seconds)"]
        }
    }

    private func fieldViolation(_ field: String, _ stored: BSONValue?, _ wanted: BSONValue) -> [String] {
        stored == wanted ? [] : ["\(field) is \(words(stored)), expected \(words(wanted))"]
    }

    private func words(_ value: BSONValue?) -> String { value?.debugDescription ?? "missing" }

    private func counterViolations(
        _ totals: SessionTally, _ before: BSONDocument, _ stored: BSONDocument
    ) -> [String] {
        var violations: [String] = []
        let count = (before: before["message_count"], now: stored["message_count"])
        if totals.isRightCount(count.before) ? count.now != count.before : !totals.isRightCount(count.now) {
            let change = "was \(words(count.before)), is \(words(count.now))"
            violations.append("message_count \(change), and \(totals.live) live messages are there")
        }
        let last = (before: before["last_message_at"], now: stored["last_message_at"])
        // The application can't do without the field, whatever it says.
        if last.before != nil && totals.isRightLast(last.before) ? last.now != last.before : !isMended(last.now, totals)
        {
            let change = "was \(words(last.before)), is \(words(last.now))"
            let newest = totals.newestLive.map(String.init) ?? "never"
            violations.append("last_message_at \(change), and the newest live message is of \(newest)")
        }
        return violations
    }

    /// A wrong `last_message_at` becomes the newest live message's date exactly. Where all messages are deleted, the
    /// design leaves it open what is best, and any right value will do.
    private func isMended(_ last: BSONValue?, _ totals: SessionTally) -> Bool {
        guard last != nil else { return false }
        if let newest = totals.newestLive { return last == .date(newest) }
        return totals.newest == nil ? last == .null : totals.isRightLast(last)
    }
}
