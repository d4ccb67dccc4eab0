package import BSON

extension IncidentTruth {
    /// Compares a database with what it must be after a repair of ids, references and counts.
    ///
    /// - Parameters:
    ///   - database: The repaired database.
    ///   - counts: Whether counts were repaired too; if not, they must be as they were.
    ///   - fields: Whether absent fields were filled too; if not, they must be absent.
    /// - Returns: What is wrong, in words; empty when nothing is.
    package func verify(
        _ database: TestDatabase, counts: Bool = true, fields: Bool = false
    ) async throws -> [String] {
        var stored: [String: [BSONDocument]] = [:]
        for name in TestDatabase.chatCollections { stored[name] = try await database.all(name) }
        return verify(stored, counts: counts, fields: fields)
    }

    /// Compares documents, by collection, with what they must be after a repair.
    package func verify(
        _ stored: [String: [BSONDocument]], counts: Bool = true, fields: Bool = false
    ) -> [String] {
        var violations = usersViolations(stored["users"] ?? [])
        var matched: [String: [(ExpectedDocument, BSONDocument)]] = [:]
        for name in Self.naturalKeys.keys.sorted() {
            matched[name] = match(name, stored[name] ?? [], &violations)
        }
        var comparison = IncidentComparison(
            counts: counts, fields: fields,
            tallies: SessionTally.all(documents["messages"] ?? [], fields: fields))
        for (session, document) in matched["chat_sessions"] ?? [] {
            comparison.sessionIDs[session.key] = document["_id"]
        }
        for name in Self.naturalKeys.keys.sorted() {
            for (expected, document) in matched[name] ?? [] {
                violations += comparison.violations(expected, document).map { "\(name) '\(expected.key)': \($0)" }
            }
        }
        return violations
    }

    /// Finds each expected document by its natural key, and names those that are lost, doubled, or nobody's.
    private func match(
        _ name: String, _ stored: [BSONDocument], _ violations: inout [String]
    ) -> [(ExpectedDocument, BSONDocument)] {
        let field = Self.naturalKeys[name] ?? "_id"
        var found = Dictionary(grouping: stored) { $0[field]?.string ?? "without \(field)" }
        var pairs: [(ExpectedDocument, BSONDocument)] = []
        for expected in documents[name] ?? [] {
            let candidates = found.removeValue(forKey: expected.key) ?? []
            if candidates.count == 1, let document = candidates.first {
                pairs.append((expected, document))
            } else {
                violations.append("\(name) '\(expected.key)': there \(candidates.count) times, expected once")
            }
        }
        for (key, strangers) in found.sorted(by: { $0.key < $1.key }) {
            violations.append("\(name) '\(key)': there \(strangers.count) times, expected never")
        }
        return pairs
    }

    private func usersViolations(_ stored: [BSONDocument]) -> [String] {
        let expected = Set(documents["users"]?.map(\.original) ?? [])
        let changed = expected.symmetricDifference(stored)
        guard changed.isEmpty, stored.count == expected.count else {
            return ["users: \(changed.count) documents differ, are lost or are new"]
        }
        return []
    }
}
