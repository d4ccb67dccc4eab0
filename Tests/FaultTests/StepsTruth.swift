import BSON
import TestSupport

/// What the incident has to look like once the steps of `Steps` are applied, each exactly once.
struct StepsTruth {
    let start: [String: [BSONDocument]]

    /// What is wrong, in words.
    func problems(_ database: TestDatabase) async throws -> [String] {
        var problems: [String] = []
        let users = try await database.all("users")
        let expected = (start["users"] ?? []).map { user in
            user["username"] == nil ? user : user.replacing("visits", with: 1)
        }
        if Set(users.filter { $0["made"] == nil }) != Set(expected) { problems.append("users: \(users)") }
        let made = users.filter { $0["made"] != nil }.compactMap { $0["username"]?.string }
        if made != ["carol"] { problems.append("users made: \(made)") }

        let tags = try await database.all("tags")
        let uses = tags.sorted { ($0["name"]?.string ?? "") < ($1["name"]?.string ?? "") }
            .map { $0["uses"]?.array?.count ?? 0 }
        if uses != [1, 0] { problems.append("tags: \(tags)") }

        let messages = try await database.all("messages")
        if messages != (start["messages"] ?? []).filter({ $0["role"] != "assistant" || $0["deleted"] != true }) {
            problems.append("\(messages.count) messages")
        }

        let artifacts = try await database.all("artifacts")
        if Set(artifacts) != Set((start["artifacts"] ?? []).map { $0.replacing("copies", with: 1) }) {
            problems.append("artifacts: \(artifacts)")
        }
        if try await !database.all("notes").isEmpty { problems.append("notes aren't dropped") }
        return problems
    }
}
